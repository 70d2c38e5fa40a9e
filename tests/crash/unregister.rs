//! `unregister`, killed at its system calls: running it again ends it, and the board can be
//! registered anew.

use std::ffi::OsString;
use std::fs;

use crate::kill::{at_every_call, expect, register_first, registered};
use crate::points::sampling;
use crate::site::{Board, SOTA, Site};
use crate::token::Judge;
use lmp_test_support::token::PIN;

fn words() -> Vec<OsString> {
    let words = format!("unregister --yes --sota-dir {SOTA} --update-client-lock no-lock");
    words.split_whitespace().map(OsString::from).collect()
}

fn again(board: &Board, site: &Site) -> Result<(), String> {
    unregister(board, site, words())?;
    expect(&board.register(site), 0)?;
    board.promise(site).map(drop)
}

fn unregister(board: &Board, site: &Site, words: Vec<OsString>) -> Result<(), String> {
    expect(&board.run(site, &words), 0)?;
    board.unregistered()
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
    let judge = Judge::new(&site);
    at_every_call("unregister, token", sampling(60), prepare, &site, |board| {
        judge.judge(board, again)
    });
    judge.report();
}

/// What a killed registration left is given up instead of finished.
#[test]
fn a_registration_that_was_killed() {
    let site = Site::new();
    let prepare = || {
        let board = Board::with_token();
        let words = board.words();
        (board, words)
    };
    let judge = Judge::new(&site);
    at_every_call("given up", sampling(40), prepare, &site, |board| {
        judge.judge(board, |board, site| {
            let pin_file = board.dir.path().join("pin");
            fs::write(&pin_file, PIN).unwrap();
            let mut words = words();
            words.extend(["--hsm-pin-file".into(), pin_file.into()]);
            unregister(board, site, words)
        })
    });
    judge.report();
}
