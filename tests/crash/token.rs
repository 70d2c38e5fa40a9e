//! Accidents in a run whose key is on a token, at the system calls of the module among them.

use std::ffi::OsString;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::errno::Errno;

use crate::errors::{Breaker, Place};
use crate::kill::{
    KillAtPhase, TOKEN_PHASES, at_every_call, expect, register_first, replace_again, rerun,
};
use crate::points::{at_every_point, sampling};
use crate::site::{Board, Site};
use crate::tracer::Ended;

fn registering(board: Board) -> (Board, Vec<OsString>) {
    let words = board.words();
    (board, words)
}

/// Judges what an accident left, unless it hit SoftHSM where it loses its token. Even then a run
/// may not claim what is not true.
pub(crate) struct Judge<'a> {
    site: &'a Site,
    lost: AtomicUsize,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(site: &'a Site) -> Self {
        let lost = AtomicUsize::new(0);
        Self { site, lost }
    }

    pub(crate) fn judge(
        &self,
        board: &Board,
        recover: impl Fn(&Board, &Site) -> Result<(), String>,
    ) -> Result<(), String> {
        if !board.lost_its_token() {
            return recover(board, self.site);
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
        let ran = board.register(self.site);
        match ran.ended {
            Ended::Exited(0) => board.check(self.site, false).map(drop),
            Ended::Exited(_) => Ok(()),
            Ended::Killed(_) => Err(format!("{ran:?}")),
        }
    }

    /// A login has three such calls, and a run logs in once.
    pub(crate) fn report(self) {
        let lost = self.lost.into_inner();
        println!("  at {lost} of them SoftHSM lost its token");
        assert!(lost <= 4, "SoftHSM lost its token at {lost} points");
    }
}

#[test]
fn a_first_registration() {
    let site = Site::new();
    let judge = Judge::new(&site);
    let prepare = || registering(Board::with_token());
    at_every_call("key on a token", sampling(40), prepare, &site, |board| {
        judge.judge(board, rerun)
    });
    judge.report();
}

#[test]
fn a_registration_that_replaces_another() {
    let site = Site::new();
    let judge = Judge::new(&site);
    let prepare = || register_first(Board::with_token(), &site);
    at_every_call(
        "key on a token, --force",
        sampling(60),
        prepare,
        &site,
        |board| judge.judge(board, replace_again),
    );
    judge.report();
}

#[test]
fn a_registration_on_a_blank_token() {
    let site = Site::new();
    let prepare = || registering(Board::with_blank_token());
    at_every_call("blank token", sampling(60), prepare, &site, |board| {
        rerun(board, &site)
    });
}

#[test]
fn a_registration_that_goes_on_after_a_crash() {
    let site = Site::new();
    for phase in TOKEN_PHASES {
        let judge = Judge::new(&site);
        let prepare = || {
            let (board, words) = registering(Board::with_token());
            board.traced(&site, &words, &mut KillAtPhase(&board, phase));
            assert_eq!(board.phase().as_deref(), Some(phase));
            (board, words)
        };
        let what = format!("key on a token, second run, from {phase}");
        // Cleaning up is short.
        let step = sampling(if phase == "installed" { 20 } else { 200 });
        at_every_call(&what, step, prepare, &site, |board| {
            judge.judge(board, rerun)
        });
        judge.report();
    }
}

/// `SoftHSM` says nothing when it fails to write at login, and when it fails to write the last
/// part of an object: the agent cannot know, and `check` has to find it.
#[test]
fn a_disk_that_fails_the_module() {
    let site = Site::new();
    for errno in [Errno::ENOSPC, Errno::EIO] {
        let unnoticed = AtomicUsize::new(0);
        let breaker = |at| Breaker::new(at, errno, Place::Token);
        let what = format!("key on a token, {}", errno.desc());
        let prepare = || registering(Board::with_token());
        at_every_point(
            &what,
            sampling(7),
            breaker,
            prepare,
            &site,
            |board, ran| match ran.ended {
                Ended::Exited(0) if board.check(&site, false).is_err() => {
                    unnoticed.fetch_add(1, Ordering::Relaxed);
                    let mut words = board.words();
                    words.push("--force".into());
                    expect(&board.run(&site, &words), 0)?;
                    board.check(&site, false).map(drop)
                }
                Ended::Exited(0) => board.promise(&site).map(drop),
                Ended::Exited(69) => {
                    expect(&board.register(&site), 0)?;
                    board.promise(&site).map(drop)
                }
                other => Err(format!("{other:?}")),
            },
        );
        let unnoticed = unnoticed.into_inner();
        println!("  SoftHSM kept {unnoticed} of them to itself");
        assert!(unnoticed <= 2, "{unnoticed} failures went unnoticed");
    }
}
