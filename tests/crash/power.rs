//! The power goes at every system call: from one recorded run every disk is built that may be left,
//! and a run on it must keep the promise.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::disk::{Recorder, Step, Tree, after, pending};
use crate::kill::{expect, fresh, registered, replace_again, rerun};
use crate::points::sampling;
use crate::site::{Board, Site, Snapshot};

/// A disk, and whether the backend has signed.
type Left = (Tree, bool);

/// A run that was recorded, and the factory before and after it.
struct Recording {
    before: Tree,
    steps: Vec<Step>,
    unsigned: Snapshot,
    signed: Snapshot,
}

/// Every state that a power cut can leave behind, each once.
fn states(recording: &Recording) -> Vec<Left> {
    let Recording { before, steps, .. } = recording;
    let mut states = BTreeSet::new();
    for end in 0..=steps.len() {
        let done = &steps[..end];
        let sent = done.iter().any(|step| matches!(step, Step::Send));
        let received = done.iter().any(|step| matches!(step, Step::Receive));
        // On its way, a request may have been signed or not.
        let backends: &[bool] = match (sent, received) {
            (_, true) => &[true],
            (true, false) => &[true, false],
            (false, false) => &[false],
        };
        let pending = pending(done);
        let mut losses = vec![Vec::new(), pending.clone()];
        for (position, change) in pending.iter().enumerate() {
            // This one alone, all but this one, and, where changes keep their order, the rest.
            losses.push(vec![*change]);
            losses.push(
                pending
                    .iter()
                    .copied()
                    .filter(|other| other != change)
                    .collect(),
            );
            losses.push(pending[position..].to_vec());
        }
        for lost in &losses {
            for everything in [false, true] {
                let tree = after(before, done, lost, everything);
                states.extend(backends.iter().map(|signed| (tree.clone(), *signed)));
            }
        }
    }
    states.into_iter().collect()
}

fn record(site: &Site, board: &Board) -> Recording {
    let before = Tree::read(&board.sota());
    let unsigned = site.snapshot();
    let mut recorder = Recorder::default();
    let ran = board.traced(site, &board.words(), &mut recorder);
    expect(&ran, 0).unwrap();
    let recording = Recording {
        before,
        steps: recorder.steps,
        unsigned,
        signed: site.snapshot(),
    };
    // The model must end where the real directory did, or it proves nothing.
    let whole = after(&recording.before, &recording.steps, &[], false);
    assert!(
        whole == Tree::read(&board.sota()),
        "the model is wrong: {whole:?}"
    );
    assert!(
        pending(&recording.steps).is_empty(),
        "something was never flushed"
    );
    recording
}

/// Runs the agent on each state, with a backend of its own, and has `recover` judge.
fn after_every_power_cut(
    what: &str,
    board: &Board,
    recording: &Recording,
    step: usize,
    recover: impl Fn(&Board, &Site) -> Result<(), String> + Sync,
) {
    let states = states(recording);
    let chosen: Vec<&Left> = states.iter().step_by(step).collect();
    let next = AtomicUsize::new(0);
    let report = Mutex::new(String::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((tree, signed)) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (mut again, _) = fresh();
                    again.name.clone_from(&board.name);
                    again.extra.clone_from(&board.extra);
                    tree.write(&again.sota());
                    let Recording { unsigned: no, signed: yes, .. } = recording;
                    let site = if *signed { yes } else { no }.restore();
                    let left = again.tree();
                    if let Err(problem) = recover(&again, &site) {
                        let text = format!(
                            "signed: {signed}: {problem}\n-- left by the cut:\n{left}\n-- now:\n{}\n\n",
                            again.tree()
                        );
                        report.lock().unwrap().push_str(&text);
                    }
                }
            });
        }
    });
    println!(
        "{what}: {} of {} states that a power cut may leave, at {} points",
        chosen.len(),
        states.len(),
        recording.steps.len() + 1
    );
    assert!(states.len() > 30, "only {} states", states.len());
    let report = report.into_inner().unwrap();
    assert!(report.is_empty(), "{what}:\n{report}");
}

#[test]
fn a_first_registration() {
    let site = Site::new();
    let (board, _) = fresh();
    let recording = record(&site, &board);
    after_every_power_cut("power cut", &board, &recording, sampling(2), rerun);
}

#[test]
fn a_registration_that_replaces_another() {
    let site = Site::new();
    let (board, _) = registered(&site);
    let recording = record(&site, &board);
    after_every_power_cut(
        "power cut, --force",
        &board,
        &recording,
        sampling(4),
        replace_again,
    );
}
