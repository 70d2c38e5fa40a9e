//! Man pages and shell completions are made from the argument definitions; this keeps the files
//! in `packaging/generated` current. `make generated` writes them anew.

use std::collections::BTreeMap;

use crate::agent::args::CommandLine;
use clap::builder::Str;
use clap::{Arg, Command, CommandFactory as _, ValueHint};
use clap_complete::Shell;
use lmp_test_support::repository;

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

fn man_page(command: &Command, title: &str) -> String {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(title)
        .section("1")
        // No date: the pages depend on the definitions alone.
        .date("")
        .render(&mut page)
        .expect("a page in memory");
    String::from_utf8(page).expect("UTF-8")
}

fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut root = command();
    root.build();
    files.insert(format!("{NAME}.1"), man_page(&root, NAME));
    for sub in root
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        // clap wants names that live as long as the program.
        let title: &'static str = format!("{NAME}-{}", sub.get_name()).leak();
        let named = sub.clone().name(title).bin_name(title);
        files.insert(format!("{title}.1"), man_page(&named, title));
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
