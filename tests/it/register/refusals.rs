//! When not to register: the device is registered already, its update client runs, or another
//! registration does. Nothing is left in the directory, and the backend is not asked.

use std::fs;
use std::sync::{Arc, Mutex, mpsc};

use lmp_test_support::answers::{Backend, registered_board};
use lmp_test_support::board::{Board, FILES, start};
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::Holder;

/// A server that nobody should ask.
fn unasked() -> ScriptedServer {
    ScriptedServer::always(Answer::whole(500, b"nobody should ask me"))
}

#[test]
fn registered_already() {
    for name in ["client.pem", "sql.db"] {
        let server = unasked();
        let board = Board::new();
        fs::write(board.file(name), "whatever").unwrap();
        let before = board.snapshot();
        let run = board.register(&server.url(), [""; 0]).expect(10);
        run.says(&["this device is registered", name, "hint: give --force"]);
        let json = board.register(&server.url(), ["--json"]).expect(10).json();
        assert_eq!(json["error"], "already-registered");
        assert_eq!(json["exit_code"], 10);
        assert_eq!(board.snapshot(), before);
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn registered_by_us() {
    let (factory, board) = (Factory::plain(), Board::new());
    factory.register(&board, &[]).expect(0);
    let before = board.snapshot();
    factory.register(&board, &[]).expect(10);
    factory.register(&board, &["--force", "0"]).expect(10);
    assert_eq!(board.snapshot(), before);
    assert_eq!(factory.server.devices().unwrap().len(), 1);
}

/// Other files are no registration.
#[test]
fn what_is_no_registration() {
    let (factory, board) = (Factory::plain(), Board::new());
    for name in [
        "root.crt",
        "pkey.pem",
        "client.chained",
        "sota.toml",
        "sql.db.backup",
    ] {
        fs::write(board.file(name), "left over").unwrap();
    }
    factory.register(&board, &[]).expect(0);
    board.check([""; 0]).expect(0);
}

/// aktualizr-lite locks with flock, its older versions with fcntl.
#[test]
fn the_update_client_runs() {
    for call in ["flock", "lockf"] {
        let server = unasked();
        let board = Board::new();
        let holder = Holder::lock(&board.lock(), call);
        for arguments in [&[][..], &["--force"]] {
            let run = board.register(&server.url(), arguments.iter()).expect(11);
            run.says(&[
                "the update client is running",
                "systemctl stop aktualizr-lite",
            ]);
        }
        assert!(board.names().is_empty());
        assert_eq!(server.connections(), 0);
        drop(holder);
        // The file is there still; nobody holds it any more.
        board.register(&server.url(), [""; 0]).expect(75);
        assert_eq!(server.connections(), 1);
    }
}

/// Two devices must not come of one board: the second run is refused while the first one waits for
/// its answer, and the first one is not disturbed.
#[test]
fn another_registration_runs() {
    let backend = Backend::new();
    let (asked, was_asked) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = Arc::new(Mutex::new(may_go_on));
    let server = ScriptedServer::new(move |request| {
        asked.send(()).unwrap();
        may_go_on.lock().unwrap().recv().unwrap();
        backend.signed(request)
    });
    let board = Board::new();
    let mut command = board.command(&server.url());
    command.args(["--start-daemon=0", "--retry-for=0"]);
    let first = start(command);
    was_asked.recv().unwrap();
    let during = board.snapshot();
    for arguments in [&[][..], &["--force"]] {
        let second = board.register(&server.url(), arguments.iter()).expect(11);
        second.says(&["another registration is running"]);
    }
    assert_eq!(board.snapshot(), during);
    go_on.send(()).unwrap();
    first.end().expect(0);
    assert_eq!(board.names(), FILES);
    assert_eq!(server.requests().len(), 1);
}

/// What is wrong is found before anything is made, and before the backend is asked.
#[test]
fn wrong_settings() {
    let server = unasked();
    let board = Board::new();
    for (arguments, words) in [
        (&["-f", "lmp"][..], "factory"),
        (&["-f", ""], "factory"),
        (&["-f", &"x".repeat(65)], "at most 64"),
        (&["-u", "nonsense"], "--validate-uuid 0"),
        (&["-t", ""], "--tags"),
        (&["-P", "1234"], "--hsm-module"),
    ] {
        board
            .register(&server.url(), arguments)
            .expect(78)
            .says(&[words]);
        assert!(board.names().is_empty(), "{arguments:?}");
    }
    for (variable, value) in [
        ("PRODUCTION", "0"),
        ("PRODUCTION", ""),
        ("DEVICE_FACTORY", "lmp"),
    ] {
        let mut command = board.command(&server.url());
        command.env(variable, value);
        lmp_test_support::board::run(command)
            .expect(78)
            .says(&[value, "hint: "]);
    }
    for url in [
        "",
        "nonsense",
        "ftp://a.example/",
        "https://user:hunter2@a.example/",
    ] {
        let run = board
            .register(url, [""; 0])
            .expect(78)
            .says(&["DEVICE_API", "hint: "]);
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
    assert!(board.names().is_empty());
    assert_eq!(server.connections(), 0);
}

/// The update client was started while the backend was asked: nothing that it uses is changed, and
/// what came waits.
#[test]
fn an_update_client_that_starts_meanwhile() {
    let board = registered_board();
    fs::write(board.file("sql.db"), "in use").unwrap();
    let before = board.snapshot();
    let (backend, lock) = (Backend::new(), board.lock());
    let client = Arc::new(Mutex::new(None));
    let started = Arc::clone(&client);
    let server = ScriptedServer::new(move |request| {
        *started.lock().unwrap() = Some(Holder::lock(&lock, "flock"));
        backend.signed(request)
    });
    board
        .register(&server.url(), ["--force"])
        .expect(11)
        .says(&["the update client is running", "systemctl stop"]);
    assert_eq!(board.snapshot_of_files(), before);
    *client.lock().unwrap() = None;
    board.register(&server.url(), [""; 0]).expect(0);
    assert_eq!(server.requests().len(), 1, "what came is installed");
    assert!(!board.names().contains(&"sql.db".to_owned()));
    board.check(["--offline"]).expect(0);
}

/// What `make software-only` builds never takes a software key for one on a token.
#[test]
#[cfg(not(feature = "pkcs11"))]
fn a_build_without_tokens_says_so() {
    let board = Board::new();
    let options = ["-m", "/usr/lib/softhsm/libsofthsm2.so", "-P", "87654321"];
    let run = board.register("http://127.0.0.1:9/", options).expect(78);
    run.says(&["this program was built without PKCS#11"]);
    assert!(board.names().is_empty());
}
