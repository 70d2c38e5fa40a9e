//! What is durable when: the table of `docs/architecture.md` has as many flushes as a registration.

use std::process::Command;

use lmp_test_support::board::{Board, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{PIN, SOFTHSM, SoftHsm};
use lmp_test_support::tools::under;

use super::rows;

/// Flushes of a first registration, as docs/architecture.md lists them.
#[test]
fn flushes_are_as_documented() {
    let listed = rows("docs/architecture.md", "The journal");
    let last = listed
        .iter()
        .filter_map(|row| row[0].rsplit([' ', '–']).next()?.parse().ok());
    let documented: usize = last.max().unwrap();
    let (factory, board, hsm) = (Factory::plain(), Board::new(), SoftHsm::new());
    assert_eq!(flushes(&factory.command(&board), &board), documented);
    let board = Board::new();
    let mut on_token = factory.command(&board);
    hsm.show_to(&mut on_token);
    on_token.args(["--hsm-module", SOFTHSM, "--hsm-pin", PIN]);
    assert_eq!(flushes(&on_token, &board), documented);
}

fn flushes(command: &Command, board: &Board) -> usize {
    let log = board.path("strace.log");
    let strace = format!(
        "-f -qq -e trace=fsync,fdatasync,sync,syncfs -o {}",
        log.display()
    );
    run(under("/usr/bin/strace", strace.split(' '), command)).expect(0);
    std::fs::read_to_string(log).unwrap().lines().count()
}
