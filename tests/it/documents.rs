//! The documents say what is: the fields of `--json`, options, exit codes, variables, files and
//! functions of the source, flushes of a registration, and the examples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use lmp_test_support::repository;

use crate::agent::Kind;
use crate::agent::args::CommandLine;

mod flushes;
mod json;
mod pages;

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
    let mut expected = vec![("0".to_owned(), String::new())];
    expected.extend(Kind::ALL.map(|kind| (kind.exit_code().to_string(), kind.name().to_owned())));
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
