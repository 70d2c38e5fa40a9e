//! Boards begin in 1970: who says so, and who waits. libfaketime sets the clock that the agent
//! sees; its timers stay right.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::build_epoch;
use lmp_test_support::answers::signing_server;
use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::scripted::ScriptedServer;
use lmp_test_support::tools::tool;
use lmp_test_support::watched::Watched;

const FRESH: &str = "@1970-01-02 00:00:00";

/// Debian keeps it in a folder of the machine's architecture.
fn libfaketime() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib").unwrap().find_map(|entry| {
        let path = entry.unwrap().path().join("faketime/libfaketime.so.1");
        path.exists().then_some(path)
    });
    found.unwrap_or_else(|| panic!("no libfaketime: install the package faketime"))
}

fn set_clock(command: &mut Command, time: &str) {
    command.env("LD_PRELOAD", libfaketime());
    command.env("FAKETIME", time);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.env("TZ", "UTC");
}

/// A registration that sees this time.
fn command(board: &Board, server: &ScriptedServer, time: &str) -> Command {
    let mut command = board.command(&server.url());
    command.args(["--start-daemon", "0", "--retry-for", "0"]);
    set_clock(&mut command, time);
    command
}

/// What is said of a clock at `FRESH`; a build of unknown date cannot doubt any clock.
fn doubts(run: &str) -> bool {
    let said = run.contains("before this program was built");
    assert!(
        !said || run.contains("this device's clock says 1970-01-02T00:00"),
        "{run}"
    );
    assert_eq!(said, run.contains("--wait-clock SECS"), "{run}");
    said
}

fn dated() -> bool {
    build_epoch() > 0
}

/// `SOURCE_DATE_EPOCH` or the commit says when this was built, unless there is neither.
#[test]
fn the_build_has_the_date_of_its_commit() {
    let has_commit = Path::new(".git").exists();
    assert!(dated() || !has_commit);
    assert!(
        build_epoch() < 4_102_444_800,
        "before 2100: {}",
        build_epoch()
    );
}

/// The certificate will be valid once the clock is right: that is no reason to refuse it.
#[test]
fn a_certificate_of_the_future() {
    let (board, server) = (Board::new(), signing_server());
    let run = run(command(&board, &server, FRESH)).expect(0);
    assert!(run.stderr.contains("warning: "), "{run}");
    assert_eq!(doubts(&run.stderr), dated(), "{run}");
    board.check(["--offline"]).expect(0);
}

#[test]
fn a_right_clock_is_not_doubted() {
    let (board, server) = (Board::new(), signing_server());
    let now = format!("@{}", tool("date", ["-u", "+%Y-%m-%d %H:%M:%S"]).trim());
    let mut command = command(&board, &server, &now);
    command.args(["--wait-clock", "600"]);
    let run = run(command).expect(0);
    assert_eq!(run.stderr.matches("clock").count(), 0, "{run}");
}

/// TLS fails because of the clock, and says so.
#[test]
fn a_server_of_the_future() {
    let (factory, board) = (Factory::new(), Board::new());
    let register = |time: Option<&str>| -> Run {
        let mut command = factory.command(&board);
        if let Some(time) = time {
            set_clock(&mut command, time);
        }
        run(command)
    };
    let run = register(Some(FRESH)).expect(75).says(&[
        "cannot connect",
        "its certificate is valid from 20",
        "and this device's clock says 1970-01-02T00:00:",
        "hint: ",
    ]);
    if dated() {
        assert!(doubts(&run.stderr), "{run}");
    } else {
        assert!(
            run.stderr.contains("hint: the device's clock may be wrong"),
            "{run}"
        );
    }
    assert!(board.names().is_empty());
    // A clock that is ahead cannot be told from a certificate that is old.
    let run = register(Some("@2125-01-01 00:00:00")).expect(78);
    let run = run.says(&[
        "its certificate expired on 20",
        "and this device's clock says 2125-01-01T00:00:",
        "hint: the device's clock may be wrong: compare it with date -u",
    ]);
    assert!(!doubts(&run.stderr));
    register(None).expect(0);
}

/// `check` cannot wait for a clock, and does not offer it.
#[test]
fn a_gateway_of_the_future() {
    let (factory, board) = (Factory::new(), Board::new());
    factory.register(&board, &[]).expect(0);
    let mut command = board.bare_command();
    command.arg("check").arg("--sota-dir").arg(board.sota());
    set_clock(&mut command, FRESH);
    let run = run(command).expect(75).says(&["is valid from", "hint: "]);
    assert!(!run.stderr.contains("--wait-clock"), "{run}");
}

/// It waits, warns, and goes on.
#[test]
fn waiting_in_vain() {
    let (board, server) = (Board::new(), signing_server());
    let mut command = command(&board, &server, FRESH);
    command.args(["--wait-clock", "1"]);
    let run = run(command).expect(0);
    assert_eq!(
        run.stderr.contains("Waiting for the clock to be set"),
        dated(),
        "{run}"
    );
    assert_eq!(doubts(&run.stderr), dated(), "{run}");
}

/// NTP sets the clock while the agent waits: it goes on at once, long before its limit.
#[test]
fn waiting_for_the_clock() {
    if !dated() {
        return; // Covered above: such a build never waits.
    }
    let (board, server) = (Board::new(), signing_server());
    let clock = board.path("clock");
    std::fs::write(&clock, FRESH).unwrap();
    let mut command = command(&board, &server, FRESH);
    command
        .env_remove("FAKETIME")
        .env("FAKETIME_TIMESTAMP_FILE", &clock);
    command.env("FAKETIME_NO_CACHE", "1");
    command.args(["--wait-clock", "86400"]);
    let run = Watched::piped(command);
    run.wait_for("Waiting for the clock to be set");
    assert_eq!(server.connections(), 0);
    // Renamed into place: a half written time would be another one.
    std::fs::write(board.path("clock.new"), "+0").unwrap();
    std::fs::rename(board.path("clock.new"), &clock).unwrap();
    let ended = run.end().expect(0);
    assert!(!ended.output.contains("warning"), "{ended:?}");
    board.check(["--offline"]).expect(0);
}
