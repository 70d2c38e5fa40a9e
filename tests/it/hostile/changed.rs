//! Nothing that is changed after an interrupted run is a dead end: for every place where it can be cut
//! off and every setting that can change, the next run ends registered, and names a device that the
//! backend may hold and nobody uses.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, JOURNAL, run};
use lmp_test_support::pki::printable_subject;
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use serde_json::Value;

/// Where the first run is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// Nobody listens: surely nothing arrived.
    Refused,
    /// The request was sent, and the connection broke.
    Sent,
    /// The answer is in the journal, and nothing is installed.
    Received,
    /// All but `sota.toml` is installed.
    HalfInstalled,
    /// `sota.toml` is there, and the journal too.
    Installed,
}

const CUTS: [Cut; 5] = [
    Cut::Refused,
    Cut::Sent,
    Cut::Received,
    Cut::HalfInstalled,
    Cut::Installed,
];

const FIRST: &str = "67e67bf8-6f72-481d-a05e-bcf2784dd584";
const OTHER: &str = "11111111-1111-4111-8111-111111111111";

/// What changes before the second run, and whether it makes another device of it.
const CHANGES: [(&[&str], bool); 14] = [
    (&[], false),
    (&["--name", "other"], false),
    (&["--tags", "other"], false),
    (&["--apps", "other"], false),
    (&["--restorable-apps", "other"], false),
    (&["--device-group", "other"], false),
    (&["--hwid", "other"], false),
    (&["--use-ostree-server", "0"], false),
    (&["--force"], false),
    (&["--uuid", OTHER], true),
    (&["--factory", "other"], true),
    (&["--production"], true),
    (&["--uuid", OTHER, "--force"], true),
    // Another address of the same backend.
    (&["URL"], true),
];

/// A board whose first run was cut off there, and the backend.
fn interrupted(cut: Cut) -> (Board, ScriptedServer, Arc<AtomicBool>) {
    let (board, backend) = (Board::new(), Backend::new());
    let other_factory = Arc::new(AtomicBool::new(false));
    let asked_for = Arc::clone(&other_factory);
    let server = ScriptedServer::new(move |request: &Request| match request.number {
        0 if cut == Cut::Sent => Answer::Close(Vec::new()),
        _ => {
            let uuid = request.json()["uuid"].as_str().unwrap().to_owned();
            let factory = if asked_for.load(Ordering::Relaxed) {
                "other"
            } else {
                "acme"
            };
            let certificate = backend.certificate(request, |params| {
                params.distinguished_name = printable_subject(&uuid, factory);
            });
            Answer::json(201, &backend.files_with(request, &certificate))
        }
    });
    let words = ["--uuid", FIRST, "--name", "first"];
    match cut {
        Cut::Refused => drop(board.register("http://127.0.0.1:1/", words).expect(75)),
        Cut::Sent => drop(board.register(&server.url(), words).expect(75)),
        Cut::Received | Cut::HalfInstalled | Cut::Installed => {
            // What cannot be replaced stands where the first file is written.
            fs::create_dir_all(board.file("pkey.pem.tmp/x")).unwrap();
            board.register(&server.url(), words).expect(73);
            fs::remove_dir_all(board.file("pkey.pem.tmp")).unwrap();
            if cut != Cut::Received {
                let journal = fs::read(board.file(JOURNAL)).unwrap();
                board.register(&server.url(), words).expect(0);
                fs::write(board.file(JOURNAL), journal).unwrap();
            }
            if cut == Cut::HalfInstalled {
                fs::remove_file(board.file("sota.toml")).unwrap();
                fs::remove_file(board.file("root.crt")).unwrap();
            }
        }
    }
    (board, server, other_factory)
}

/// The second run, with `--json`.
fn again(board: &Board, server: &ScriptedServer, change: &[&str]) -> Value {
    let mut url = server.url();
    let mut words = vec![
        "--name",
        "first",
        "--start-daemon",
        "0",
        "--retry-for",
        "0",
        "--json",
    ];
    if change == ["URL"] {
        url = url.replace("127.0.0.1", "localhost");
    } else {
        words.extend(change);
        // The last word counts, as if it had been typed alone.
        if change.contains(&"--name") {
            words.drain(..2);
        }
    }
    let mut command = board.command(&url);
    command.args(words);
    run(command).expect(0).json()
}

#[test]
fn nothing_is_a_dead_end() {
    for cut in CUTS {
        for (change, is_another) in CHANGES {
            let (board, server, other_factory) = interrupted(cut);
            other_factory.store(change.contains(&"--factory"), Ordering::Relaxed);
            let result = again(&board, &server, change);
            let what = format!("{cut:?}, then {change:?}: {result}");
            let is_forced = change.contains(&"--force");
            // Who says nothing of the UUID means the one that was begun with, if it may be known.
            let asked: Vec<Value> = server.requests().iter().map(Request::json).collect();
            let is_kept = match cut {
                Cut::Refused => false,
                Cut::Installed => !is_another || !is_forced,
                _ => !is_another,
            };
            if is_kept {
                assert_eq!(result["uuid"], FIRST, "{what}");
                assert_eq!(result["orphans"], serde_json::json!([]), "{what}");
            } else {
                assert_ne!(result["uuid"], FIRST, "{what}");
                // A registration that was complete is no orphan: it was replaced.
                let may_be_known = !matches!(cut, Cut::Refused | Cut::Installed);
                let orphans = if may_be_known { vec![FIRST] } else { vec![] };
                assert_eq!(result["orphans"], serde_json::json!(orphans), "{what}");
            }
            // What only the request says is asked for as it is now, with the same key.
            if cut == Cut::Sent && is_kept {
                assert_eq!(asked.len(), 2, "{what}");
                assert_eq!(asked[0]["csr"], asked[1]["csr"], "{what}");
                assert_eq!(
                    asked[0] == asked[1],
                    change.is_empty() || is_forced,
                    "{what}"
                );
            }
            board.check(["--offline"]).expect(0);
            assert!(!board.names().contains(&JOURNAL.to_owned()), "{what}");
        }
    }
}

/// An orphan is remembered by runs that end without a registration, and half of one counts as none.
#[test]
fn an_orphan_is_named_by_the_run_that_ends_registered() {
    for cut in [Cut::Sent, Cut::HalfInstalled] {
        let (board, server, _) = interrupted(cut);
        let refusing = ScriptedServer::always(Answer::whole(403, b""));
        board
            .register(&refusing.url(), ["--uuid", OTHER])
            .expect(77)
            .says(&[FIRST]);
        let orphans = &again(&board, &server, &[])["orphans"];
        assert_eq!(*orphans, serde_json::json!([FIRST]), "{cut:?}");
    }
}
