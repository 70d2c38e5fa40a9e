//! `check`: a registration that works, and everything that can be wrong with one.

use std::fs;

use lmp_test_support::board::Board;
use lmp_test_support::factory::Factory;
use lmp_test_support::pki::{Ca, KeyPair};

fn registered() -> (Factory, Board) {
    let (factory, board) = (Factory::new(), Board::new());
    factory.register(&board, &[]).expect(0);
    (factory, board)
}

#[test]
fn a_device_that_works() {
    let (factory, board) = registered();
    let uuid = &factory.server.devices().unwrap()[0].uuid;
    let before = board.snapshot();
    let run = board.check([""; 0]).expect(0);
    for words in [
        "Device is registered.",
        uuid,
        "acme",
        "mTLS works, status 200",
    ] {
        assert!(run.stdout.contains(words), "{words}: {run}");
    }
    assert_eq!(run.stderr, "");

    let json = board.check(["--json"]).expect(0).json();
    assert_eq!(json["registered"], true);
    assert_eq!(json["uuid"], uuid.as_str());
    assert_eq!(json["factory"], "acme");
    assert_eq!(json["gateway"], factory.server.urls().gateway);
    assert_eq!(json["gateway_status"], 200);
    for end in ["not_before", "not_after"] {
        let time = json["certificate"][end].as_str().unwrap();
        assert!(time.len() == 20 && time.ends_with('Z'), "RFC 3339: {time}");
    }
    assert_eq!(board.snapshot(), before, "a look changes nothing");
}

#[test]
fn offline() {
    let (factory, board) = registered();
    drop(factory);
    let run = board.check(["--offline"]).expect(0);
    assert!(run.stdout.contains("not contacted"), "{run}");
    let json = board.check(["--offline", "--json"]).expect(0).json();
    assert_eq!(json["gateway_status"], serde_json::Value::Null);
}

#[test]
fn the_gateway_is_down() {
    let (factory, board) = registered();
    drop(factory);
    let run = board
        .check([""; 0])
        .expect(75)
        .says(&["cannot connect to", "hint: "]);
    assert!(!run.stderr.contains("DEVICE_API"), "{run}");
    let json = board.check(["--json"]).expect(75).json();
    assert_eq!(
        (&json["error"], &json["exit_code"]),
        (&"temporary".into(), &75.into())
    );
}

/// Only `root.crt` is trusted: the system's own store does not come into it.
#[test]
fn another_root() {
    let (_factory, board) = registered();
    fs::write(board.file("root.crt"), Ca::new("root").pem()).unwrap();
    board.check([""; 0]).expect(65).says(&[
        "root.crt does not verify",
        "UnknownIssuer",
        "--force 1",
    ]);
    board.check(["--offline"]).expect(0);
}

#[test]
fn a_key_that_does_not_match() {
    let (_factory, board) = registered();
    fs::write(board.file("pkey.pem"), KeyPair::new().pem()).unwrap();
    board
        .check(["--offline"])
        .expect(78)
        .says(&["for another key", "--force 1"]);
}

/// The gateway of another factory: its CA has the same name and another key.
#[test]
fn a_gateway_that_does_not_take_the_certificate() {
    let ((factory, board), other) = (registered(), Factory::new());
    let text = board.text("sota.toml");
    let (ours, theirs) = (&factory.server.urls().gateway, &other.server.urls().gateway);
    fs::write(board.file("sota.toml"), text.replace(ours, theirs)).unwrap();
    let stranger = Board::new();
    other.register(&stranger, &[]).expect(0);
    fs::write(board.file("root.crt"), stranger.text("root.crt")).unwrap();
    board.check([""; 0]).expect(77).says(&[
        "does not take this device's certificate",
        "cannot verify a signature",
    ]);
}

#[test]
fn a_device_that_was_deleted() {
    let (factory, board) = registered();
    let uuid = factory.server.devices().unwrap()[0].uuid.clone();
    factory.server.delete_device(&uuid).unwrap();
    board.check([""; 0]).expect(77).says(&[
        "refuses this device with status 403: ",
        "hint: look the device up",
    ]);
}

#[test]
fn files_that_are_missing_or_damaged() {
    let (_factory, board) = registered();
    for name in ["sota.toml", "client.pem", "pkey.pem", "root.crt"] {
        let good = fs::read(board.file(name)).unwrap();
        fs::remove_file(board.file(name)).unwrap();
        board
            .check(["--offline"])
            .expect(78)
            .says(&["is incomplete", name, "--force 1"]);
        for bad in [&b""[..], b"\xff\xfe", b"<html></html>"] {
            fs::write(board.file(name), bad).unwrap();
            board.check(["--offline"]).expect(78).says(&["error: "]);
        }
        fs::write(board.file(name), good).unwrap();
    }
    board.check(["--offline"]).expect(0);
}

#[test]
fn a_device_that_is_not_registered() {
    let board = Board::new();
    board
        .check([""; 0])
        .expect(78)
        .says(&["this device is not registered", "hint: register it"]);
    let json = board.check(["--json"]).expect(78).json();
    assert_eq!(json["error"], "configuration");
    fs::write(board.file("sql.db"), "the update client's").unwrap();
    board
        .check([""; 0])
        .expect(78)
        .says(&["is incomplete", "sota.toml", "--force 1"]);
    let missing = board.path("missing");
    board
        .with_sota(missing)
        .check([""; 0])
        .expect(78)
        .says(&["this device is not registered", "hint: register it"]);
}

/// `client.chained` is for people and other tools: the device works without.
#[test]
fn without_the_chain() {
    let (_factory, board) = registered();
    fs::remove_file(board.file("client.chained")).unwrap();
    board.check([""; 0]).expect(0);
}
