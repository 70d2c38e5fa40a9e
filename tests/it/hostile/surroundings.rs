//! What surrounds the agent: its token, its arguments, and the program that starts the update
//! client.

use std::fs;

use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::powerless;

/// Registers with this token, given in one of three ways; the backend must not be asked.
#[track_caller]
fn assert_token_refused(token: &str) {
    let server = ScriptedServer::always(Answer::whole(201, b"{}"));
    for option in ["-T", "--api-token"] {
        let board = Board::new();
        let mut command = board.local_command();
        command
            .env("DEVICE_API", server.url())
            .args([option, token]);
        let run = run(command)
            .expect(78)
            .says(&["the API token has a line break", "hint: "]);
        assert!(
            !run.stderr.contains("injected"),
            "no part of the token is shown: {run}"
        );
        assert!(board.names().is_empty());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_token_that_would_begin_another_header() {
    for token in [
        "a\r\nX-Injected: injected",
        "a\ninjected",
        "a\rinjected",
        "a\tb",
        "grün",
    ] {
        assert_token_refused(token);
    }
}

/// Of a file only the first line counts: the rest can neither spoil the token nor be sent.
#[test]
fn a_token_file_with_more_lines() {
    for text in [
        "tok-1\r\nX-Injected: injected\r\n",
        "tok-1\nmore\n",
        "tok-1",
        " tok-1 \n",
    ] {
        let (server, board) = (signing_server(), Board::new());
        fs::write(board.path("token"), text).unwrap();
        board.register(&server.url(), [""; 0]).expect(0);
        let request = server.only_request();
        assert_eq!(request.header("osf-token"), ["tok-1"]);
        assert!(request.header("x-injected").is_empty());
    }
}

#[test]
fn a_token_file_that_is_none() {
    for text in ["", "\n", "  \n", "\ntok-1\n"] {
        let board = Board::new();
        fs::write(board.path("token"), text).unwrap();
        board
            .register("http://127.0.0.1:1/", [""; 0])
            .expect(78)
            .says(&["is empty"]);
    }
    let board = Board::new();
    fs::remove_file(board.path("token")).unwrap();
    board
        .register("http://127.0.0.1:1/", [""; 0])
        .expect(78)
        .says(&["No such file"]);
    let board = Board::new();
    fs::write(board.path("token"), vec![b'x'; 10_000_000]).unwrap();
    board
        .register("http://127.0.0.1:1/", [""; 0])
        .expect(78)
        .says(&["larger than"]);
}

#[test]
fn a_header_name_that_is_none() {
    for name in ["", "a b", "X:Y", "X\r\nInjected", "grün"] {
        let board = Board::new();
        let run = board.register("http://127.0.0.1:1/", ["-H", name]);
        run.expect(78).says(&[
            "is no name of an HTTP header",
            "hint: give --api-token-header",
        ]);
    }
}

/// Registers a board and starts its update client, with `systemctl` as it is there.
fn start_daemon(board: &Board, arguments: &[&str]) -> Run {
    let server = signing_server();
    let mut command = board.command(&server.url());
    command.args(["--retry-for", "0"]).args(arguments);
    let run = run(command);
    board.check(["--offline"]).expect(0);
    run
}

/// The device is registered, whatever becomes of its update client.
#[test]
fn no_systemctl() {
    let run = start_daemon(&Board::new(), &[]).expect(0);
    let run = run.says(&[
        "warning: systemctl could not be run",
        "systemctl start aktualizr-lite",
    ]);
    assert!(run.stdout.contains("Device is now registered."), "{run}");
    let json = start_daemon(&Board::new(), &["--json"]).expect(0).json();
    assert_eq!(json["registered"], true);
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1, "{json}");
}

#[test]
fn a_systemctl_that_fails() {
    for script in [
        "#!/bin/sh\nexit 5\n",
        "#!/bin/sh\nkill -9 $$\n",
        "#!/nonexistent\n",
        "\0",
    ] {
        let board = Board::new();
        board.install_program("systemctl", script);
        let run = start_daemon(&board, &[]).expect(0);
        run.says(&[
            "warning: systemctl could not",
            "systemctl start aktualizr-lite",
        ]);
    }
}

/// What systemctl says on standard output must not spoil the JSON there.
#[test]
fn a_systemctl_that_works() {
    let board = Board::new();
    let log = board.path("systemctl.log");
    let script = format!("#!/bin/sh\necho noise\necho \"$@\" >>{}\n", log.display());
    board.install_program("systemctl", &script);
    let run = start_daemon(&board, &["--json"]).expect(0);
    assert_eq!(run.json()["warnings"], serde_json::json!([]));
    assert_eq!(fs::read_to_string(&log).unwrap(), "start aktualizr-lite\n");

    let board = Board::new();
    board.install_program("systemctl", &script);
    start_daemon(&board, &["--start-daemon", "0"]).expect(0);
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        "start aktualizr-lite\n",
        "not again"
    );
}

/// A proxy's password, a PIN and the like stay here: what we start gets its PATH, nothing else.
#[test]
fn the_environment_of_systemctl() {
    let (server, board) = (signing_server(), Board::new());
    let log = board.path("systemctl.log");
    let script = format!("#!/bin/sh\nexec /usr/bin/env >{}\n", log.display());
    board.install_program("systemctl", &script);
    let mut command = board.command(&server.url());
    command.env("https_proxy", "http://user:passw0rd@127.0.0.1:1");
    command.env("no_proxy", "*").args(["--retry-for", "0"]);
    run(command).expect(0);
    let said = fs::read_to_string(log).unwrap();
    let of_the_shell = |line: &&str| {
        !["PWD=", "SHLVL=", "_="]
            .iter()
            .any(|own| line.starts_with(own))
    };
    let variables: Vec<&str> = said.lines().filter(of_the_shell).collect();
    assert_eq!(variables, [format!("PATH={}", board.path("bin").display())]);
}

/// Other processes of the same user do not see into the agent; its children are as any other.
#[test]
fn nobody_looks_into_its_memory() {
    let (server, board) = (signing_server(), Board::new());
    let (agents, own) = (board.path("agents"), board.path("own"));
    let script = format!(
        "#!/bin/sh\n/bin/cat /proc/$PPID/environ >{agents:?} 2>&1\n/bin/cat /proc/$$/environ >{own:?}\n"
    );
    board.install_program("systemctl", &script);
    let mut command = board.command(&server.url());
    command.args(["--retry-for", "0"]);
    run(powerless(&command, "0")).expect(0);
    let agents = fs::read_to_string(agents).unwrap();
    assert!(agents.contains("Permission denied"), "{agents:?}");
    assert!(fs::read_to_string(own).unwrap().contains("PATH="));
}

/// An update client is not started for a device that is not registered.
#[test]
fn a_failure_starts_nothing() {
    let board = Board::new();
    let log = board.path("systemctl.log");
    board.install_program(
        "systemctl",
        &format!("#!/bin/sh\necho >>{}\n", log.display()),
    );
    let server = ScriptedServer::always(Answer::whole(201, b"{}"));
    let mut command = board.command(&server.url());
    command.args(["--retry-for", "0"]);
    run(command).expect(65);
    assert!(!log.exists());
}

/// An os-release that is odd is read as far as it goes; one that was asked for must be there.
#[test]
fn an_odd_os_release() {
    let board = Board::new();
    fs::write(
        board.path("os-release"),
        "\0\n===\nLMP_FACTORY=acme\n\u{1b}[31m\n",
    )
    .unwrap();
    let run = board.register("http://127.0.0.1:1/", [""; 0]);
    run.expect(78).says(&["no hardware id is set", "--hwid"]);
    fs::remove_file(board.path("os-release")).unwrap();
    let run = board.register("http://127.0.0.1:1/", [""; 0]);
    run.expect(78).says(&["os-release", "No such file"]);
    fs::write(board.path("os-release"), b"LMP_FACTORY=\xff\n").unwrap();
    board
        .register("http://127.0.0.1:1/", [""; 0])
        .expect(78)
        .says(&["is not UTF-8"]);
}
