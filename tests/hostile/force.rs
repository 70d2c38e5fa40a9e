//! `--force` on a device that is registered, while its successor does not come about: the old
//! registration stays as it was, byte for byte.

use std::fs;

use super::JOURNAL;
use super::common::answers::Backend;
use super::common::board::{Board, Snapshot};
use super::common::scripted::{Answer, Request, ScriptedServer};

/// A registered board whose update client has run, and everything in its directory.
fn registered_board() -> (Board, Snapshot) {
    let board = Board::new();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| backend.signed(request));
    board.register(&server.url(), [""; 0]).expect(0);
    fs::write(board.file("sql.db"), "the update client's\0").unwrap();
    fs::create_dir(board.file("compose-apps")).unwrap();
    fs::write(board.file("compose-apps/app"), "an app").unwrap();
    let before = board.snapshot();
    (board, before)
}

/// Forces against a backend that answers so. The journal may stay only where the backend may know
/// the successor.
#[track_caller]
fn fails(
    script: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    code: i32,
    backend_may_know: bool,
) {
    let (board, before) = registered_board();
    let server = ScriptedServer::new(script);
    let limits = [
        "--force",
        "--connect-timeout=1",
        "--read-timeout=1",
        "--request-timeout=2",
    ];
    let run = board.register(&server.url(), limits).expect(code);
    assert_eq!(board.snapshot_of_files(), before, "{run}");
    assert_eq!(board.file(JOURNAL).exists(), backend_may_know, "{run}");
    board.check(["--offline"]).expect(0);
}

#[test]
fn the_backend_refuses() {
    for (status, code) in [
        (400, 76),
        (401, 77),
        (403, 77),
        (404, 76),
        (409, 76),
        (302, 76),
    ] {
        fails(move |_| Answer::whole(status, b"no"), code, false);
    }
    fails(|_| Answer::whole(429, b"slow down"), 75, false);
}

#[test]
fn the_backend_fails() {
    for status in [500, 502, 503] {
        fails(move |_| Answer::whole(status, b"oops"), 75, true);
    }
    fails(|_| Answer::Close(Vec::new()), 75, true);
    fails(|_| Answer::Hang, 75, true);
}

#[test]
fn the_answer_is_no_good() {
    fails(|_| Answer::whole(201, b"{}"), 65, true);
    fails(|_| Answer::whole(201, b"<html></html>"), 65, true);
    fails(|_| Answer::whole(200, b"{}"), 65, true);
    let backend = Backend::new();
    fails(
        move |request| {
            let certificate = backend.certificate_of_another_key(request);
            Answer::json(201, &backend.files_with(request, &certificate))
        },
        65,
        true,
    );
}

#[test]
fn nobody_listens() {
    let (board, before) = registered_board();
    let server = ScriptedServer::always(Answer::Hang);
    let url = server.url();
    drop(server);
    board.register(&url, ["--force"]).expect(75);
    assert_eq!(board.snapshot(), before);
}

#[test]
fn the_configuration_is_wrong() {
    let (board, before) = registered_board();
    let server = ScriptedServer::always(Answer::Hang);
    for arguments in [
        &["--force", "-f", "lmp"][..],
        &["--force", "-u", "nonsense"],
        &["--force", "-m", "/usr/lib/nonexistent.so"],
    ] {
        board.register(&server.url(), arguments).expect(78);
        assert_eq!(board.snapshot(), before, "{arguments:?}");
    }
    board
        .register(&server.url(), ["--force", "--nonsense"])
        .expect(64);
    assert_eq!(board.snapshot(), before);
    assert_eq!(server.connections(), 0);
}

/// After a failure the next forced run finishes the successor that was begun.
#[test]
fn the_next_run_replaces_it_after_all() {
    let (board, before) = registered_board();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::whole(503, b"later"),
        _ => backend.signed(request),
    });
    board.register(&server.url(), ["--force"]).expect(75);
    assert_eq!(board.snapshot_of_files(), before);
    board.register(&server.url(), ["--force"]).expect(0);
    let requests = server.requests();
    assert_eq!(requests[0].body, requests[1].body);
    let after = board.snapshot();
    for name in ["pkey.pem", "client.pem", "client.chained"] {
        assert_ne!(after[name], before[name], "{name}");
    }
    assert!(!after.contains_key("sql.db"), "it names the old keys");
    assert_eq!(after["compose-apps/app"], before["compose-apps/app"]);
    assert!(!board.file(JOURNAL).exists());
    board.check(["--offline"]).expect(0);
}
