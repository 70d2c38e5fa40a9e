//! The power goes at every system call: from one recorded run every disk is built that may be left,
//! and a run on it must keep the promise.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::disk::{Recorder, Step, Tree, Unflushed, after, pending};
use crate::kill::{expect, fresh, register_first, registered, replace_again, rerun};
use crate::points::sampling;
use crate::site::{Board, JOURNAL, Site, Snapshot};

/// A disk, whether the backend has signed, and what is on the tokens.
type Left = (Tree, bool, Option<Tree>);

/// A run that was recorded, and the factory before and after it.
struct Recording {
    before: Tree,
    steps: Vec<Step>,
    token_states: Vec<Tree>,
    unsigned: Snapshot,
    signed: Snapshot,
}

/// Every state that a power cut can leave behind, each once.
fn states(recording: &Recording) -> Vec<Left> {
    let Recording {
        before,
        steps,
        token_states,
        ..
    } = recording;
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
        // A token flushes for itself. It may be as it was after the last step, or further.
        let tokens: Vec<Option<Tree>> = match &token_states[..] {
            [] => vec![None],
            known => known[end.saturating_sub(1)..known.len().min(end + 1)]
                .iter()
                .map(|tree| Some(tree.clone()))
                .collect(),
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
            for unflushed in Unflushed::ALL {
                let tree = after(before, done, lost, unflushed);
                for token in &tokens {
                    let left = |signed: &bool| (tree.clone(), *signed, token.clone());
                    states.extend(backends.iter().map(left));
                }
            }
        }
    }
    states.into_iter().collect()
}

fn record(site: &Site, board: &Board) -> Recording {
    let before = Tree::read(&board.sota());
    let unsigned = site.snapshot();
    let mut recorder = Recorder::new(board.tokens());
    let ran = board.traced(site, &board.words(), &mut recorder);
    expect(&ran, 0).unwrap();
    let recording = Recording {
        before,
        steps: recorder.steps,
        token_states: recorder.token_states,
        unsigned,
        signed: site.snapshot(),
    };
    // The model must end where the real directory did, or it proves nothing.
    let whole = after(&recording.before, &recording.steps, &[], Unflushed::There);
    assert!(
        whole == Tree::read(&board.sota()),
        "the model is wrong: {whole:?}"
    );
    // A journal that comes back is only cleaned up: its end is the one thing that needs no flush.
    let unflushed = pending(&recording.steps)
        .into_iter()
        .map(|index| &recording.steps[index])
        .filter(|step| !matches!(step, Step::Remove(_, name) if name == JOURNAL));
    assert_eq!(unflushed.count(), 0, "something was never flushed");
    recording
}

/// Runs the agent on each state, with a backend of its own, and has `recover` judge.
fn after_every_power_cut(
    what: &str,
    board: &Board,
    recording: &Recording,
    step: usize,
    recover: impl Fn(&Board, &Site) -> Result<(), String>,
) {
    let states = states(recording);
    let chosen: Vec<&Left> = states.iter().step_by(step).collect();
    let mut report = String::new();
    for (tree, signed, tokens) in &chosen {
        board.wipe();
        if let (Some(tree), Some(tokens)) = (tokens, board.tokens()) {
            tree.write(&tokens);
        }
        tree.write(&board.sota());
        let Recording {
            unsigned,
            signed: after,
            ..
        } = recording;
        let site = if *signed { after } else { unsigned }.restore();
        let left = board.tree();
        if let Err(problem) = recover(board, &site) {
            let now = board.tree();
            let _ = write!(
                report,
                "signed: {signed}: {problem}\n-- left by the cut:\n{left}\n-- now:\n{now}\n\n"
            );
        }
    }
    println!(
        "{what}: {} of {} states that a power cut may leave, at {} points",
        chosen.len(),
        states.len(),
        recording.steps.len() + 1
    );
    assert!(states.len() > 30, "only {} states", states.len());
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

#[test]
fn a_first_registration_with_a_key_on_a_token() {
    let site = Site::new();
    let board = Board::with_token();
    let recording = record(&site, &board);
    after_every_power_cut("power cut, token", &board, &recording, sampling(10), rerun);
}

#[test]
fn a_registration_on_a_token_that_replaces_another() {
    let site = Site::new();
    let (board, _) = register_first(Board::with_token(), &site);
    let recording = record(&site, &board);
    after_every_power_cut(
        "power cut, token, --force",
        &board,
        &recording,
        sampling(16),
        replace_again,
    );
}
