//! Tokens: SoftHSM in a directory of its own, the module that misbehaves, and the tools that look at
//! a token from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::board::{Board, JOURNAL, Run, run};
use crate::factory::Factory;

/// The module of SoftHSM as Debian installs it.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// User PIN of every token here; nothing else in a run may hold these characters.
pub const PIN: &str = "87650pin4321";
/// Security officer PIN of every token here.
pub const SO_PIN: &str = "12340sopin5678";
/// The label that the agent looks for.
pub const LABEL: &str = "aktualizr";

/// Where Debian puts a library for this machine.
pub fn library(name: &str) -> PathBuf {
    let folder = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    Path::new(&folder).join(name)
}

/// SoftHSM's tokens of one test.
pub struct SoftHsm {
    dir: TempDir,
}

impl SoftHsm {
    /// A blank token.
    pub fn blank() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokens = dir.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let text = format!(
            "directories.tokendir = {}\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(dir.path().join("softhsm2.conf"), text).unwrap();
        Self { dir }
    }

    /// An initialised token labelled [`LABEL`], and the blank one that SoftHSM always shows.
    pub fn new() -> Self {
        let tokens = Self::blank();
        tokens.initialise(LABEL);
        tokens
    }

    /// Initialises one more token.
    pub fn initialise(&self, label: &str) {
        let mut command = self.command("softhsm2-util");
        command.args(["--init-token", "--free", "--label", label]);
        command.args(["--so-pin", SO_PIN, "--pin", PIN]);
        succeed(command);
    }

    /// Lets `command` see these tokens.
    pub fn show_to(&self, command: &mut Command) {
        command.env("SOFTHSM2_CONF", self.dir.path().join("softhsm2.conf"));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        self.show_to(&mut command);
        command.env("LC_ALL", "C");
        command
    }

    /// A path in this test's own directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `pkcs11-tool` on the token of that label, logged in.
    pub fn tool(&self, label: &str, arguments: &[&str]) -> String {
        let mut command = self.command("pkcs11-tool");
        command.args(["--module", SOFTHSM, "--token-label", label]);
        command.args(["--login", "--pin", PIN]).args(arguments);
        succeed(command)
    }

    /// The objects on the token of that label: class, label, id; sorted.
    pub fn objects_on(&self, label: &str) -> Vec<String> {
        objects(&self.tool(label, &["--list-objects"]))
    }

    /// The objects on the token labelled [`LABEL`].
    pub fn objects(&self) -> Vec<String> {
        self.objects_on(LABEL)
    }

    /// The tokens in the order of their slots; one that is not initialised has no label.
    pub fn slots(&self) -> Vec<Slot> {
        let mut command = self.command("pkcs11-tool");
        command.args(["--module", SOFTHSM, "--list-token-slots"]);
        let text = succeed(command);
        let value = |block: &str, name: &str| {
            let mut lines = block.lines().map(str::trim);
            let line = lines.find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let slot = |block| Slot {
            label: value(block, "token label"),
            serial: value(block, "serial num").unwrap_or_default(),
            flags: value(block, "token flags").unwrap_or_default(),
        };
        text.split("Slot ").skip(1).map(slot).collect()
    }

    /// Labels of all initialised tokens, sorted.
    pub fn labels(&self) -> Vec<String> {
        let slots = self.slots().into_iter();
        let mut labels: Vec<String> = slots.filter_map(|slot| slot.label).collect();
        labels.sort();
        labels
    }

    /// The words after `token flags` of the token of that label.
    pub fn flags(&self, label: &str) -> String {
        let mut slots = self.slots().into_iter();
        let slot = slots.find(|slot| slot.label.as_deref() == Some(label));
        slot.unwrap().flags
    }

    /// Initialises the blank token and stops before it has its user PIN.
    pub fn half_initialise(&self) {
        let mut command = self.command("pkcs11-tool");
        command.args(["--module", SOFTHSM, "--init-token", "--slot-index", "0"]);
        command.args(["--label", LABEL, "--so-pin", SO_PIN]);
        succeed(command);
    }

    /// Puts a certificate, DER, where the agent puts its own.
    pub fn write_certificate(&self, path: &str) {
        let place = ["--type", "cert", "--id", "03", "--label", "client"];
        self.tool(LABEL, &[&["--write-object", path][..], &place].concat());
    }

    /// Makes a key pair that is not the agent's.
    pub fn make_key(&self, token: &str, label: &str, id: &str, more: &[&str]) {
        let mut arguments = vec!["--keypairgen", "--key-type", "EC:prime256v1"];
        arguments.extend(["--label", label, "--id", id]);
        arguments.extend(more);
        self.tool(token, &arguments);
    }
}

/// What `pkcs11-tool --list-token-slots` shows of a token.
pub struct Slot {
    /// Without the blanks at its end.
    pub label: Option<String>,
    /// Serial number.
    pub serial: String,
    /// The words for them.
    pub flags: String,
}

/// What `pkcs11-tool --list-objects` shows: class, label, id; sorted.
pub fn objects(listing: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in listing.lines() {
        let value = |name: &str| line.trim().strip_prefix(name).map(str::trim);
        if let Some((class, _)) = line.split_once(" Object;") {
            found.push(class.to_lowercase());
        } else if let Some(value) = value("label:").or_else(|| value("ID:")) {
            let object = found.last_mut().unwrap();
            object.push(' ');
            object.push_str(value);
        }
    }
    found.sort();
    found
}

/// The objects of a registration under these ids, as [`objects`] lists them.
pub fn registration(key: &str, certificate: &str) -> Vec<String> {
    vec![
        format!("certificate client {certificate}"),
        format!("private key tls {key}"),
        format!("public key tls {key}"),
    ]
}

/// Standard output of a tool that must succeed.
#[track_caller]
pub fn succeed(mut command: Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The module that misbehaves as the variable `ODD` says; compiled once.
pub fn odd_module() -> &'static Path {
    static MODULE: OnceLock<PathBuf> = OnceLock::new();
    MODULE.get_or_init(|| {
        let source = crate::repository("tests/shim/odd_token.c");
        let folder = crate::build_folder();
        let module = folder.join("odd_token.so");
        let mine = folder.join(format!("odd_token-{}.so", std::process::id()));
        let mut command = Command::new("cc");
        command.args(["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
        command.arg("-I/usr/include/p11-kit-1").arg("-o");
        command.arg(&mine).arg(source);
        succeed(command);
        fs::rename(&mine, &module).unwrap();
        module
    })
}

/// A board with a token: what they share in a run.
pub struct TokenBoard {
    /// The device.
    pub board: Board,
    /// Its tokens.
    pub hsm: SoftHsm,
}

impl TokenBoard {
    /// With an initialised token.
    pub fn new() -> Self {
        Self::with(SoftHsm::new())
    }

    /// With a blank token.
    pub fn blank() -> Self {
        Self::with(SoftHsm::blank())
    }

    /// With a registration at a factory.
    pub fn registered() -> (Factory, Self) {
        let (factory, device) = (Factory::new(), Self::new());
        device.register(&factory, &[]).expect(0);
        (factory, device)
    }

    /// With these tokens.
    pub fn with(hsm: SoftHsm) -> Self {
        Self {
            board: Board::new(),
            hsm,
        }
    }

    /// A registration at `factory` with SoftHSM and both PINs.
    pub fn command(&self, factory: &Factory) -> Command {
        self.command_with(factory, Path::new(SOFTHSM))
    }

    /// The same with another module.
    pub fn command_with(&self, factory: &Factory, module: &Path) -> Command {
        let mut command = factory.command(&self.board);
        self.hsm.show_to(&mut command);
        command.arg("--hsm-module").arg(module);
        command.args(["--hsm-pin", PIN, "--hsm-so-pin", SO_PIN]);
        command
    }

    /// Registers at `factory`.
    #[track_caller]
    pub fn register(&self, factory: &Factory, arguments: &[&str]) -> Run {
        let mut command = self.command(factory);
        command.args(arguments);
        self.run(command)
    }

    /// Registers with the module that misbehaves in this way.
    #[track_caller]
    pub fn register_odd(&self, factory: &Factory, odd: &str, arguments: &[&str]) -> Run {
        let mut command = self.command_with(factory, odd_module());
        command.args(arguments);
        self.make_odd(&mut command, odd);
        self.run(command)
    }

    /// Lets the module that misbehaves do so in `command`.
    pub fn make_odd(&self, command: &mut Command, odd: &str) {
        self.hsm.show_to(command);
        command.env("ODD", odd).env("ODD_MODULE", SOFTHSM);
    }

    /// `check`, whatever the module.
    #[track_caller]
    pub fn check(&self, odd: &str) -> Run {
        let mut command = self.board.bare_command();
        command.args(["check", "--sota-dir"]).arg(self.board.sota());
        self.make_odd(&mut command, odd);
        self.run(command)
    }

    /// Runs a command: no PIN is ever in what it says, nor in a file but `sota.toml`, or the journal
    /// that holds it.
    #[track_caller]
    pub fn run(&self, command: Command) -> Run {
        let run = run(command);
        for pin in [PIN, SO_PIN] {
            assert!(!format!("{run:?}").contains(pin), "a PIN: {run}");
        }
        for path in self.pin_holders() {
            let is_known = path == "sota.toml" || path == JOURNAL;
            assert!(is_known, "a PIN is in {path}: {run}");
            assert_eq!(self.board.mode(&path), 0o600, "{path}: {run}");
        }
        run
    }

    /// The files of the registration and its journal that hold a PIN.
    pub fn pin_holders(&self) -> Vec<String> {
        let holds = |content: &[u8], pin: &str| {
            content
                .windows(pin.len())
                .any(|window| window == pin.as_bytes())
        };
        self.board
            .snapshot()
            .into_iter()
            .filter(|(_, (_, content))| holds(content, PIN) || holds(content, SO_PIN))
            .map(|(path, _)| path)
            .collect()
    }

    /// Runs `command` with every PKCS#11 call to `module` written down; the calls' names.
    #[track_caller]
    pub fn spied(&self, mut command: Command, module: &Path) -> (Run, Vec<String>) {
        let log = self.hsm.path("spy.log");
        drop(fs::remove_file(&log));
        command.env("PKCS11SPY", module);
        command.env("PKCS11SPY_OUTPUT", &log);
        let run = self.run(command);
        (run, spied_calls(&log))
    }

    /// The names of the files, without the update client's own.
    pub fn names(&self) -> Vec<String> {
        self.board.names()
    }
}

/// The names of the calls in a file that [`spy`] wrote.
pub fn spied_calls(log: &Path) -> Vec<String> {
    let text = fs::read(log).unwrap();
    let text = String::from_utf8_lossy(&text);
    let calls = text.lines().filter_map(|line| line.split_once(": C_"));
    let calls = calls.filter(|(number, _)| number.parse::<u32>().is_ok());
    calls.map(|(_, name)| format!("C_{name}")).collect()
}

/// The module that writes calls down.
pub fn spy() -> PathBuf {
    let module = library("pkcs11-spy.so");
    assert!(
        module.exists(),
        "{module:?} is missing: apt install opensc-pkcs11"
    );
    module
}
