//! The agent against servers, disks and surroundings that misbehave: each thing that its
//! predecessor got wrong, with the real program.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod answer;
mod certificate;
mod disk;
mod force;
mod limits;
mod names;
mod status;
mod surroundings;
mod trust;

use common::board::{Board, Run};
use common::scripted::{Answer, Request, ScriptedServer};

/// The journal, which stays while the backend may know the device: the next run asks for the
/// same one.
const JOURNAL: &str = ".registration";

/// Registers a new board with a backend that answers so.
fn register(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Board, Run) {
    let board = Board::new();
    let server = ScriptedServer::new(script);
    let run = board.register(&server.url(), [""; 0]);
    (board, run)
}

/// A 201 that is no good: exit 65, no file but the journal, and the reason in `words`.
#[track_caller]
fn rejected(script: impl Fn(&Request) -> Answer + Send + Sync + 'static, words: &[&str]) {
    let (board, run) = register(script);
    let run = run.expect(65).says(&["error: "]).says(words);
    assert_eq!(run.stdout, "", "nothing was registered");
    assert_eq!(board.names(), [JOURNAL]);
}
