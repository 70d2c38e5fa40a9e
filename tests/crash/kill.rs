//! Killed at every system call: what is left must be whole, and the next run must end it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use nix::libc;
use nix::sys::signal::Signal;

use crate::points::{Accident, at_every_point, sampling};
use crate::site::{Board, JOURNAL, Ran, SOTA, Site};
use crate::tracer::{Call, Ended, Verdict, Watch};

/// Kills at the call of this number; counts those that touch files, the network or processes.
pub(crate) struct Killer {
    at: usize,
    /// Before the directory is opened nothing can have been begun.
    begun: bool,
    counted: usize,
    killed_at: Option<String>,
}

impl Killer {
    pub(crate) fn new(at: usize) -> Self {
        Self {
            at,
            begun: false,
            counted: 0,
            killed_at: None,
        }
    }
}

/// Memory, time, signals and waiting change nothing that outlives the process, and how often
/// threads wait for each other is chance.
pub(crate) fn is_of_interest(number: libc::c_long) -> bool {
    !matches!(
        number,
        libc::SYS_brk
            | libc::SYS_mmap
            | libc::SYS_munmap
            | libc::SYS_mprotect
            | libc::SYS_madvise
            | libc::SYS_mremap
            | libc::SYS_futex
            | libc::SYS_epoll_wait
            | libc::SYS_rt_sigaction
            | libc::SYS_rt_sigprocmask
            | libc::SYS_sigaltstack
            | libc::SYS_getrandom
            | libc::SYS_gettid
            | libc::SYS_sched_getaffinity
            | libc::SYS_sched_yield
            | libc::SYS_set_robust_list
            | libc::SYS_rseq
            | libc::SYS_prctl
            | libc::SYS_restart_syscall
    )
}

/// Whether a call opens the directory of the registration.
pub(crate) fn opens_sota(call: &Call) -> bool {
    let path = match call.number {
        libc::SYS_open => call.text(0),
        libc::SYS_openat => call.text(1),
        _ => return false,
    };
    // The agent makes it absolute.
    Path::new(&path).file_name() == Some(OsStr::new(SOTA))
}

impl Watch for Killer {
    fn entry(&mut self, call: &Call) -> Verdict {
        self.begun = self.begun || opens_sota(call);
        if !self.begun || !is_of_interest(call.number) {
            return Verdict::Pass;
        }
        self.counted += 1;
        if self.counted == self.at {
            self.killed_at = Some(call.name());
            return Verdict::Kill;
        }
        Verdict::Pass
    }
}

impl Accident for Killer {
    fn counted(&self) -> usize {
        self.counted
    }

    fn struck(&self) -> Option<&str> {
        self.killed_at.as_deref()
    }
}

pub(crate) fn at_every_call(
    what: &str,
    step: usize,
    prepare: impl Fn() -> (Board, Vec<OsString>) + Sync,
    site: &Site,
    recover: impl Fn(&Board) -> Result<(), String> + Sync,
) {
    at_every_point(what, step, Killer::new, prepare, site, |board, ran| {
        if ran.ended != Ended::Killed(Signal::SIGKILL) {
            return Err(format!("{:?} instead of killed", ran.ended));
        }
        recover(board)
    });
}

/// Runs the agent again, plainly, and checks the promise. A registration that was complete before
/// may say so.
pub(crate) fn rerun(board: &Board, site: &Site) -> Result<(), String> {
    let complete = !board.has(JOURNAL) && board.has("sota.toml");
    if board.has("sota.toml") {
        let checked = board.check(site, true);
        checked.map_err(|error| format!("sota.toml came too early: {error}"))?;
    }
    let ran = board.register(site);
    expect(&ran, if complete { 10 } else { 0 })?;
    board.promise(site).map(drop)
}

pub(crate) fn expect(ran: &Ran, code: i32) -> Result<(), String> {
    if ran.ended == Ended::Exited(code) {
        return Ok(());
    }
    Err(format!("{:?}, not {code}: {}", ran.ended, ran.output))
}

pub(crate) fn fresh() -> (Board, Vec<OsString>) {
    let board = Board::new();
    let words = board.words();
    (board, words)
}

#[test]
fn a_first_registration() {
    let site = Site::new();
    at_every_call("first registration", 1, fresh, &site, |board| {
        rerun(board, &site)
    });
}

#[test]
fn a_refused_registration_is_rolled_back() {
    let site = Site::new();
    let prepare = || {
        let (board, mut words) = fresh();
        fs::write(board.dir.path().join("wrong"), "no-such-token").unwrap();
        for word in &mut words {
            if word == "token" {
                *word = "wrong".into();
            }
        }
        (board, words)
    };
    at_every_call(
        "refused registration",
        sampling(3),
        prepare,
        &site,
        |board| rerun(board, &site),
    );
}

#[test]
fn a_registration_that_replaces_another() {
    let site = Site::new();
    let prepare = || registered(&site);
    at_every_call("--force", sampling(3), prepare, &site, |board| {
        replace_again(board, &site)
    });
}

pub(crate) fn registered(site: &Site) -> (Board, Vec<OsString>) {
    register_first(Board::new(), site)
}

/// Registers a board and makes it ready to be registered again, under another name.
pub(crate) fn register_first(mut board: Board, site: &Site) -> (Board, Vec<OsString>) {
    expect(&board.register(site), 0).unwrap();
    board.name.push_str("-new");
    board.extra.push("--force".into());
    let words = board.words();
    (board, words)
}

/// Until the new registration is whole on the disk, the old one works; then a run ends it.
pub(crate) fn replace_again(board: &Board, site: &Site) -> Result<(), String> {
    let old_name = board.name.trim_end_matches("-new");
    let [old] = &site.uuids(old_name)[..] else {
        return Err("the old entry is gone".into());
    };
    let usable = board.check(site, true);
    let phase = board.phase();
    let complete = match (&usable, phase.as_deref()) {
        (Ok(uuid), None) if uuid != old => true,
        (Ok(uuid), None | Some("begun" | "key-ready" | "sent")) if uuid == old => {
            board.check(site, false)?;
            false
        }
        // Several files change places: whoever reads them waits for the next run.
        (_, Some("received")) => false,
        (Ok(uuid), Some("installed")) if uuid != old => false,
        _ => return Err(format!("{usable:?} at phase {phase:?}")),
    };
    if complete {
        let plain = Board::words(board)
            .into_iter()
            .filter(|word| word != "--force");
        expect(&board.run(site, &plain.collect::<Vec<_>>()), 10)?;
    } else {
        expect(&board.register(site), 0)?;
    }
    board.promise(site)?;
    match &site.uuids(old_name)[..] {
        [uuid] if uuid == old => Ok(()),
        other => Err(format!("the old entry became {other:?}")),
    }
}

/// Kills as soon as the journal on the disk names a phase.
pub(crate) struct KillAtPhase<'a>(pub(crate) &'a Board, pub(crate) &'a str);

impl Watch for KillAtPhase<'_> {
    fn entry(&mut self, call: &Call) -> Verdict {
        let reached = is_of_interest(call.number) && self.0.phase().as_deref() == Some(self.1);
        if reached {
            Verdict::Kill
        } else {
            Verdict::Pass
        }
    }
}

#[test]
fn a_registration_that_goes_on_after_a_crash() {
    let site = Site::new();
    for phase in PHASES {
        let prepare = || {
            let (board, words) = fresh();
            board.traced(&site, &words, &mut KillAtPhase(&board, phase));
            assert_eq!(board.phase().as_deref(), Some(phase));
            (board, words)
        };
        let what = format!("second run, from {phase}");
        at_every_call(&what, sampling(5), prepare, &site, |board| {
            rerun(board, &site)
        });
    }
}

/// The phases in their order, as they are seen on the disk: before the request leaves, nothing is
/// written for a key in memory.
pub(crate) const PHASES: [&str; 3] = ["sent", "received", "installed"];
/// The same with a key on a token.
pub(crate) const TOKEN_PHASES: [&str; 5] = ["begun", "key-ready", "sent", "received", "installed"];

/// Whether a run that finds the journal at `from` ever shows `to`: it only goes on.
fn passes(from: Option<usize>, to: usize) -> bool {
    from.is_none_or(|from| to >= from)
}

#[test]
fn every_sequence_of_crash_and_resume() {
    let site = Site::new();
    let length = if sampling(2) == 1 { 3 } else { 2 };
    for number in 0..PHASES.len().pow(length) {
        let sequence = (0..length).map(|place| number / PHASES.len().pow(place) % PHASES.len());
        let (board, words) = fresh();
        // What the model says: the phase on the disk, or complete.
        let (mut phase, mut complete, mut uuid) = (None, false, None);
        for kill_at in sequence.clone() {
            let ran = board.traced(&site, &words, &mut KillAtPhase(&board, PHASES[kill_at]));
            if complete {
                expect(&ran, 10).unwrap();
            } else if passes(phase, kill_at) {
                assert_eq!(ran.ended, Ended::Killed(Signal::SIGKILL), "{ran:?}");
                assert_eq!(board.phase().as_deref(), Some(PHASES[kill_at]));
                phase = Some(kill_at);
            } else {
                expect(&ran, 0).unwrap();
                complete = true;
            }
            // Once it may have been sent, it stays the same device.
            if phase.is_some() && !complete {
                let now = board.uuid();
                assert_eq!(*uuid.get_or_insert(now.clone()), now);
            }
        }
        rerun(&board, &site).unwrap_or_else(|problem| {
            let phases: Vec<&str> = sequence.map(|index| PHASES[index]).collect();
            panic!("killed at {phases:?}: {problem}\n{}", board.tree());
        });
        if let Some(Some(uuid)) = uuid {
            assert_eq!(site.uuids(&board.name), [uuid]);
        }
    }
}
