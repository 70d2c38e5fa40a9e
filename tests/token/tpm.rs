//! The same on a TPM 2.0: swtpm and tpm2-pkcs11, as on a board with a TPM.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lmp_test_support::board::{Board, Run, run};
use lmp_test_support::factory::Factory;
use lmp_test_support::token::{
    LABEL, PIN, SO_PIN, library, objects, registration, spied_calls, spy, succeed,
};

/// A software TPM of its own for a test.
struct Tpm {
    emulator: Child,
    // Dropped after the emulator.
    dir: tempfile::TempDir,
}

impl Drop for Tpm {
    fn drop(&mut self) {
        drop(self.emulator.kill());
        drop(self.emulator.wait());
    }
}

impl Tpm {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["state", "store"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let socket = |name: &str| format!("type=unixio,path={}", dir.path().join(name).display());
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
        command
            .arg("--tpmstate")
            .arg(format!("dir={}", dir.path().join("state").display()));
        command.arg("--server").arg(socket("tpm"));
        command.arg("--ctrl").arg(socket("tpm.ctrl"));
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let emulator = command.spawn().unwrap();
        let tpm = Self { emulator, dir };
        tpm.wait();
        tpm
    }

    /// Until the emulator's sockets are there.
    fn wait(&self) {
        while !(self.path("tpm").exists() && self.path("tpm.ctrl").exists()) {
            std::thread::yield_now();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn show_to(&self, command: &mut Command) {
        let tcti = format!("swtpm:path={}", self.path("tpm").display());
        command.env("TPM2TOOLS_TCTI", &tcti);
        command.env("TPM2_PKCS11_TCTI", &tcti);
        command.env("TPM2_PKCS11_STORE", self.path("store"));
        command.env("TSS2_LOG", "all+NONE");
    }

    fn module() -> PathBuf {
        library("libtpm2_pkcs11.so.1")
    }

    fn objects(&self) -> Vec<String> {
        objects(&self.tool(&["--list-objects"]))
    }

    fn tool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("pkcs11-tool");
        self.show_to(&mut command);
        command.arg("--module").arg(Self::module());
        command.args(["--token-label", LABEL, "--login", "--pin", PIN]);
        command.args(arguments);
        succeed(command)
    }

    fn command(&self, factory: &Factory, board: &Board, module: &Path) -> Command {
        let mut command = factory.command(board);
        self.show_to(&mut command);
        command.arg("--hsm-module").arg(module);
        command.args(["--hsm-pin", PIN, "--hsm-so-pin", SO_PIN]);
        command
    }

    fn check(&self, board: &Board) -> Run {
        let mut command = board.bare_command();
        self.show_to(&mut command);
        command.args(["check", "--sota-dir"]).arg(board.sota());
        run(command)
    }
}

#[test]
fn a_tpm_from_blank_to_replaced() {
    let factory = Factory::new();
    let (tpm, board) = (Tpm::new(), Board::new());
    run(tpm.command(&factory, &board, &Tpm::module())).expect(0);
    assert_eq!(tpm.objects(), registration("01", "03"));
    let private = tpm.tool(&["--list-objects", "--type", "privkey"]);
    assert!(private.contains("never extractable"), "{private}");
    let checked = tpm.check(&board).expect(0);
    assert!(checked.stdout.contains("mTLS works"), "{checked}");

    let mut wrong = tpm.command(&factory, &board, &Tpm::module());
    wrong.args(["--force", "--hsm-token-label", "nobody's", "--uuid", "x"]);
    run(wrong).expect(78);

    let mut force = tpm.command(&factory, &board, &Tpm::module());
    force.arg("--force");
    run(force).expect(0);
    assert_eq!(tpm.objects(), registration("07", "09"));
    tpm.check(&board).expect(0);
}

#[test]
fn a_tpm_is_asked_as_little_as_another_token() {
    let factory = Factory::new();
    let (tpm, board) = (Tpm::new(), Board::new());
    let log = tpm.path("spy.log");
    let mut command = tpm.command(&factory, &board, &spy());
    command
        .env("PKCS11SPY", Tpm::module())
        .env("PKCS11SPY_OUTPUT", &log);
    run(command).expect(0);
    let calls = spied_calls(&log).len();
    assert!((20..=45).contains(&calls), "{calls} calls");
}

#[test]
fn a_wrong_pin_and_a_leftover_key_on_a_tpm() {
    let factory = Factory::new();
    let (tpm, board) = (Tpm::new(), Board::new());
    run(tpm.command(&factory, &board, &Tpm::module())).expect(0);
    for name in board.names() {
        std::fs::remove_file(board.file(&name)).unwrap();
    }
    run(tpm.command(&factory, &board, &Tpm::module()))
        .expect(69)
        .says(&["private key \"tls\" id 01", "certificate \"client\" id 03"]);
    let mut wrong = factory.command(&board);
    tpm.show_to(&mut wrong);
    wrong.arg("-m").arg(Tpm::module());
    wrong.args(["-P", "wrong-pin", "--force"]);
    run(wrong).expect(77).says(&["PIN"]);
    assert_eq!(tpm.objects(), registration("01", "03"));
    assert!(board.names().is_empty());
}

/// The module shows no flag of that before: a wrong PIN must never be tried by a machine again.
#[test]
fn a_tpm_locks_itself() {
    let factory = Factory::new();
    let (tpm, board) = (Tpm::new(), Board::new());
    run(tpm.command(&factory, &board, &Tpm::module())).expect(0);
    let mut wrong = factory.command(&board);
    tpm.show_to(&mut wrong);
    wrong.arg("-m").arg(Tpm::module()).args(["--force", "-P"]);
    let mut right = lmp_test_support::tools::under("/usr/bin/env", [""; 0], &wrong);
    right.arg(PIN);
    wrong.arg("wrong-pin");
    for _ in 0..3 {
        run(lmp_test_support::tools::under(
            "/usr/bin/env",
            [""; 0],
            &wrong,
        ))
        .expect(77);
    }
    run(right)
        .expect(77)
        .says(&["CKR_PIN_LOCKED", "a TPM unlocks itself"]);
}
