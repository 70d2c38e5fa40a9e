//! Man pages and shell completions are made from the argument definitions; this keeps the files
//! in `packaging/generated` current. `make generated` writes them anew.

use std::collections::BTreeMap;

use crate::agent::args::CommandLine;
use clap::{Command, CommandFactory as _};
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
        clap_complete::generate(shell, &mut command(), NAME, &mut script);
        files.insert(file, String::from_utf8(script).expect("UTF-8"));
    }
    files
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
