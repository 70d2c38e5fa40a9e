//! What a person and a script read.

use lmp_test_support::answers::{Backend, signing_server};
use lmp_test_support::board::{Board, FILES, TOKEN, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::under;

#[test]
fn one_json_object() {
    let (factory, board) = (Factory::new(), Board::new());
    let run = factory
        .register(&board, &["--json", "-n", "front door"])
        .expect(0);
    let json = run.json();
    let device = &factory.server.devices().unwrap()[0];
    assert_eq!(json["registered"], true);
    assert_eq!(json["uuid"], device.uuid.as_str());
    assert_eq!(json["name"], "front door");
    assert_eq!(json["factory"], "acme");
    assert_eq!(json["production"], false);
    assert_eq!(json["gateway"], factory.server.urls().gateway);
    assert_eq!(json["warnings"], serde_json::json!([]));
    let mut files: Vec<&str> = json["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file.as_str().unwrap())
        .collect();
    files.sort_unstable();
    let paths = FILES.map(|name| board.file(name).to_str().unwrap().to_owned());
    assert_eq!(files, paths);
    for end in ["not_before", "not_after"] {
        let time = json["certificate"][end].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "RFC 3339: {time}");
    }
}

/// A failure is an object too, so that a script reads one thing.
#[test]
fn one_json_object_for_a_failure() {
    let server = ScriptedServer::always(Answer::whole(401, br#"{"message":"bad\u001b[2J"}"#));
    let run = Board::new().register(&server.url(), ["--json"]).expect(77);
    let json = run.json();
    assert_eq!(json["error"], "unauthorised");
    assert_eq!(json["exit_code"], 77);
    assert!(
        json["message"]
            .as_str()
            .unwrap()
            .contains("the backend answered 401")
    );
    assert!(json["hint"].as_str().unwrap().contains("API token"));
}

/// Where each value came from, and no secret among them.
#[test]
fn verbose() {
    let (server, board) = (signing_server(), Board::new());
    let run = board
        .register(&server.url(), ["--verbose", "-g", "grp"])
        .expect(0);
    let token = format!("api-token = \"[secret]\" (file {:?})", board.path("token"));
    let api = format!("device-api = {:?} (environment DEVICE_API)", server.url());
    run.says(&[
        "factory = \"acme\" (os-release LMP_FACTORY)",
        "tags = \"main\" (os-release LMP_FACTORY_TAG)",
        "hwid = \"raspberrypi4-64\" (os-release LMP_MACHINE)",
        "device-group = \"grp\" (command line)",
        "start-daemon = \"false\" (command line)",
        "use-ostree-server = \"true\" (default)",
        &token,
        &api,
    ]);
    let mut command = board.local_command();
    command.env("DEVICE_API", server.url());
    command.args(["--verbose", "--force", "--start-daemon=0", "-T", TOKEN]);
    lmp_test_support::board::run(command)
        .expect(0)
        .says(&["api-token = \"[secret]\" (command line)"]);
}

/// Without `--verbose` a success is quiet on standard error but for its steps.
#[test]
fn a_summary() {
    let (factory, board) = (Factory::new(), Board::new());
    let run = factory
        .register(&board, &["-n", "front door", "-p"])
        .expect(0);
    let device = &factory.server.devices().unwrap()[0];
    let gateway = &factory.server.urls().gateway;
    for words in [
        "Device is now registered.",
        &device.uuid,
        "front door",
        "acme",
        gateway,
        "yes",
    ] {
        assert!(run.stdout.contains(words), "{words}: {run}");
    }
    for name in FILES {
        assert!(
            run.stdout.contains(board.file(name).to_str().unwrap()),
            "{name}: {run}"
        );
    }
    assert!(
        !run.stderr.contains("warning") && !run.stderr.contains("(default)"),
        "{run}"
    );
}

/// Nobody reads any more: the device is registered all the same.
#[test]
fn a_closed_output() {
    let (server, board) = (signing_server(), Board::new());
    let mut command = board.command(&server.url());
    command.args(["--start-daemon", "0"]);
    let closed = ["-c", "exec \"$@\" >&- 2>&-", "sh"];
    run(under("/bin/sh", closed, &command)).expect(0);
    assert_eq!(board.names(), FILES);
}

/// A backend that says the token back, as debugging proxies do.
#[test]
fn a_token_that_is_echoed() {
    let before = "x".repeat(590);
    for body in [
        format!("bad token {TOKEN}\n"),
        format!("{{\"message\":\"bad token {TOKEN}\"}}"),
        // What is shown ends in the middle of the token.
        format!("{before} {TOKEN}"),
        format!("{{\"headers\": [\"{}\"]}}", TOKEN.replace('-', "\\u002d")),
        format!("bad token {}", TOKEN.replace('-', "%2D")),
        // `printf 'user:5ecr3t-t0ken-0f-the-b0ard' | base64`.
        "bad credentials dXNlcjo1ZWNyM3QtdDBrZW4tMGYtdGhlLWIwYXJk".to_owned(),
    ] {
        let server = ScriptedServer::always(Answer::whole(401, body.as_bytes()));
        let run = Board::new()
            .register(&server.url(), ["--json", "--verbose"])
            .expect(77);
        for part in [&TOKEN[..8], "5ecr3t%2D", "5ecr3t\\u002d", "1ZWNyM3QtdDBr"] {
            assert!(!run.stderr.contains(part), "{run}");
        }
    }
    // An answer that is none is quoted, too.
    let server = ScriptedServer::always(Answer::json(201, &TOKEN));
    let run = Board::new().register(&server.url(), [""; 0]).expect(65);
    run.says(&["[secret]"]);
    let location = format!("https://elsewhere.example/?token={TOKEN}");
    let headers = [("Location", location.as_str())];
    let server = ScriptedServer::always(Answer::with_headers(302, &headers, b""));
    let run = Board::new().register(&server.url(), [""; 0]).expect(76);
    run.says(&["https://elsewhere.example/?token=[secret]"]);
}

/// The token is on no command line of a child, in no variable that it inherits, in no file and in
/// no output; the runner of every test looks at the output.
#[test]
fn the_token_is_nowhere() {
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::whole(503, b"later"),
        1 => Answer::whole(201, b"{}"),
        _ => backend.signed(request),
    });
    let board = Board::new();
    let log = board.path("systemctl.log");
    let script = format!(
        "#!/bin/sh\n{{ echo \"$@\"; /usr/bin/env; }} >>{}\n",
        log.display()
    );
    board.install_program("systemctl", &script);
    for code in [75, 65, 0] {
        let mut command = board.command(&server.url());
        command.args(["--retry-for=0", "--verbose"]);
        run(command).expect(code);
        board.assert_token_was_not_kept();
    }
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("start") && !log.contains(TOKEN), "{log}");
}
