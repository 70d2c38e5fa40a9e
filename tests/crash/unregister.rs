//! `unregister`, killed at its system calls: running it again ends it, and the board can be
//! registered anew.

use std::ffi::OsString;

use crate::kill::{at_every_call, expect, register_first, registered};
use crate::points::sampling;
use crate::site::{Board, SOTA, Site};

fn words() -> Vec<OsString> {
    let words = format!("unregister --yes --sota-dir {SOTA} --update-client-lock no-lock");
    words.split_whitespace().map(OsString::from).collect()
}

fn again(board: &Board, site: &Site) -> Result<(), String> {
    expect(&board.run(site, &words()), 0)?;
    board.unregistered()?;
    expect(&board.register(site), 0)?;
    board.promise(site).map(drop)
}

#[test]
fn a_software_key() {
    let site = Site::new();
    let prepare = || (registered(&site).0, words());
    at_every_call("unregister", sampling(3), prepare, &site, |board| {
        again(board, &site)
    });
}

#[test]
fn a_key_on_a_token() {
    let site = Site::new();
    let prepare = || (register_first(Board::with_token(), &site).0, words());
    at_every_call("unregister, token", sampling(60), prepare, &site, |board| {
        if board.lost_its_token() {
            return Ok(());
        }
        again(board, &site)
    });
}
