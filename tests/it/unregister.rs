//! `unregister`: what a registration made goes, and everything else stays.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use lmp_test_support::answers::{registered_board, signing_server};
use lmp_test_support::board::{Board, FILES, JOURNAL, Run, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::rotation::uuid;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::{Holder, under};
use lmp_test_support::watched::Watched;

/// The update client's database makes a device count as registered.
const DATABASE: [&str; 4] = ["sql.db", "sql.db-journal", "sql.db-shm", "sql.db-wal"];
/// What other programs keep beside a registration.
const FOREIGN: [&str; 6] = [
    "compose-apps/app-1/docker-compose.yml",
    "reset-apps/app-1.tgz",
    "z-50-fioctl.toml",
    "current-target",
    "client.pem.bak",
    ".hidden",
];

fn command(board: &Board, arguments: &[&str]) -> Command {
    let mut command = board.bare_command();
    command
        .arg("unregister")
        .arg("--sota-dir")
        .arg(board.sota());
    command.arg("--update-client-lock").arg(board.lock());
    command.args(arguments);
    command
}

fn unregister(board: &Board, arguments: &[&str]) -> Run {
    run(command(board, arguments))
}

#[test]
fn exactly_what_a_registration_made() {
    let board = registered_board();
    for name in FOREIGN {
        let path = board.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    let mut rest = board.snapshot();
    rest.retain(|name, _| !FILES.contains(&name.as_str()));
    for name in DATABASE {
        fs::write(board.file(name), "x").unwrap();
    }
    let device = uuid(&board);
    let run = unregister(&board, &["--yes"]).expect(0);
    assert_eq!(board.snapshot(), rest);
    let line = format!("  device: {device} (delete it on the backend)\n");
    assert!(run.stdout.contains(&line), "{run}");
    for name in FILES.iter().chain(&DATABASE) {
        let line = format!("  file: {}\n", board.file(name).display());
        assert!(run.stdout.contains(&line), "{name} is not in {run}");
    }
    assert_eq!(run.stderr, "");
    // Without a certificate that says which one it was.
    fs::write(board.file("client.pem"), "x").unwrap();
    let run = unregister(&board, &["--yes"]).expect(0);
    assert!(run.stdout.contains("delete the device on the"), "{run}");
}

#[test]
fn again_and_where_nothing_is() {
    let board = registered_board();
    let first = unregister(&board, &["--yes", "--json"]).expect(0).json();
    assert_eq!(first["registered"], false);
    assert_eq!(first["removed"].as_array().unwrap().len(), 5);
    for arguments in [&["--yes", "--json"][..], &["--json"]] {
        let again = unregister(&board, arguments).expect(0).json();
        assert_eq!(again["removed"], serde_json::json!([]));
    }
    let run = unregister(&board, &[]).expect(0);
    assert_eq!(run.stdout, "This device is not registered.\n");
    fs::remove_dir(board.sota()).unwrap();
    unregister(&board, &["--yes"])
        .expect(73)
        .says(&["No such file", "hint: give --sota-dir DIR"]);
}

/// As another device, at a backend that checks it.
#[test]
fn a_new_registration_works_afterwards() {
    let (factory, board) = (Factory::new(), Board::new());
    factory.register(&board, &[]).expect(0);
    unregister(&board, &["--yes"]).expect(0);
    factory.register(&board, &[]).expect(0);
    board.check([""; 0]).expect(0);
    assert_eq!(factory.server.devices().unwrap().len(), 2);
}

/// A registration that was interrupted is given up, also one that nobody can read.
#[test]
fn a_journal() {
    let interrupted = || {
        let board = Board::new();
        let server = ScriptedServer::always(Answer::Close(Vec::new()));
        board.register(&server.url(), [""; 0]).expect(75);
        assert_eq!(board.names(), [JOURNAL]);
        board
    };
    let planted = |board: &Board| {
        let path = board.file(JOURNAL);
        fs::remove_file(&path).unwrap();
        path
    };
    let spoil: [&dyn Fn(&Board); 6] = [
        &|_| {},
        &|board| fs::write(board.file(JOURNAL), "{").unwrap(),
        &|board| {
            let folder = planted(board);
            fs::create_dir_all(folder.join("deep")).unwrap();
            fs::write(folder.join("deep/stray.tmp"), "x").unwrap();
        },
        &|board| symlink("/etc/passwd", planted(board)).unwrap(),
        &|board| drop(UnixListener::bind(planted(board)).unwrap()),
        // The journal of version 0.1.0, damaged.
        &|board| {
            fs::create_dir(board.file(".registration")).unwrap();
            fs::write(board.file(".registration/state.json"), "{").unwrap();
        },
    ];
    for spoil in spoil {
        let board = interrupted();
        spoil(&board);
        let run = unregister(&board, &["--yes"]).expect(0);
        assert!(board.names().is_empty(), "{run}");
        assert!(run.stdout.contains(JOURNAL), "{run}");
        assert!(run.stdout.contains("The registration is removed"), "{run}");
        board.register(&signing_server().url(), [""; 0]).expect(0);
    }
}

/// `--force` was interrupted: both registrations go.
#[test]
fn a_journal_beside_a_registration() {
    let board = registered_board();
    let server = ScriptedServer::always(Answer::Close(Vec::new()));
    board.register(&server.url(), ["--force"]).expect(75);
    assert!(board.names().contains(&JOURNAL.to_owned()));
    let begun = server.only_request().json()["uuid"].clone();
    let device = uuid(&board);
    let json = unregister(&board, &["--yes", "--json"]).expect(0).json();
    assert_eq!(json["uuid"], device);
    assert_eq!(json["orphans"], serde_json::json!([begun]));
    assert!(board.names().is_empty());
}

#[test]
fn a_person_is_asked() {
    for (answer, stays) in [
        ("y", false),
        ("YES", false),
        ("n", true),
        ("", true),
        ("yeah", true),
    ] {
        let board = registered_board();
        let before = board.snapshot();
        let mut asked = Watched::on_terminal(command(&board, &[]), 80);
        let shown = asked.wait_for("Remove it? [y/N] ");
        assert!(FILES.iter().all(|name| shown.contains(name)), "{shown}");
        assert_eq!(board.snapshot(), before, "before the answer");
        asked.enter(answer);
        let ended = asked.end().expect(0);
        if stays {
            ended.says(&["The registration stays as it is."]);
            assert_eq!(board.snapshot(), before);
        } else {
            assert!(board.names().is_empty());
        }
    }
}

/// The end of input is no consent.
#[test]
fn a_person_who_leaves() {
    let board = registered_board();
    let mut asked = Watched::on_terminal(command(&board, &[]), 80);
    asked.wait_for("Remove it? [y/N] ");
    // Control-D on an empty line.
    asked.press("\u{4}");
    asked.end().expect(0);
    assert_eq!(board.names(), FILES);
}

#[test]
fn nobody_is_there_to_be_asked() {
    let board = registered_board();
    let run = unregister(&board, &[]).expect(64);
    run.says(&["nobody is there to be asked", "hint: give --yes"]);
    assert_eq!(board.names(), FILES);
}

#[test]
fn while_the_update_client_runs() {
    for call in ["flock", "lockf"] {
        let board = registered_board();
        let before = board.snapshot();
        let holder = Holder::lock(&board.lock(), call);
        let run = unregister(&board, &["--yes"]).expect(11);
        run.says(&[
            "the update client is running",
            "hint: stop it first: systemctl stop",
        ]);
        assert_eq!(board.snapshot(), before);
        drop(holder);
        unregister(&board, &["--yes"]).expect(0);
    }
}

#[test]
fn while_a_registration_runs() {
    let board = registered_board();
    let holder = Holder::lock_directory(board.sota());
    unregister(&board, &["--yes"])
        .expect(11)
        .says(&["a registration is running"]);
    assert_eq!(board.names(), FILES);
    drop(holder);
}

/// Killed before each of its removals in turn: the next run finishes, and what is not ours stays.
#[test]
fn killed_half_way() {
    let prepared = || {
        let board = registered_board();
        let server = ScriptedServer::always(Answer::Close(Vec::new()));
        board.register(&server.url(), ["--force"]).expect(75);
        fs::write(board.file("sql.db"), "x").unwrap();
        fs::write(board.file("z-50-fioctl.toml"), "x").unwrap();
        board
    };
    let mut points = 0;
    loop {
        let board = prepared();
        let kill = format!("inject=unlinkat:signal=KILL:when={}", points + 1);
        let strace = ["-f", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", &kill];
        let agent = command(&board, &["--yes"]);
        let run = run(under("/usr/bin/strace", strace, &agent));
        if run.code == Some(0) {
            break;
        }
        points += 1;
        let left = board.names();
        assert!(
            left.contains(&"sota.toml".to_owned()) || left.len() == 1,
            "sota.toml goes last: {left:?}"
        );
        unregister(&board, &["--yes"]).expect(0);
        assert_eq!(board.names(), ["z-50-fioctl.toml"]);
    }
    // Five files, the database, and a journal with state, key and directory.
    assert!(points >= 9, "{points} points");
}
