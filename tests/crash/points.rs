//! Runs the agent once for each point at which an accident may happen.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::site::{Board, Ran, Site};
use crate::tracer::{Ended, Watch};

/// Something that happens at one system call of a run.
pub(crate) trait Accident: Watch {
    /// The system calls at which it could have happened, so far.
    fn counted(&self) -> usize;
    /// The system call at which it happened.
    fn struck(&self) -> Option<&str>;
}

/// Has an accident at every `step`th call, and has `judge` repair and judge what is left.
/// `prepare` makes the board and the words that it is run with.
pub(crate) fn at_every_point<A: Accident>(
    what: &str,
    step: usize,
    accident: impl Fn(usize) -> A + Sync,
    prepare: impl Fn() -> (Board, Vec<OsString>) + Sync,
    site: &Site,
    judge: impl Fn(&Board, &Ran) -> Result<(), String> + Sync,
) {
    let (tried, report) = (AtomicUsize::new(0), Mutex::new(String::new()));
    // Every run without an accident says how many calls there are.
    let totals = Mutex::new(Vec::new());
    on_two_threads(|n| {
        let at = (n - 1) * step + 1;
        let (board, words) = prepare();
        let mut accident = accident(at);
        let ran = board.traced(site, &words, &mut accident);
        let Some(call) = accident.struck() else {
            assert!(matches!(ran.ended, Ended::Exited(_)), "{ran:?}");
            totals.lock().unwrap().push(accident.counted());
            return false;
        };
        tried.fetch_add(1, Ordering::Relaxed);
        let left = board.tree();
        if let Err(problem) = judge(&board, &ran) {
            let now = board.tree();
            let mut report = report.lock().unwrap();
            let _ = writeln!(
                report,
                "at call {at}, {call}: {problem}\n-- its output:\n{}\n-- what it left:\n{left}\n\
                 -- now:\n{now}\n",
                ran.output
            );
        }
        true
    });
    let (tried, totals) = (tried.into_inner(), totals.into_inner().unwrap());
    println!("{what}: {tried} points of {totals:?} system calls");
    // How threads wake each other makes a difference of a call or two.
    let expected = totals.iter().min().unwrap().div_ceil(step);
    assert!(
        tried > 2 && tried + 2 >= expected,
        "{tried} of {expected} points"
    );
    let report = report.into_inner().unwrap();
    assert!(report.is_empty(), "{what}:\n{report}");
}

/// Does `point(n)` for every n from 1 on until it says that there are no more.
fn on_two_threads(point: impl Fn(usize) -> bool + Sync) {
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| while point(next.fetch_add(1, Ordering::Relaxed)) {});
        }
    });
}

/// Every how many calls: all of them with `make crash`, each `usual`th otherwise.
pub(crate) fn sampling(usual: usize) -> usize {
    match std::env::var("CRASH_POINTS").as_deref() {
        Ok("all") => 1,
        Ok(other) => panic!("CRASH_POINTS={other:?}: only \"all\" means something"),
        Err(_) => usual,
    }
}
