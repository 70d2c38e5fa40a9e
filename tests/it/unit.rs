//! The systemd unit and its drop-ins, and what the agent writes for the journal.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::agent::Kind;
use crate::agent::args;
use lmp_test_support::answers::{Backend, invitation};
use lmp_test_support::board::{Board, JOURNAL};
use lmp_test_support::scripted::{Answer, ScriptedServer};
use lmp_test_support::tools::{output, tool};
use lmp_test_support::{agent, repository};
use tempfile::TempDir;

const UNIT: &str = "lmp-device-auto-register.service";
/// The most exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "15";

fn source(name: &str) -> String {
    let path = repository("systemd").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The unit as it is installed, with these drop-ins, except for where the agent is.
fn installed(drop_ins: &[&str]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let text = source(UNIT);
    let start = "ExecStart=/usr/bin/lmp-device-register ";
    assert_eq!(text.matches(start).count(), 1, "{text}");
    let built = format!("ExecStart={} ", agent().display());
    let unit = dir.path().join(UNIT);
    fs::write(&unit, text.replace(start, &built)).unwrap();
    let parts = dir.path().join(format!("{UNIT}.d"));
    fs::create_dir(&parts).unwrap();
    for name in drop_ins {
        let text = source(&format!("drop-ins/{name}"));
        fs::write(parts.join(name.rsplit('/').next().unwrap()), text).unwrap();
    }
    (dir, unit)
}

/// Every value of a key.
fn values(text: &str, key: &str) -> Vec<String> {
    let prefix = format!("{key}=");
    let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix));
    lines
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

/// What `systemd-analyze verify` complains of; it says nothing of a good unit.
fn complaints(drop_ins: &[&str]) -> Vec<String> {
    let (_dir, unit) = installed(drop_ins);
    let result = output(
        "systemd-analyze",
        ["verify", "--man=no", unit.to_str().unwrap()],
    );
    let said = String::from_utf8(result.stderr).unwrap();
    let ours = said.lines().filter(|line| line.contains("lmp-device"));
    let ours: Vec<String> = ours.map(str::to_owned).collect();
    assert!(result.status.success() || !ours.is_empty(), "{said}");
    ours
}

#[test]
fn it_is_clean() {
    assert!(complaints(&[]).is_empty(), "{:?}", complaints(&[]));
    assert!(
        complaints(&["pkcs11.conf"]).is_empty(),
        "{:?}",
        complaints(&["pkcs11.conf"])
    );
    let example =
        "../../examples/image/etc/systemd/system/lmp-device-auto-register.service.d/token.conf";
    assert!(
        complaints(&[example]).is_empty(),
        "{:?}",
        complaints(&[example])
    );
}

/// A run that was cut off after `client.pem` is finished at the next boot, whichever version began it.
#[test]
fn it_finishes_what_was_cut_off() {
    let conditions = values(&source(UNIT), "ConditionPathExists");
    for name in [JOURNAL, ".registration"] {
        let condition = format!("|/var/sota/{name}");
        assert!(
            conditions.contains(&condition),
            "{conditions:?} lacks {condition}"
        );
    }
}

/// Every drop-in is known here; this one needs a newer systemd than some that check it.
#[test]
fn the_drop_in_for_newer_systemds() {
    let folder = repository("systemd/drop-ins");
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["pkcs11.conf", "restart-steps.conf"]);
    for complaint in complaints(&["restart-steps.conf"]) {
        let newer = ["RestartSteps", "RestartMaxDelaySec"];
        assert!(
            newer
                .iter()
                .any(|key| complaint.contains(&format!("'{key}'"))),
            "{complaint}"
        );
    }
}

/// The check above would see a mistake.
#[test]
fn a_mistake_is_seen() {
    let (dir, unit) = installed(&[]);
    let text = fs::read_to_string(&unit)
        .unwrap()
        .replace("NoNewPrivileges=", "NoNewPrivilege=");
    fs::write(&unit, text).unwrap();
    let result = output(
        "systemd-analyze",
        ["verify", "--man=no", unit.to_str().unwrap()],
    );
    let said = String::from_utf8(result.stderr).unwrap();
    assert!(said.contains("NoNewPrivilege"), "{said}");
    drop(dir);
}

fn security(unit: &Path, threshold: &str) -> std::process::Output {
    let threshold = format!("--threshold={threshold}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    output(
        "systemd-analyze",
        arguments.iter().copied().chain([unit.to_str().unwrap()]),
    )
}

#[test]
fn it_is_locked_in() {
    let (_dir, unit) = installed(&[]);
    let result = security(&unit, EXPOSURE);
    let table = String::from_utf8_lossy(&result.stdout).into_owned();
    assert!(result.status.success(), "{table}");
    assert!(
        !security(&unit, "1").status.success(),
        "the threshold counts"
    );
}

/// With the drop-in the kernel's TPM and TEE can be talked to, and nothing else is opened.
#[test]
fn the_drop_in_for_secure_elements() {
    let exposure = |drop_ins: &[&str]| {
        let (_dir, unit) = installed(drop_ins);
        let arguments = ["security", "--offline=true", "--json=short"];
        let table = tool(
            "systemd-analyze",
            arguments.iter().copied().chain([unit.to_str().unwrap()]),
        );
        let table: Vec<serde_json::Value> = serde_json::from_str(&table).unwrap();
        let open = table.iter().filter(|row| row["set"] == false);
        let names = open.map(|row| row["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let with = exposure(&["pkcs11.conf"]);
    let mut more: Vec<_> = with
        .iter()
        .filter(|name| !exposure(&[]).contains(name))
        .collect();
    more.sort();
    assert_eq!(more, ["PrivateDevices="]);
    let (_dir, unit) = installed(&["pkcs11.conf"]);
    assert!(
        security(&unit, "17").status.success(),
        "1.6 with systemd 252"
    );
    let text = source("drop-ins/pkcs11.conf");
    for device in ["/dev/tee0", "/dev/tpmrm0", "char-tee", "char-tpm"] {
        assert!(
            values(&text, "DeviceAllow").contains(&device.to_owned()),
            "{device}"
        );
    }
}

/// Whether trying again can help, for every way to fail. A new one must be put here.
fn is_retried(kind: Kind) -> bool {
    match kind {
        // Somebody else is at work, the disk may be freed, the token plugged in, the network up.
        Kind::Busy | Kind::Token | Kind::Storage | Kind::Temporary => true,
        // The first is no failure for the unit: its work is done. A PIN is `Unauthorised`.
        Kind::AlreadyRegistered
        | Kind::Usage
        | Kind::Answer
        | Kind::Bug
        | Kind::Refused
        | Kind::Unauthorised
        | Kind::Configuration => false,
    }
}

#[test]
fn every_exit_code_is_tried_again_or_not_on_purpose() {
    let text = source(UNIT);
    assert_eq!(values(&text, "Restart"), ["on-failure"]);
    let success = values(&text, "SuccessExitStatus");
    assert_eq!(success, [Kind::AlreadyRegistered.exit_code().to_string()]);
    let mut expected: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| !is_retried(*kind))
        .map(|kind| kind.exit_code().to_string())
        .filter(|code| !success.contains(code))
        .collect();
    let mut excluded = values(&text, "RestartPreventExitStatus");
    expected.sort();
    excluded.sort();
    assert_eq!(excluded, expected);
}

/// The agent understands what the unit says to it, and ends before systemd loses its patience.
#[test]
fn its_command_line() {
    let text = source(UNIT);
    let words = values(&text, "ExecStart");
    let line = args::parse(words.iter().map(Into::into)).unwrap();
    let Some(args::Command::Auto(auto)) = line.command else {
        panic!("{words:?}");
    };
    // The third is how long lmp-factory's codes live.
    let longest = auto.retry_for.unwrap() + auto.wait_clock.unwrap() + 900;
    assert_eq!(values(&text, "TimeoutStartSec"), ["45min"]);
    assert!(longest + 120 <= 45 * 60, "{longest} s and one last attempt");
}

/// An image may have no `/var/sota`: it is made before the unit starts, and where nothing makes it
/// the agent is started all the same and says what is missing (tests/board boots both).
#[test]
fn an_image_without_its_directory() {
    let text = source(UNIT);
    assert_eq!(values(&text, "ReadWritePaths"), ["-/var/sota"]);
    assert!(values(&text, "After").contains(&"systemd-tmpfiles-setup.service".to_owned()));
    let made = source("../packaging/tmpfiles.conf");
    assert!(
        made.lines()
            .any(|line| line == "d /var/sota 0755 root root -"),
        "{made}"
    );
}

/// A path there would have to exist, or the unit fails before the agent can say what it misses.
#[test]
fn the_credential_may_be_absent() {
    assert_eq!(values(&source(UNIT), "LoadCredential"), ["api-token"]);
}

/// Runs it with standard error as the journal would be, and returns its lines. systemd says which
/// device and inode the journal is.
fn lines_of(board: &Board, mut command: Command, is_journal: bool) -> Vec<String> {
    let path = board.path("journal");
    let file = File::create(&path).unwrap();
    let facts = file.metadata().unwrap();
    let inode = facts.ino() + u64::from(!is_journal);
    command.env("JOURNAL_STREAM", format!("{}:{inode}", facts.dev()));
    command.stderr(file).output().unwrap();
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn registration(board: &Board, server: &ScriptedServer, retry_for: &str) -> Command {
    let mut command = board.command(&server.url());
    command.args(["--start-daemon", "0", "--verbose", "--retry-for", retry_for]);
    command
}

#[track_caller]
fn assert_line(lines: &[String], start: &str) {
    assert!(
        lines.iter().any(|line| line.starts_with(start)),
        "{start:?} in {lines:#?}"
    );
}

#[test]
fn lines_of_the_journal_have_priorities() {
    let backend = Backend::new();
    let server = ScriptedServer::new(move |request| match request.number {
        0 => Answer::Close(Vec::new()),
        1 => Answer::json(403, &serde_json::json!({ "message": "first\nsecond" })),
        _ => backend.signed(request),
    });
    let board = Board::new();
    let lines = lines_of(&board, registration(&board, &server, "0"), true);
    assert_line(&lines, "<3>error: the connection");
    assert_line(&lines, "<3>hint: ");
    assert_line(&lines, "<5>Registering device ");
    assert_line(&lines, "<6>factory = ");
    let every = lines.iter().all(|line| {
        let priority = line.strip_prefix('<').and_then(|rest| rest.get(..2));
        matches!(priority, Some("3>" | "4>" | "5>" | "6>"))
    });
    assert!(every, "{lines:#?}");

    let lines = lines_of(&board, registration(&board, &server, "0"), true);
    assert_line(&lines, "<5>An earlier run was interrupted");
    assert_line(&lines, "<3>error: the backend answered 403: first");
    assert!(
        lines.iter().all(|line| line.starts_with('<')),
        "no line is forged: {lines:#?}"
    );

    // Retrying is a warning.
    let board = Board::new();
    let busy = ScriptedServer::new(|request| match request.number {
        0 => Answer::whole(429, b""),
        _ => Answer::whole(403, b""),
    });
    let lines = lines_of(&board, registration(&board, &busy, "60"), true);
    assert_line(&lines, "<4>warning: the backend answered 429");
}

/// An invitation to approve is for everybody who reads the journal.
#[test]
fn an_invitation_in_the_journal() {
    let board = Board::new();
    let server = ScriptedServer::new(|request| {
        if request.target.ends_with("/token/") {
            return Answer::json(400, &serde_json::json!({ "error": "access_denied" }));
        }
        Answer::json(200, &invitation())
    });
    let mut command = board.local_command();
    command.env("OAUTH_BASE", format!("http://{}/oauth", server.address()));
    let lines = lines_of(&board, command, true);
    assert_line(&lines, "<5>  code:    WDJB-MJHT");
    assert_line(&lines, "<3>error: the registration was denied");
    assert!(lines.iter().all(|line| line.starts_with('<')), "{lines:#?}");
}

#[test]
fn no_priorities_where_nobody_reads_them() {
    let server = ScriptedServer::always(Answer::whole(403, b""));
    let board = Board::new();
    let lines = lines_of(&board, registration(&board, &server, "0"), false);
    assert_line(&lines, "error: the backend answered 403");
    assert!(
        !lines.iter().any(|line| line.starts_with('<')),
        "{lines:#?}"
    );
}

/// The tool that these tests rely on is there.
#[test]
fn systemd_is_new_enough() {
    let version = tool("systemd-analyze", ["--version"]);
    let number = version.split_whitespace().nth(1).unwrap();
    assert!(number.parse::<u32>().unwrap() >= 250, "{version}");
}
