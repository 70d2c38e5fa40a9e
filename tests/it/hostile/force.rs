//! `--force` on a device that is registered, while its successor does not come about for reasons
//! other than the answer: the old registration stays as it was, byte for byte.

use std::fs;

use lmp_test_support::answers::{self, Backend};
use lmp_test_support::board::{Board, JOURNAL, Snapshot};
use lmp_test_support::scripted::{Answer, ScriptedServer};

/// A registered board whose update client has run, and everything in its directory.
pub(super) fn registered_board() -> (Board, Snapshot) {
    let board = answers::registered_board();
    fs::write(board.file("sql.db"), "the update client's\0").unwrap();
    fs::create_dir(board.file("compose-apps")).unwrap();
    fs::write(board.file("compose-apps/app"), "an app").unwrap();
    let before = board.snapshot();
    (board, before)
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
