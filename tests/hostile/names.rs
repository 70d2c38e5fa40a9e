//! File names in an answer that lead somewhere else.

use std::fs;

use super::common::answers::Backend;
use super::common::board::Board;
use super::common::scripted::{Answer, ScriptedServer};
use super::{JOURNAL, rejected};

#[test]
fn names_that_no_file_may_have() {
    for name in [
        "../evil",
        "/etc/evil",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        ".registration",
        "nul\0cut",
        "client.pem\0.txt",
        "pkey.pem",
        "sql.db",
        "sql.db-wal",
        "sql.db-journal",
        "line\nbreak",
        "space bar",
        "bell\u{7}",
        "ünicode",
        "back\\slash",
        "c:evil",
        "client.pem.tmp",
        "~root",
        "$HOME",
        "*",
    ] {
        let backend = Backend::new();
        rejected(
            move |request| {
                let mut files = backend.files(request);
                files.insert(name.into(), "evil".into());
                Answer::json(201, &files)
            },
            &["which is no name it may use"],
        );
    }
    let backend = Backend::new();
    rejected(
        move |request| {
            let mut files = backend.files(request);
            files.insert("x".repeat(5000), "evil".into());
            Answer::json(201, &files)
        },
        &["which is no name it may use"],
    );
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

/// What a hostile name looks like reaches the terminal escaped; the runner of every test checks
/// that no control character is printed.
#[test]
fn a_name_that_would_paint_the_terminal_is_shown_escaped() {
    let backend = Backend::new();
    rejected(
        move |request| {
            let mut files = backend.files(request);
            files.insert("\u{1b}[2J\u{9b}31m\u{202e}".into(), "evil".into());
            Answer::json(201, &files)
        },
        &["\\u{1b}[2J"],
    );
}
