//! Killed at the system calls of a run whose key is on a token, those of the module among them.

use crate::common::token::SoftHsm;
use crate::kill::{at_every_call, register_first, replace_again, rerun};
use crate::points::sampling;
use crate::site::{Board, Site};

#[test]
fn a_first_registration() {
    let site = Site::new();
    let prepare = || {
        let board = Board::with_token(SoftHsm::new());
        let words = board.words();
        (board, words)
    };
    at_every_call("key on a token", sampling(40), prepare, &site, |board| {
        rerun(board, &site)
    });
}

#[test]
fn a_registration_that_replaces_another() {
    let site = Site::new();
    let prepare = || register_first(Board::with_token(SoftHsm::new()), &site);
    at_every_call(
        "key on a token, --force",
        sampling(60),
        prepare,
        &site,
        |board| replace_again(board, &site),
    );
}
