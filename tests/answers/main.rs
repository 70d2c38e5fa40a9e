//! Several hundred answers of a backend that is broken or lies, generated from a good one. None may
//! change a file, be taken for a success, reach the terminal raw, or cost much memory or time.

#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod certificates;
mod wire;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::answers::Backend;
use common::board::{Board, Snapshot, run};
use common::scripted::{Answer, Request, ScriptedServer};

type Script = dyn Fn(&Backend, &Request) -> Answer + Send + Sync;

/// An answer that must not be taken.
struct Case {
    name: String,
    answer: Box<Script>,
}

fn case(
    name: impl Into<String>,
    answer: impl Fn(&Backend, &Request) -> Answer + Send + Sync + 'static,
) -> Case {
    Case {
        name: name.into(),
        answer: Box::new(answer),
    }
}

/// Most resident memory of a run, in KiB.
const MEMORY_LIMIT: u64 = 32 * 1024;
/// Far beyond the two seconds that a request is given, for a machine under load.
const TIME_LIMIT: &str = "30";
/// Answer rejected, temporary, refused, not authorised. Above all not 0, and not 70, our bug.
const CODES: [i32; 4] = [65, 75, 76, 77];

/// A registered board: what it has is what may be lost.
fn registered() -> Board {
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| backend.signed(request));
    let board = Board::new();
    board.register(&server.url(), [""; 0]).expect(0);
    board
}

fn copy(files: &Snapshot, to: &Path) {
    for (name, (_, content)) in files {
        fs::write(to.join(name), content).unwrap();
    }
}

/// Registers a board anew at a backend that answers so; says what went wrong.
fn try_case(case: Case, files: &Snapshot) -> Result<(), String> {
    let Case { name, answer } = case;
    let board = Board::new();
    copy(files, board.sota());
    let before = board.snapshot_of_files();
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| answer(&backend, request));
    let registration = board.command(&server.url());
    // Both say by themselves what they found: neither is asked twice.
    let peak = board.path("peak");
    let mut command = Command::new("/usr/bin/timeout");
    command.args([TIME_LIMIT, "/usr/bin/time", "-q", "-f", "%M", "-o"]);
    command.arg(&peak).arg(registration.get_program());
    command.args(registration.get_args());
    command.args(["--start-daemon", "0", "--retry-for", "0", "--force", "1"]);
    command.args([
        "--connect-timeout",
        "1",
        "--read-timeout",
        "1",
        "--request-timeout",
        "2",
    ]);
    command.env_clear().envs(
        registration
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let run = run(command);
    let kilobytes: u64 = fs::read_to_string(peak)
        .unwrap()
        .trim()
        .parse()
        .unwrap_or(u64::MAX);
    if !run.code.is_some_and(|code| CODES.contains(&code)) {
        return Err(format!("{name}: {run}"));
    }
    if board.snapshot_of_files() != before {
        return Err(format!("{name}: a file was changed: {run}"));
    }
    if kilobytes > MEMORY_LIMIT {
        return Err(format!("{name}: {kilobytes} KiB of memory: {run}"));
    }
    if server.requests().is_empty() {
        return Err(format!("{name}: nobody asked: {run}"));
    }
    Ok(())
}

#[test]
fn none_of_them_is_taken() {
    // Thousands of flushes take no time in memory.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        let _ = tempfile::env::override_temp_dir(memory);
    }
    let board = registered();
    let files = board.snapshot();
    let mut cases = bodies::cases();
    cases.extend(certificates::cases());
    cases.extend(wire::cases());
    let count = cases.len();
    let (cases, problems) = (Mutex::new(cases), Mutex::new(Vec::new()));
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = cases.lock().unwrap().pop();
                    let Some(case) = next else { break };
                    done.fetch_add(1, Ordering::Relaxed);
                    problems
                        .lock()
                        .unwrap()
                        .extend(try_case(case, &files).err());
                }
            });
        }
    });
    println!("{count} generated answers");
    let problems = problems.into_inner().unwrap();
    assert!(
        problems.is_empty(),
        "{} of {count}:\n{}",
        problems.len(),
        problems.join("\n\n")
    );
    assert!(
        count >= 200 && done.into_inner() == count,
        "only {count} answers"
    );
}

/// The same way of answering, unspoiled, is taken: otherwise the test above proves nothing.
#[test]
fn the_one_that_they_are_made_from_is_taken() {
    let board = registered();
    board.check(["--offline"]).expect(0);
}
