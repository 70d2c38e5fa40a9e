//! The agent against servers, disks and surroundings that misbehave. The answers of a backend that
//! is broken or lies are generated, several hundred of them, from a good one: none may change a
//! file, be taken for a success, reach the terminal raw, or cost much memory or time.

mod accepted;
mod bodies;
mod certificates;
mod changed;
mod configurations;
mod disk;
mod force;
mod names;
mod pem;
mod proxy;
mod status;
mod surroundings;
mod tls;
mod trust;
mod wire;

use std::fs;
use std::sync::LazyLock;

use lmp_test_support::answers::Backend;
use lmp_test_support::board::{Board, JOURNAL, Run, Snapshot, run};
use lmp_test_support::in_memory;
use lmp_test_support::scripted::{Answer, Request, ScriptedServer};
use lmp_test_support::tools::under;

/// Registers a new board with a backend that answers so.
fn register(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> (Board, Run) {
    let board = Board::new();
    let server = ScriptedServer::new(script);
    let run = board.register(&server.url(), [""; 0]);
    (board, run)
}

type Script = dyn Fn(&Backend, &Request) -> Answer + Send + Sync;

/// An answer that must not be taken.
struct Case {
    name: String,
    answer: Box<Script>,
    code: i32,
    /// Whether the backend may know the device, so that the journal stays.
    known: bool,
    words: Vec<String>,
    /// How many bytes may be printed.
    most: usize,
}

/// A 201 that is no good.
fn case(
    name: impl Into<String>,
    answer: impl Fn(&Backend, &Request) -> Answer + Send + Sync + 'static,
) -> Case {
    Case {
        name: name.into(),
        answer: Box::new(answer),
        code: 65,
        known: true,
        words: Vec::new(),
        most: 4096,
    }
}

/// A 201 with these bytes.
fn body(name: &str, bytes: Vec<u8>) -> Case {
    case(name, move |_, _| Answer::whole(201, &bytes))
}

impl Case {
    /// What standard error must hold.
    fn says(mut self, words: &str) -> Self {
        self.words.push(words.to_owned());
        self
    }

    /// The exit code, if the backend may know the device.
    fn fails(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    /// The exit code, if the backend cannot know the device.
    fn refused(mut self, code: i32) -> Self {
        self.known = false;
        self.fails(code)
    }

    /// Registers a board anew at a backend that answers so; says what went wrong.
    fn judge(self, backend: &'static Backend, files: &Snapshot) -> Result<(), String> {
        let Self {
            name,
            answer,
            code,
            known,
            words,
            most,
        } = self;
        let board = Board::within(in_memory());
        for (name, (mode, content)) in files {
            if mode & 0o170_000 == 0o040_000 {
                fs::create_dir(board.file(name)).unwrap();
            } else {
                fs::write(board.file(name), content).unwrap();
            }
        }
        let before = board.snapshot();
        let server = ScriptedServer::new(move |request| answer(backend, request));
        let mut command = board.command(&server.url());
        command.args(["--start-daemon=0", "--retry-for=0", "--force"]);
        command.args(IMPATIENT);
        // Both say by themselves what they found: neither is asked twice.
        let peak = board.path("peak");
        let watched = ["-q", "-f", "%M", "-o", peak.to_str().unwrap()];
        let command = under("/usr/bin/time", watched, &command);
        let run = run(under("/usr/bin/timeout", [TIME_LIMIT], &command));
        let peak = fs::read_to_string(peak).unwrap_or_default();
        let fail = |what: &str| Err(format!("{name}: {what}: {run}"));
        if run.code != Some(code) {
            return fail(&format!("not {code}"));
        }
        if board.snapshot_of_files() != before {
            return fail("a file was changed");
        }
        if board.file(JOURNAL).exists() != known {
            return fail("a journal, or none");
        }
        if !run.stdout.is_empty() || !run.stderr.contains("error: ") || run.stderr.len() > most {
            return fail("not said so, or with too many words");
        }
        if let Some(word) = words.iter().find(|word| !run.stderr.contains(*word)) {
            return fail(&format!("{word:?} is not said"));
        }
        if !peak
            .trim()
            .parse()
            .is_ok_and(|peak: u64| peak < MEMORY_LIMIT)
        {
            return fail(&format!("{peak} KiB of memory"));
        }
        if server.requests().len() != 1 {
            return fail("not asked, or twice");
        }
        Ok(())
    }
}

/// A server that does not answer is given up after a second or two.
const IMPATIENT: [&str; 3] = [
    "--connect-timeout=1",
    "--read-timeout=1",
    "--request-timeout=2",
];
/// Most resident memory of a run, in KiB.
const MEMORY_LIMIT: u64 = 32 * 1024;
/// Far beyond the two seconds that a request is given, for a machine under load.
const TIME_LIMIT: &str = "30";

/// None of the answers is taken.
#[track_caller]
fn rejected(cases: impl IntoIterator<Item = Case>) {
    static BACKEND: LazyLock<Backend> = LazyLock::new(Backend::new);
    /// What a registered board has, and its update client, is what may be lost.
    static FILES: LazyLock<Snapshot> = LazyLock::new(|| force::registered_board().1);
    let judged = cases.into_iter().map(|case| case.judge(&BACKEND, &FILES));
    let judged: Vec<_> = judged.collect();
    let count = judged.len();
    let problems: Vec<_> = judged.into_iter().filter_map(Result::err).collect();
    assert!(
        count > 0 && problems.is_empty(),
        "{} of {count}:\n{}",
        problems.len(),
        problems.join("\n\n")
    );
}
