//! Man pages and shell completions are made from the argument definitions; this keeps the files
//! in `packaging/generated` current. `make generated` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::builder::Str;
use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;
use lmp_test_support::repository;
use lmp_test_support::tools::output;

use crate::agent::args::CommandLine;
use crate::agent::option_names;

const NAME: &str = env!("CARGO_PKG_NAME");

/// The commit in the version would make every commit outdate the pages.
fn command() -> Command {
    let version = env!("CARGO_PKG_VERSION");
    CommandLine::command()
        .version(version)
        .long_version(version)
}

/// The same with what a shell may offer as values, by what each option calls its own.
fn command_for_shells() -> Command {
    fn hinted(command: Command) -> Command {
        let hinted_option = |option: Arg| {
            let named = option.get_value_names().and_then(<[_]>::first);
            match named.map(Str::as_str) {
                Some("BOOL") => option.value_parser(["true", "false"]),
                Some("DIR") => option.value_hint(ValueHint::DirPath),
                Some("FILE" | "PATH") => option.value_hint(ValueHint::FilePath),
                // Not even a file's name is a guess at it; to bash, `Other` would repeat the word.
                _ => option,
            }
        };
        command.mut_args(hinted_option).mut_subcommands(hinted)
    }
    hinted(command())
}

/// `clap_complete` spells a name with a hyphen in two ways, and then never finds its commands.
fn mended(script: &str) -> String {
    let joined = |by: &str| NAME.replace('-', by) + "__subcmd__";
    let (wrong, right) = (joined("__subcmd__"), joined("__"));
    assert!(script.contains(&wrong), "clap_complete has learnt it");
    script.replace(&wrong, &right)
}

/// What is written by hand of a page: packaging/man.
fn part(name: &str) -> String {
    let path = repository(&format!("packaging/man/{name}.roff"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As roff reads it: a hyphen that somebody may copy, and no request by accident.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text
    }
}

/// No date: the pages depend on the definitions alone.
fn title(name: &str, section: u8) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".TH {} {section} \"\" \"{NAME} {version}\" \"\"\n",
        roff(name)
    )
}

fn see_also(pages: &[(&str, u8)]) -> String {
    let all = pages
        .iter()
        .map(|(name, section)| format!(".BR {} ({section})", roff(name)));
    format!(".SH SEE ALSO\n{}\n", all.collect::<Vec<_>>().join(",\n"))
}

/// The page of a command, which is called by `words`.
fn man_page(command: &Command, name: &str, words: &str, related: &[(&str, u8)]) -> String {
    let man = clap_mangen::Man::new(command.clone());
    let mut page = title(name, 1).into_bytes();
    man.render_name_section(&mut page).unwrap();
    let mut options = Vec::new();
    man.render_options_section(&mut options).unwrap();
    let page = String::from_utf8(page).unwrap();
    let synopsis = format!(".SH SYNOPSIS\n.B {}\n[\\fIOPTION\\fR]...\n", roff(words));
    let others = command.get_subcommands().map(Command::get_name);
    let others = others.filter(|name| *name != "help");
    let commands = others
        .map(|name| format!(".br\n.B {} {name}\n[\\fIOPTION\\fR]...\n", roff(words)))
        .collect::<Vec<_>>()
        .concat();
    let text = part(name);
    let (description, examples) = text.split_once(".SH EXAMPLES\n").unwrap();
    let options = String::from_utf8(options).unwrap();
    let shared = ["exit-status", "environment", "files"].map(part).concat();
    let examples = format!(".SH EXAMPLES\n{examples}");
    [
        page,
        synopsis,
        commands,
        description.to_owned(),
        options,
        shared,
        examples,
    ]
    .concat()
    .replace(".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n", "")
    // The apostrophe of every roff program.
    .replace("\\*(Aq", "\\(aq")
        + &see_also(related)
}

/// What a file may set, from the definitions of the options.
fn page_of_the_file(command: &Command) -> String {
    let name = format!("{NAME}.toml");
    let text = part(&name);
    let (before, examples) = text.split_once(".SH EXAMPLES\n").unwrap();
    let mut page = title(&name, 5) + before + ".SH KEYS\n";
    for key in option_names() {
        let known = |argument: &&Arg| argument.get_long() == Some(&key);
        let argument = command.get_arguments().find(known).unwrap();
        let kind = match argument.get_value_names() {
            Some([kind]) if argument.get_action().takes_values() => kind.as_str(),
            _ => "BOOL",
        };
        let help = argument.get_help().unwrap().to_string();
        let _ = write!(
            page,
            ".TP\n\\fB{}\\fR = \\fI{kind}\\fR\n{}\n",
            roff(&key),
            roff(&help)
        );
    }
    page + ".SH EXAMPLES\n" + examples + &see_also(&[(NAME, 1)])
}

fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut root = command();
    root.build();
    let of_the_file = format!("{NAME}.toml");
    files.insert(format!("{of_the_file}.5"), page_of_the_file(&root));
    let titles = ["check", "auto", "unregister"].map(|name| format!("{NAME}-{name}"));
    let mut related: Vec<_> = titles.iter().map(|title| (title.as_str(), 1)).collect();
    related.push((&of_the_file, 5));
    files.insert(format!("{NAME}.1"), man_page(&root, NAME, NAME, &related));
    for sub in root
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        // clap wants names that live as long as the program.
        let title: &'static str = format!("{NAME}-{}", sub.get_name()).leak();
        let words = format!("{NAME} {}", sub.get_name());
        let named = sub.clone().name(title);
        let page = man_page(&named, title, &words, &[(NAME, 1), (&of_the_file, 5)]);
        files.insert(format!("{title}.1"), page);
    }
    for (shell, file) in [
        (Shell::Bash, NAME.to_owned()),
        (Shell::Zsh, format!("_{NAME}")),
        (Shell::Fish, format!("{NAME}.fish")),
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command_for_shells(), NAME, &mut script);
        let script = String::from_utf8(script).expect("UTF-8");
        let script = if shell == Shell::Bash {
            mended(&script)
        } else {
            script
        };
        files.insert(file, script);
    }
    files
}

/// What bash offers after these words, of which the last is being typed.
fn offered(words: &[&str]) -> Vec<String> {
    // The first two words are those of readline: what is typed, and what stands before it.
    let script = "source \"$1\" && shift && COMP_WORDS=(\"$@\") && COMP_CWORD=$(($# - 1)) && \
                  compopt() { printf 'compopt %s\\n' \"$2\"; } && \
                  _lmp__device__register \"$1\" \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\" && \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .arg(repository("packaging/generated").join(NAME))
        .arg(NAME)
        .args(words)
        .current_dir(repository("packaging"))
        .output()
        .expect("bash runs");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_knows_what_comes_next() {
    assert_eq!(offered(&["ch"]), ["check"]);
    assert_eq!(offered(&["--hsm-p"]), ["--hsm-pin", "--hsm-pin-file"]);
    assert_eq!(offered(&["check", "--of"]), ["--offline"]);
    assert_eq!(offered(&["unregister", "--k"]), ["--keep-token"]);
    assert_eq!(offered(&["auto", "--fa"]), ["--factory"]);
    let of_check = offered(&["check", "--"]);
    for option in ["--offline", "--sota-dir", "--json"] {
        assert!(
            of_check.iter().any(|word| word == option),
            "{option}: {of_check:?}"
        );
    }
    assert!(
        !of_check.iter().any(|word| word == "--factory"),
        "{of_check:?}"
    );
    for words in [
        &["-p", ""][..],
        &["--force", ""],
        &["auto", "--mlock-all", ""],
    ] {
        assert_eq!(offered(words), ["true", "false"], "{words:?}");
    }
    assert_eq!(offered(&["auto", "-l", "f"]), ["false"]);
    for words in [
        &["-d", "deb"][..],
        &["check", "--sota-dir", "deb"],
        &["--config-dir", ""],
    ] {
        assert_eq!(offered(words), ["compopt plusdirs", ""], "{words:?}");
    }
    let files = offered(&["auto", "--ca-file", "tmp"]);
    assert_eq!(files, ["compopt filenames", "tmpfiles.conf"]);
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a test that writes for its developer"
)]
fn man_pages_and_completions_are_current() {
    let directory = repository("packaging/generated");
    let expected = files();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(&directory).unwrap();
        for (name, text) in &expected {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&directory).expect("run make generated") {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        found.insert(name, std::fs::read_to_string(&path).unwrap());
    }
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "run make generated");
    for (name, text) in &expected {
        assert!(
            found[name] == *text,
            "{name} is out of date: run make generated"
        );
    }
}

/// What two programs that show them say of them. Pages have no date.
#[test]
fn man_pages_are_clean() {
    for name in files()
        .into_keys()
        .filter(|name| name.ends_with(['1', '5']))
    {
        let page = repository(&format!("packaging/generated/{name}"));
        let lint = output(
            "mandoc",
            ["-T", "lint", "-W", "warning", page.to_str().unwrap()],
        );
        let said = String::from_utf8(lint.stdout).unwrap();
        let said: Vec<_> = said
            .lines()
            .filter(|line| !line.contains("missing date"))
            .collect();
        assert!(said.is_empty(), "{said:#?}");
        let shown = output(
            "groff",
            ["-man", "-Tutf8", "-ww", "-z", page.to_str().unwrap()],
        );
        assert!(
            shown.status.success() && shown.stderr.is_empty(),
            "{shown:?}"
        );
    }
}
