//! Answers that are good, though they look unusual, and the run after one that is not.

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, FILES};
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use serde_json::Value;

use super::register;

/// The next run asks for the device that the backend may have made, and succeeds.
#[test]
fn after_a_rejected_answer_the_next_run_asks_for_the_same_device() {
    let (backend, board) = (Backend::new(), Board::new());
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::whole(201, b"{}"),
        _ => backend.signed(request),
    });
    board.register(&server.url(), [""; 0]).expect(65);
    board.register(&server.url(), [""; 0]).expect(0);
    let bodies: Vec<Value> = server.requests().iter().map(Request::json).collect();
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(board.names(), FILES);
}

/// What other backends answer is no less good.
#[test]
fn answers_of_other_backends_are_accepted() {
    let backend = Backend::new();
    let (board, run) = register(move |request| backend.signed_as_update_server(request));
    run.expect(0);
    assert_eq!(
        board.names(),
        ["client.pem", "pkey.pem", "root.crt", "sota.toml"]
    );

    let backend = Backend::new();
    let root = backend.root.pem().trim_end().to_owned();
    let (board, run) = register(move |request| backend.signed_as_reference(request));
    run.expect(0);
    assert_eq!(board.text("root.crt"), root, "as it was sent");
}
