//! The documents say what is: the fields of `--json`, options, exit codes, variables, files and
//! functions of the source, flushes of a registration, and the examples.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::repository;
use lmp_test_support::token::{PIN, SO_PIN, SOFTHSM, SoftHsm};
use lmp_test_support::tools::under;
use serde_json::Value;

use crate::agent::Kind;
use crate::agent::args::CommandLine;

fn text(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of the tables of a page below that heading, without the head of each table.
fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let page = text(page);
    let rest = page.split_once(&format!("\n## {heading}\n"));
    let (_, rest) = rest.unwrap_or_else(|| panic!("no heading {heading}"));
    let section = rest.split("\n## ").next().unwrap();
    let lines: Vec<&str> = section.lines().collect();
    let head = |next: Option<&&str>| next.is_some_and(|line| line.starts_with("|---"));
    let rows = lines.iter().enumerate().filter(|(number, line)| {
        line.starts_with('|') && !line.starts_with("|---") && !head(lines.get(number + 1))
    });
    let cells = |line: &str| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(|(_, line)| cells(line)).collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The fields of a value with the types that they have; keys that vary are `*`.
fn fields(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let Value::Object(fields_here) = value else {
        return;
    };
    for (name, value) in fields_here {
        let name = if path == "settings" { "*" } else { name };
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Object(_) => "object",
            Value::Array(items) if items.iter().all(Value::is_string) => "strings",
            Value::Array(items) => {
                for item in items {
                    fields(item, &format!("{path}[]"), found);
                }
                "objects"
            }
        };
        found.entry(path.clone()).or_default().insert(kind);
        fields(value, &path, found);
    }
}

/// What these runs print is what the section says: every field, with every type, and no other.
#[track_caller]
fn assert_is_documented(section: &str, runs: &[Run]) {
    let mut printed = BTreeMap::new();
    for run in runs {
        fields(&run.json(), "", &mut printed);
    }
    let mut documented = BTreeMap::new();
    let table = rows("docs/json.md", section);
    for row in &table {
        let types: BTreeSet<&str> = row[1].split(" or ").collect();
        documented.insert(row[0].trim_matches('`').to_owned(), types);
    }
    assert_eq!(printed, documented, "docs/json.md, {section}");
}

#[test]
fn json_is_as_documented() {
    let (factory, board, hsm) = (Factory::new(), Board::new(), SoftHsm::new());
    let mut rehearsals = vec![factory.register(&board, &["--dry-run", "--json"]).expect(0)];
    let mut on_token = factory.command(&board);
    hsm.show_to(&mut on_token);
    on_token.args([
        "--hsm-module",
        SOFTHSM,
        "--hsm-pin",
        PIN,
        "--hsm-so-pin",
        SO_PIN,
        "--dry-run",
        "--json",
    ]);
    rehearsals.push(run(on_token).expect(0));
    assert_is_documented("Rehearsal", &rehearsals);

    let registered = factory.register(&board, &["--json"]).expect(0);
    let replaced = factory.register(&board, &["--json", "--force"]).expect(0);
    assert_is_documented("Registered", &[registered, replaced]);
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(board.file("pkey.pem"), readable).unwrap();
    let checks = [
        board.check(["--json"]).expect(0),
        board.check(["--json", "--offline"]).expect(0),
    ];
    assert_is_documented("Check", &checks);

    std::fs::remove_file(board.file("pkey.pem")).unwrap();
    let failures = [
        factory.register(&board, &["--json"]).expect(10),
        Board::new()
            .register("http://127.0.0.1:9/", ["--json"])
            .expect(75),
        rejected(),
    ];
    assert_is_documented("Failure", &failures);
    let failed = [board.check(["--json"]).expect(78), foreign_root(&factory)];
    assert_is_documented("Failed check", &failed);

    let unregister = || {
        let mut command = board.bare_command();
        command.args(["unregister", "--yes", "--json", "--sota-dir"]);
        command
            .arg(board.sota())
            .arg("--update-client-lock")
            .arg(board.lock());
        run(command).expect(0)
    };
    assert_is_documented("Unregistered", &[unregister(), unregister()]);
}

/// A check that fails without a hint.
fn foreign_root(factory: &Factory) -> Run {
    let board = Board::new();
    factory.register(&board, &[]).expect(0);
    std::fs::copy(factory.server.ca_file(), board.file("root.crt")).unwrap();
    board.check(["--json"])
}

/// A failure for which there is no hint.
fn rejected() -> Run {
    use lmp_test_support::scripted::{Answer, ScriptedServer};
    let server = ScriptedServer::always(Answer::whole(201, b"{}"));
    Board::new().register(&server.url(), ["--json"]).expect(65)
}

#[test]
fn every_option_is_documented() {
    let mut command = CommandLine::command();
    command.build();
    let all = command.get_subcommands().chain([&command]);
    let names: BTreeSet<String> = all
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| {
            let long = format!("--{}", argument.get_long()?);
            Some(match argument.get_short() {
                Some(short) => format!("-{short}, {long}"),
                None => long,
            })
        })
        .filter(|name| !["-h, --help", "-V, --version"].contains(&name.as_str()))
        .collect();
    let table = rows("docs/interface.md", "Command line");
    let documented = table.iter().map(|row| {
        let words = quoted(&row[0]).join(", ");
        words
            .split(' ')
            .filter(|word| word.starts_with('-'))
            .collect::<Vec<_>>()
            .join(" ")
    });
    assert_eq!(documented.collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_exit_code_is_documented() {
    let kinds = [
        Kind::AlreadyRegistered,
        Kind::Busy,
        Kind::Usage,
        Kind::Answer,
        Kind::Token,
        Kind::Bug,
        Kind::Storage,
        Kind::Temporary,
        Kind::Refused,
        Kind::Unauthorised,
        Kind::Configuration,
    ];
    let mut expected = vec![("0".to_owned(), String::new())];
    expected.extend(kinds.map(|kind| (kind.exit_code().to_string(), kind.name().to_owned())));
    let table = rows("docs/interface.md", "Exit codes");
    let documented = table
        .iter()
        .map(|row| (row[0].clone(), row[1].trim_matches('`').to_owned()));
    assert_eq!(documented.collect::<Vec<_>>(), expected);
    let codes: Vec<String> = expected.into_iter().map(|(code, _)| code).collect();
    let readme = rows("README.md", "Exit codes");
    assert_eq!(
        readme.iter().map(|row| row[0].clone()).collect::<Vec<_>>(),
        codes
    );
    let manual = text("packaging/man/exit-status.roff");
    let manual = manual.lines().filter_map(|line| line.strip_prefix(".B "));
    let is_code = |word: &&str| word.parse::<u8>().is_ok();
    assert_eq!(manual.filter(is_code).collect::<Vec<_>>(), codes);
}

/// The page and the manual name the same variables, and the program reads each of them.
#[test]
fn every_variable_is_documented() {
    let table = rows("docs/interface.md", "Environment");
    let page: BTreeSet<String> = table
        .iter()
        .flat_map(|row| quoted(&row[0]))
        .map(str::to_owned)
        .collect();
    let manual = text("packaging/man/environment.roff");
    let manual = manual.lines().filter_map(|line| line.strip_prefix(".BR "));
    let manual: BTreeSet<String> = manual
        .flat_map(|line| line.split([' ', ',']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(manual, page);
    let source: String = sources("src")
        .iter()
        .map(|(_, text)| text.as_str())
        .collect();
    for name in page {
        // Those of proxies and of the trust store are read by the crates for that.
        let foreign = name.ends_with("_proxy") || name.starts_with("SSL_CERT");
        assert!(
            foreign || source.contains(&format!("\"{name}\"")),
            "{name} is not read"
        );
    }
}

/// Files of a crate: path and text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(repository(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(sources(&name));
        } else if Path::new(&name).extension().is_some_and(|end| end == "rs") {
            found.push((PathBuf::from(&name), text(&name)));
        }
    }
    found
}

/// A file that the map names is there, and what it names in that file is defined in it.
#[test]
fn the_map_names_what_is_there() {
    let mut all = sources("src");
    all.extend(sources("factory/src"));
    all.extend(sources("tests"));
    let page = text("docs/architecture.md");
    let words = page.split('`').collect::<Vec<_>>();
    let mut count = 0;
    for (number, word) in words.iter().enumerate().skip(1).step_by(2) {
        let Some(file) = word.strip_suffix(".rs").map(|_| *word) else {
            continue;
        };
        let here: Vec<_> = all
            .iter()
            .filter(|(path, _)| path.ends_with(file))
            .collect();
        assert!(!here.is_empty(), "there is no file {file}");
        // `file` `name`, with nothing but white space between them.
        let (Some(between), Some(name)) = (words.get(number + 1), words.get(number + 2)) else {
            continue;
        };
        if between.trim().is_empty() {
            let name = name.rsplit("::").next().unwrap();
            let kinds = ["fn", "struct", "enum", "const", "type"];
            let defined = |text: &str| {
                kinds.iter().any(|kind| {
                    let definition = format!("{kind} {name}");
                    let mut rest = text.split(&definition).skip(1);
                    rest.any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                })
            };
            assert!(
                here.iter().any(|(_, text)| defined(text)),
                "{file} has no {name}"
            );
            count += 1;
        }
    }
    assert!(count > 30, "{count} names only");
}

/// A link leads to a file, and to a heading of it if it names one.
#[test]
fn links_lead_somewhere() {
    let mut pages = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    pages.push("examples/README.md".to_owned());
    for entry in std::fs::read_dir(repository("docs")).unwrap() {
        pages.push(format!(
            "docs/{}",
            entry.unwrap().file_name().to_str().unwrap()
        ));
    }
    for page in pages {
        let folder = Path::new(&page).parent().unwrap().to_owned();
        for target in text(&page).split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            if target.starts_with("https://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                page.clone()
            } else {
                folder.join(file).to_str().unwrap().to_owned()
            };
            assert!(repository(&file).exists(), "{page} leads to {target}");
            let slug = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']).to_lowercase();
                let kept = line
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.collect::<String>().replace(' ', "-")
            };
            let found = heading.is_empty()
                || text(&file)
                    .lines()
                    .any(|line| line.starts_with('#') && slug(line) == heading);
            assert!(found, "{page} leads to {target}");
        }
    }
}

/// Flushes of a first registration, as docs/architecture.md lists them.
#[test]
fn flushes_are_as_documented() {
    let listed = rows("docs/architecture.md", "The journal");
    let last = listed
        .iter()
        .filter_map(|row| row[0].rsplit([' ', '–']).next()?.parse().ok());
    let documented: usize = last.max().unwrap();
    let (factory, board, hsm) = (Factory::plain(), Board::new(), SoftHsm::new());
    assert_eq!(flushes(&factory.command(&board), &board), documented);
    let board = Board::new();
    let mut on_token = factory.command(&board);
    hsm.show_to(&mut on_token);
    on_token.args(["--hsm-module", SOFTHSM, "--hsm-pin", PIN]);
    assert_eq!(flushes(&on_token, &board), documented);
}

fn flushes(command: &Command, board: &Board) -> usize {
    let log = board.path("strace.log");
    let strace = format!(
        "-f -qq -e trace=fsync,fdatasync,sync,syncfs -o {}",
        log.display()
    );
    run(under("/usr/bin/strace", strace.split(' '), command)).expect(0);
    std::fs::read_to_string(log).unwrap().lines().count()
}

/// What a person types who tries it, as the README has it; the ports are free ones.
#[test]
fn the_first_commands_of_the_readme_work() {
    let readme = text("README.md");
    let block = readme
        .split("```sh\n")
        .find(|block| block.starts_with("lmp-factory serve"));
    let script = block.unwrap().split("```").next().unwrap().replace(
        "serve ",
        "serve --listen 127.0.0.1:0 --gateway-listen 127.0.0.1:0 ",
    );
    let folder = tempfile::tempdir().unwrap();
    let programs = lmp_test_support::agent().parent().unwrap();
    assert!(
        programs.join("lmp-factory").exists(),
        "cargo build --workspace"
    );
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let script = format!("trap 'kill $factory 2>/dev/null || :' EXIT; {script}");
    let mut shell = Command::new("sh");
    shell
        .args(["-eu", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path);
    let run = run(shell).expect(0);
    for said in [
        "Device is now registered.",
        "mTLS works",
        "The registration is removed",
    ] {
        assert!(run.stdout.contains(said), "{said}: {run}");
    }
}
