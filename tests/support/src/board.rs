//! A board: a directory for its registration, its os-release, and the real program.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The API token of every board.
pub const TOKEN: &str = "5ecr3t-t0ken-0f-the-b0ard";
/// No run takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a registration with a software key leaves, sorted.
pub const FILES: [&str; 5] = [
    "client.chained",
    "client.pem",
    "pkey.pem",
    "root.crt",
    "sota.toml",
];
/// The journal, which stays while the backend may know the device: the next run asks for the
/// same one.
pub const JOURNAL: &str = ".registration.journal";

/// What is in a directory: path relative to it, mode, and content (of a link, its target).
pub type Snapshot = BTreeMap<String, (u32, Vec<u8>)>;

/// A device.
pub struct Board {
    dir: TempDir,
    sota: PathBuf,
}

impl Board {
    /// With an os-release and an API token, and nothing else.
    pub fn new() -> Self {
        Self::within(tempfile::tempdir().unwrap())
    }

    /// The same in this directory.
    pub fn within(dir: TempDir) -> Self {
        let sota = dir.path().join("sota");
        let board = Self { dir, sota };
        fs::create_dir(board.sota()).unwrap();
        fs::create_dir(board.path("bin")).unwrap();
        fs::create_dir(board.path("config")).unwrap();
        fs::write(board.path("token"), format!("{TOKEN}\n")).unwrap();
        let release = "LMP_FACTORY=\"acme\"\nLMP_FACTORY_TAG='main'\nLMP_MACHINE=raspberrypi4-64\n";
        fs::write(board.path("os-release"), release).unwrap();
        board
    }

    /// The same board with its registration in another place.
    pub fn with_sota(mut self, sota: PathBuf) -> Self {
        self.sota = sota;
        self
    }

    /// Where the registration goes.
    pub fn sota(&self) -> &Path {
        &self.sota
    }

    /// A path inside the registration's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.sota.join(name)
    }

    /// A file of the registration as text.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A path on this board outside of the registration's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The update client's lock file, which nobody has made.
    pub fn lock(&self) -> PathBuf {
        self.path("aklite.lock")
    }

    /// An executable in the only directory of `PATH`.
    pub fn install_program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The program in an empty environment, without any option.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(crate::agent());
        command.env_clear().env("PATH", self.path("bin"));
        command
    }

    /// A registration with this board's own places, and nothing else said.
    pub fn local_command(&self) -> Command {
        let mut command = self.bare_command();
        command.arg("--sota-dir").arg(self.sota());
        command.arg("--config-dir").arg(self.path("config"));
        command.arg("--os-release").arg(self.path("os-release"));
        command.arg("--update-client-lock").arg(self.lock());
        command
    }

    /// A registration at `api` with the API token, and nothing else said.
    pub fn command(&self, api: &str) -> Command {
        let mut command = self.local_command();
        command.env("DEVICE_API", api);
        command.arg("--api-token-file").arg(self.path("token"));
        command
    }

    /// Registers at `api` in one attempt, without starting the update client.
    pub fn register<A: AsRef<OsStr>>(
        &self,
        api: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Run {
        let mut command = self.command(api);
        command.args(["--start-daemon", "0", "--retry-for", "0"]);
        command.args(arguments);
        run(command)
    }

    /// `check`.
    pub fn check<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let mut command = self.bare_command();
        command
            .arg("check")
            .arg("--sota-dir")
            .arg(self.sota())
            .args(arguments);
        run(command)
    }

    /// The names in the registration's directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = fs::read_dir(self.sota()).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// Everything in the registration's directory.
    pub fn snapshot(&self) -> Snapshot {
        snapshot_of(self.sota())
    }

    /// The same without the journal.
    pub fn snapshot_of_files(&self) -> Snapshot {
        let mut found = self.snapshot();
        found.retain(|path, _| !path.starts_with(JOURNAL));
        found
    }

    /// The permissions of a file of the registration.
    pub fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.file(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }

    /// The API token is in no file that a registration left.
    pub fn assert_token_was_not_kept(&self) {
        for (path, (_, content)) in self.snapshot() {
            assert!(
                !contains(&content, TOKEN.as_bytes()),
                "the token is in {path}"
            );
        }
    }
}

/// Everything in a directory.
pub fn snapshot_of(root: &Path) -> Snapshot {
    let mut found = Snapshot::new();
    collect(root, root, &mut found);
    found
}

fn collect(root: &Path, dir: &Path, found: &mut Snapshot) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let facts = fs::symlink_metadata(&path).unwrap();
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let content = if facts.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if facts.is_dir() {
            collect(root, &path, found);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(name, (facts.permissions().mode(), content));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Fails unless the program ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless standard error holds all these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {self}");
        }
        self
    }

    /// Standard output, which must be one JSON object on one line.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            formatter,
            "exit {code:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

/// Runs a program to its end. Whatever happens, it says nothing that moves a cursor, and never
/// the token.
#[track_caller]
pub fn run(command: Command) -> Run {
    start(command).end()
}

/// Starts a program.
pub fn start(mut command: Command) -> Running {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let pid = Pid::from_child(&child);
    let (send, output) = mpsc::channel();
    std::thread::spawn(move || drop(send.send(child.wait_with_output())));
    Running { pid, output }
}

/// A run that goes on.
pub struct Running {
    pid: Pid,
    output: mpsc::Receiver<std::io::Result<std::process::Output>>,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(self) -> Run {
        let Ok(output) = self.output.recv_timeout(PATIENCE) else {
            let _ = kill_process(self.pid, Signal::KILL);
            panic!("still running after {} s", PATIENCE.as_secs());
        };
        let output = output.unwrap();
        let run = Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for text in [&run.stdout, &run.stderr] {
            let strange = |c: char| c.is_control() && c != '\n';
            assert!(!text.contains(strange), "a control character: {run:?}");
            assert!(!text.contains(TOKEN), "the token: {run}");
        }
        run
    }
}
