//! Every call to the file system fails in turn: success is never claimed wrongly, the failure has
//! its exit code, and the next run ends registered.

use nix::errno::Errno;
use nix::libc;

use crate::kill::{
    KillAtPhase, PHASES, expect, fresh, is_of_interest, opens_sota, registered, replace_again,
    rerun,
};
use crate::points::{Accident, at_every_point, sampling};
use crate::site::{Board, Ran, SOTA, Site};
use crate::tracer::{Call, Ended, Verdict, Watch};

/// Whose files fail.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The registration's.
    Sota,
    /// The module's, when it writes.
    Token,
}

/// Makes one call on the board's files fail.
pub(crate) struct Breaker {
    at: usize,
    errno: Errno,
    place: Place,
    begun: bool,
    counted: usize,
    broken: Option<String>,
}

impl Breaker {
    pub(crate) fn new(at: usize, errno: Errno, place: Place) -> Self {
        Self {
            at,
            errno,
            place,
            begun: false,
            counted: 0,
            broken: None,
        }
    }

    /// Whether the call is one on the directory in question, or on a file in it.
    fn concerns(&self, call: &Call) -> bool {
        // Closing has its result ignored everywhere.
        if matches!(call.number, libc::SYS_close | libc::SYS_fcntl) || !is_of_interest(call.number)
        {
            return false;
        }
        let path = match (self.place, call.number) {
            (Place::Sota, _) | (Place::Token, libc::SYS_write | libc::SYS_ftruncate) => {
                call.descriptor()
            }
            // The agent itself names files by the descriptor of their directory.
            (Place::Token, libc::SYS_openat) if makes_a_file(call) => Some(call.text(1)),
            (Place::Token, libc::SYS_unlink | libc::SYS_mkdir | libc::SYS_rmdir) => {
                Some(call.text(0))
            }
            (Place::Token, _) => None,
        };
        let place = match self.place {
            Place::Sota => format!("/{SOTA}"),
            Place::Token => "/tokens".to_owned(),
        };
        path.is_some_and(|path| path.contains(&place))
    }
}

fn makes_a_file(call: &Call) -> bool {
    call.arguments[2] & u64::from(libc::O_CREAT.cast_unsigned()) != 0
}

impl Watch for Breaker {
    fn entry(&mut self, call: &Call) -> Verdict {
        let opens = opens_sota(call);
        self.begun = self.begun || opens;
        let concerned = match self.place {
            Place::Sota => opens || self.concerns(call),
            Place::Token => self.concerns(call),
        };
        if !self.begun || !concerned {
            return Verdict::Pass;
        }
        self.counted += 1;
        if self.counted != self.at {
            return Verdict::Pass;
        }
        self.broken = Some(format!("{} with {}", call.name(), self.errno));
        Verdict::Fail(self.errno)
    }
}

impl Accident for Breaker {
    fn counted(&self) -> usize {
        self.counted
    }

    fn struck(&self) -> Option<&str> {
        self.broken.as_deref()
    }
}

/// 0 only for a registration that works, and 73 otherwise.
fn honest(board: &Board, ran: &Ran, site: &Site) -> Result<(), String> {
    match ran.ended {
        Ended::Exited(0) => board.check(site, true).map(drop),
        Ended::Exited(73) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

const ERRORS: [Errno; 4] = [Errno::ENOSPC, Errno::EIO, Errno::EROFS, Errno::EDQUOT];

#[test]
fn a_failing_disk_during_a_first_registration() {
    let site = Site::new();
    for errno in ERRORS {
        let breaker = |at| Breaker::new(at, errno, Place::Sota);
        at_every_point(
            errno.desc(),
            sampling(4),
            breaker,
            fresh,
            &site,
            |board, ran| {
                honest(board, ran, &site)?;
                rerun(board, &site)
            },
        );
    }
}

#[test]
fn a_failing_disk_while_another_registration_is_replaced() {
    let site = Site::new();
    for errno in ERRORS {
        let breaker = |at| Breaker::new(at, errno, Place::Sota);
        let prepare = || registered(&site);
        let what = format!("--force, {}", errno.desc());
        at_every_point(
            &what,
            sampling(10),
            breaker,
            prepare,
            &site,
            |board, ran| {
                // Files may be half exchanged when it fails: 73 says that it must run again.
                if ran.ended != Ended::Exited(73) {
                    honest(board, ran, &site)?;
                }
                replace_again(board, &site)
            },
        );
    }
}

#[test]
fn a_failing_disk_while_an_interrupted_registration_goes_on() {
    let site = Site::new();
    for phase in PHASES {
        let breaker = |at| Breaker::new(at, Errno::EIO, Place::Sota);
        let prepare = || {
            let (board, words) = fresh();
            board.traced(&site, &words, &mut KillAtPhase(&board, phase));
            assert_eq!(board.phase().as_deref(), Some(phase));
            (board, words)
        };
        let what = format!("I/O error in the second run, from {phase}");
        at_every_point(&what, sampling(5), breaker, prepare, &site, |board, ran| {
            honest(board, ran, &site)?;
            rerun(board, &site)
        });
    }
}

/// POSIX lets a signal interrupt these; some file systems (FUSE, NFS) do.
#[test]
fn an_interrupted_call_is_made_again() {
    let site = Site::new();
    let breaker = |at| Breaker::new(at, Errno::EINTR, Place::Sota);
    at_every_point("EINTR", sampling(2), breaker, fresh, &site, |board, ran| {
        expect(ran, 0)?;
        board.promise(&site).map(drop)
    });
}
