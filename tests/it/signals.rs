//! A signal ends the agent at once, by that signal, and the next run goes on where it stopped.

use std::fs::OpenOptions;
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};

use lmp_test_support::answers::{Backend, invitation};
use lmp_test_support::board::{Board, JOURNAL, run};
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::tool;
use lmp_test_support::watched::Watched;
use rustix::process::Signal;
use serde_json::json;

const SIGNALS: [Signal; 3] = [Signal::INT, Signal::TERM, Signal::HUP];

/// A registration that would try again for longer than any test.
fn patient(board: &Board, server: &ScriptedServer) -> Command {
    let mut command = board.command(&server.url());
    command.args(["--start-daemon", "0", "--retry-for", "3600"]);
    command
}

/// The device that was asked for before the signal, and no other, is registered by the next run.
#[track_caller]
fn resume(board: &Board, server: &ScriptedServer) {
    run(patient(board, server)).expect(0);
    board.check(["--offline"]).expect(0);
    let requests = server.requests();
    let bodies: Vec<_> = requests.iter().map(|request| &request.body).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1], "the same UUID, key and CSR");
    assert!(!board.names().contains(&JOURNAL.to_owned()));
}

#[test]
fn while_it_waits_for_the_backend() {
    for signal in SIGNALS {
        let (backend, board) = (Backend::new(), Board::new());
        let (asked, was_asked) = mpsc::channel();
        let server = ScriptedServer::new(move |request| {
            asked.send(()).unwrap();
            if request.number == 0 {
                Answer::Hang
            } else {
                backend.signed(request)
            }
        });
        let run = Watched::piped(patient(&board, &server));
        was_asked.recv().unwrap();
        run.die_of(signal);
        assert_eq!(board.names(), [JOURNAL]);
        resume(&board, &server);
    }
}

#[test]
fn between_two_attempts() {
    for signal in SIGNALS {
        let (backend, board) = (Backend::new(), Board::new());
        let server = ScriptedServer::new(move |request| {
            if request.number == 0 {
                Answer::with_headers(503, &[("Retry-After", "1800")], b"")
            } else {
                backend.signed(request)
            }
        });
        let run = Watched::piped(patient(&board, &server));
        run.wait_for("trying again in 18");
        run.die_of(signal);
        resume(&board, &server);
    }
}

/// Nothing was begun, so nothing is left.
#[test]
fn while_it_waits_for_approval() {
    for signal in SIGNALS {
        let (backend, board) = (Backend::new(), Board::new());
        let approved = Arc::new(Mutex::new(false));
        let decision = Arc::clone(&approved);
        let server = ScriptedServer::new(move |request| match request.target.as_str() {
            "/oauth/authorization/device/" => Answer::json(200, &invitation()),
            "/oauth/token/" if *decision.lock().unwrap() => {
                Answer::json(200, &json!({ "access_token": "t" }))
            }
            "/oauth/token/" => Answer::json(400, &json!({ "error": "authorization_pending" })),
            _ => backend.signed(request),
        });
        let command = || {
            let mut command = board.local_command();
            command.env("DEVICE_API", server.url());
            command.env("OAUTH_BASE", format!("http://{}/oauth", server.address()));
            command.args(["--start-daemon", "0"]);
            command
        };
        let waiting = Watched::piped(command());
        waiting.wait_for("WDJB-MJHT");
        waiting.die_of(signal);
        assert!(board.names().is_empty());
        *approved.lock().unwrap() = true;
        run(command()).expect(0);
        board.check(["--offline"]).expect(0);
    }
}

/// The device is registered: nothing may undo that any more.
#[test]
fn while_the_update_client_starts() {
    for signal in SIGNALS {
        let (backend, board) = (Backend::new(), Board::new());
        let server = ScriptedServer::new(move |request| backend.signed(request));
        // systemctl reads the pipe until this test closes it.
        let pipe = board.path("pipe");
        tool("mkfifo", [&pipe]);
        let script = format!("#!/bin/sh\nread -r word <{}\n", pipe.display());
        board.install_program("systemctl", &script);
        let run = Watched::piped(board.command(&server.url()));
        let systemctl = OpenOptions::new().write(true).open(&pipe).unwrap();
        let before = board.snapshot();
        // systemctl outlives the agent and holds its standard error until the pipe is closed.
        let close = move || drop(systemctl);
        run.die_of_and(signal, close);
        assert_eq!(board.snapshot(), before);
        assert!(before.contains_key("sota.toml") && !before.contains_key(JOURNAL));
        board.check(["--offline"]).expect(0);
    }
}
