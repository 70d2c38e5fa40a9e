//! File names in an answer that lead somewhere else.

use std::fs;

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, JOURNAL};
use lmp_test_support::scripted::{Answer, ScriptedServer};
use proptest::prelude::*;
use serde_json::json;

use super::{Case, case, register, rejected};
use crate::agent::FileName;

/// A good answer with one more file.
fn holding(name: &str) -> Case {
    let file = name.to_owned();
    let holding = case(format!("a file named {name:?}"), move |backend, request| {
        let mut files = backend.files(request);
        files.insert(file.clone(), "evil".into());
        Answer::json(201, &files)
    });
    holding.says("which is no name it may use")
}

#[test]
fn names_that_no_file_may_have() {
    let long = "x".repeat(5000);
    let names = [
        "",
        ".",
        "..",
        "../evil",
        "../../../../../../tmp/evil",
        "/etc/evil",
        "a/b",
        "a/",
        "./client.pem",
        "back\\slash",
        "c:evil",
        ".hidden",
        ".registration.journal",
        ".registration",
        "pkey.pem",
        "sql.db",
        "sql.db-wal",
        "sql.db-journal",
        "x.tmp",
        "sota.toml.tmp",
        "cert-rotation.state",
        "client.1.pem",
        "client.pem\0.txt",
        "\0",
        "space bar",
        "line\nbreak",
        "bell\u{7}",
        "\u{202e}lmot.atos",
        "ünicode",
        "*",
        "~root",
        "$(reboot)",
        &long[..300],
        &long,
    ];
    rejected(names.into_iter().map(holding));
}

/// Shown escaped; the runner of every test checks that no control character is printed.
#[test]
fn a_name_that_would_paint_the_terminal() {
    rejected([holding("\u{1b}[2J\u{9b}31m\u{202e}").says("\\u{1b}[2J")]);
}

#[test]
fn nothing_outside_of_the_directory_is_touched() {
    let board = Board::new();
    fs::write(board.path("evil"), "mine").unwrap();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| {
        let mut files = backend.files(request);
        files.insert("../evil".into(), "theirs".into());
        Answer::json(201, &files)
    });
    board.register(&server.url(), [""; 0]).expect(65);
    assert_eq!(fs::read_to_string(board.path("evil")).unwrap(), "mine");
    assert_eq!(board.names(), [JOURNAL]);
}

/// Names of plain files that nobody has heard of are kept: backends may send more.
#[test]
fn names_that_a_file_may_have() {
    let backend = Backend::new();
    let (longest, names) = (
        "x".repeat(100),
        ["z-80.conf", "A_1", "-", "_..", "tmp", "pkey.pem2"],
    );
    let names: Vec<&str> = names.into_iter().chain([longest.as_str()]).collect();
    let more = names
        .iter()
        .map(|name| ((*name).to_owned(), json!("new\n")));
    let more: Vec<_> = more.collect();
    let (board, run) = register(move |request| {
        let mut files = backend.files(request);
        files.extend(more.clone());
        Answer::json(201, &files)
    });
    run.expect(0);
    for name in names {
        assert_eq!(board.text(name), "new\n");
        assert_eq!(board.mode(name), 0o644, "{name}");
    }
}

/// It is an answer that cannot be taken, and no disk that fails: the next one may be another.
#[test]
fn the_name_of_a_directory() {
    let board = Board::new();
    fs::create_dir_all(board.file("compose-apps/app")).unwrap();
    let before = board.snapshot();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| {
        let mut files = backend.files(request);
        if request.number == 0 {
            files.insert("compose-apps".into(), "theirs".into());
        }
        Answer::json(201, &files)
    });
    board
        .register(&server.url(), [""; 0])
        .expect(65)
        .says(&["compose-apps", "is a directory"]);
    assert_eq!(board.snapshot_of_files(), before);
    board.register(&server.url(), [""; 0]).expect(0);
    assert!(board.file("compose-apps/app").is_dir());
}

/// The rule in other words than the agent's.
fn may_be_used(name: &str) -> bool {
    let foreign = |byte: u8| !(byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let reserved = ["sql.db", "."].iter().any(|start| name.starts_with(start));
    let bad = reserved
        || ["config.encrypted", "cert-rotation.state"].contains(&name)
        || name == "pkey.pem"
        || name.rsplit_once('.').is_some_and(|(_, end)| end == "tmp");
    (1..=100).contains(&name.len()) && !bad && !name.bytes().any(foreign)
}

proptest! {
    /// Names of every sort, many near the rule's edges; both outcomes come up often.
    #[test]
    fn arbitrary_names(
        name in "(?s).{0,8}|[A-Za-z0-9._-]{1,8}|[a-z]{98,102}|[a-z./]{0,6}|(sql|pkey|a)[.-](db|pem|tmp)[.a-z-]{0,4}",
    ) {
        prop_assert_eq!(FileName::parse(&name).is_ok(), may_be_used(&name), "{:?}", name);
    }
}
