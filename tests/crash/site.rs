//! A factory, boards that register with it, and the promise that is checked after every accident.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use lmp_factory::ServeOptions;
use lmp_factory::blocking::{Server, start};
use serde_json::Value;
use tempfile::TempDir;

use crate::tracer::{self, Ended, Watch};
use lmp_test_support::token::SoftHsm;
use lmp_test_support::{agent, in_memory};

const FACTORY: &str = "acme";
/// Directory of the registration, relative to the board: it must not change when a disk is moved.
pub(crate) const SOTA: &str = "sota";

/// The journal, in that directory.
pub(crate) const JOURNAL: &str = ".registration.journal";

/// A factory over plain HTTP.
pub(crate) struct Site {
    pub(crate) server: Server,
    token: String,
    // Dropped last: the server is in it.
    pub(crate) dir: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = in_memory();
        let server = serve(dir.path());
        let token = server.api_token().expect("a first start").to_owned();
        Self { server, token, dir }
    }

    /// A factory that goes on from a copy of this one's data, as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let dir = in_memory();
        copy_tree(self.dir.path(), dir.path());
        Snapshot {
            dir,
            token: self.token.clone(),
        }
    }

    /// How often a name is registered, and the UUIDs.
    pub(crate) fn uuids(&self, name: &str) -> Vec<String> {
        let devices = self.server.devices().expect("the database can be read");
        let named = devices.into_iter().filter(|device| device.name == name);
        named.map(|device| device.uuid).collect()
    }
}

/// The data of a factory at one moment.
pub(crate) struct Snapshot {
    dir: TempDir,
    token: String,
}

impl Snapshot {
    pub(crate) fn restore(&self) -> Site {
        let dir = in_memory();
        copy_tree(self.dir.path(), dir.path());
        Site {
            server: serve(dir.path()),
            token: self.token.clone(),
            dir,
        }
    }
}

fn serve(dir: &Path) -> Server {
    let mut options = ServeOptions::new(dir, FACTORY);
    options.api_tls = false;
    start(options).expect("a factory starts")
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    let mode = fs::metadata(from).unwrap().permissions();
    fs::set_permissions(to, mode).unwrap();
}

/// What a run of the agent left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) output: String,
}

/// A device with a directory of its own.
pub(crate) struct Board {
    pub(crate) dir: TempDir,
    pub(crate) name: String,
    pub(crate) extra: Vec<String>,
    /// Where the key lives, if it is not a file.
    pub(crate) token: Option<SoftHsm>,
    /// What else is on that token.
    pub(crate) foreign: Vec<String>,
}

static BOARDS: AtomicUsize = AtomicUsize::new(0);

impl Board {
    pub(crate) fn new() -> Self {
        let dir = in_memory();
        fs::create_dir(dir.path().join(SOTA)).unwrap();
        fs::write(dir.path().join("os-release"), "").unwrap();
        let number = BOARDS.fetch_add(1, Ordering::Relaxed);
        Self {
            dir,
            name: format!("board-{number}"),
            extra: Vec::new(),
            token: None,
            foreign: Vec::new(),
        }
    }

    /// Empties its directories: on a disk of the past it must be where it was, as `sota.toml` says.
    pub(crate) fn wipe(&self) {
        for dir in self.tokens().into_iter().chain([self.sota()]) {
            fs::remove_dir_all(&dir).unwrap();
            fs::create_dir(&dir).unwrap();
        }
    }

    pub(crate) fn sota(&self) -> PathBuf {
        self.dir.path().join(SOTA)
    }

    /// The command line of a registration.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let fixed = format!(
            "--sota-dir {SOTA} --factory {FACTORY} --hwid board --tags main --api-token-file token \
             --start-daemon 0 --os-release os-release --update-client-lock no-lock --retry-for 0"
        );
        let mut words: Vec<OsString> = fixed.split_whitespace().map(OsString::from).collect();
        words.extend(["--name".into(), self.name.clone().into()]);
        words.extend(self.extra.iter().map(OsString::from));
        words
    }

    fn prepare(&self, site: &Site, mut command: Command, words: &[OsString]) -> (Command, PathBuf) {
        fs::write(self.dir.path().join("token"), &site.token).unwrap();
        let log = self.dir.path().join("output");
        let output = File::create(&log).unwrap();
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            // One name in every journal; the port behind it may change.
            .env("DEVICE_API", "http://factory.test/ota/devices/")
            .env("http_proxy", &site.server.urls().api)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        if let Some(token) = &self.token {
            token.show_to(&mut command);
        }
        (command, log)
    }

    /// Runs the agent and waits for it.
    pub(crate) fn run(&self, site: &Site, words: &[OsString]) -> Ran {
        let (mut command, log) = self.prepare(site, Command::new(agent()), words);
        let status = command.status().expect("the agent starts");
        let ended = match status.code() {
            Some(code) => Ended::Exited(code),
            None => panic!("the agent was killed: {status}"),
        };
        Ran {
            ended,
            output: read_text(&log),
        }
    }

    pub(crate) fn register(&self, site: &Site) -> Ran {
        self.run(site, &self.words())
    }

    /// Runs the agent under the eyes of `watch`.
    pub(crate) fn traced(&self, site: &Site, words: &[OsString], watch: &mut dyn Watch) -> Ran {
        let (mut command, log) = self.prepare(site, tracer::stopped(agent()), words);
        let ended = tracer::run(&mut command, watch);
        Ran {
            ended,
            output: read_text(&log),
        }
    }

    /// `check`: the UUID of a registration that works, over mTLS unless `offline`.
    pub(crate) fn check(&self, site: &Site, offline: bool) -> Result<String, String> {
        let mut words: Vec<OsString> = ["check", "--json", "--sota-dir", SOTA]
            .map(Into::into)
            .into();
        if offline {
            words.push("--offline".into());
        }
        let Ran { ended, output } = self.run(site, &words);
        if ended != Ended::Exited(0) {
            return Err(format!("check: {ended:?}: {output}"));
        }
        let json = output.lines().find(|line| line.starts_with('{'));
        let health: Value = serde_json::from_str(json.unwrap_or_default()).unwrap();
        Ok(health["uuid"].as_str().unwrap().to_owned())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.sota().join(name).symlink_metadata().is_ok()
    }

    /// What the journal on the disk says, entry by entry: its lines that are no file and no seal.
    fn entries(&self) -> Vec<Value> {
        let text = fs::read(self.sota().join(JOURNAL)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let headers = text.lines().filter(|line| line.starts_with("{\"event\":"));
        let events = headers.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.map(|header| header["event"].clone()).collect()
    }

    /// How far the journal says that a run came.
    pub(crate) fn phase(&self) -> Option<String> {
        let last = self.entries().pop()?;
        let name = match &last {
            Value::Object(fields) => fields.keys().next().unwrap().clone(),
            name => name.as_str().unwrap().to_owned(),
        };
        let journal = fs::read(self.sota().join(JOURNAL)).ok()?;
        let is_in_place = |name: &str| {
            let file = fs::read(self.sota().join(name)).unwrap_or_default();
            !file.is_empty() && journal.windows(file.len()).any(|part| part == file)
        };
        let files = [
            "pkey.pem",
            "client.pem",
            "client.chained",
            "root.crt",
            "sota.toml",
        ];
        let mut files = files.iter().skip(self.token.iter().count());
        Some(if files.all(|name| is_in_place(name)) {
            "installed".to_owned()
        } else {
            name
        })
    }

    /// The UUID that the journal names.
    pub(crate) fn uuid(&self) -> Option<String> {
        let named = |event: &Value| {
            let begun = &event["begun"]["plan"]["identity"]["uuid"];
            let uuid = begun.as_str().or(event["new-uuid"]["uuid"].as_str())?;
            Some(uuid.to_owned())
        };
        self.entries().iter().rev().find_map(named)
    }

    /// Everything below the directory of the registration, with sizes, for people.
    pub(crate) fn tree(&self) -> String {
        let mut lines = Vec::new();
        list(&self.sota(), "", &mut lines);
        lines.join("\n")
    }

    /// The promise: registered, `check` passes, one entry on the backend and it is this one, and
    /// nothing lies about.
    pub(crate) fn promise(&self, site: &Site) -> Result<String, String> {
        let uuid = self.check(site, false)?;
        let entries = site.uuids(&self.name);
        if entries != [uuid.as_str()] {
            return Err(format!("{uuid} on the disk, {entries:?} on the backend"));
        }
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(self.sota()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            found.insert((entry.file_name().into_string().unwrap(), mode));
        }
        let mut wanted = vec![
            ("client.chained", 0o644),
            ("client.pem", 0o644),
            ("root.crt", 0o644),
        ];
        // With a token, sota.toml holds the PIN.
        if self.token.is_none() {
            wanted.extend([("pkey.pem", 0o600), ("sota.toml", 0o644)]);
        } else {
            wanted.push(("sota.toml", 0o600));
            self.token_holds_a_registration()?;
        }
        let wanted = wanted
            .into_iter()
            .map(|(name, mode)| (name.to_owned(), mode));
        if found != wanted.collect() {
            return Err(format!("the directory holds {found:?}"));
        }
        Ok(uuid)
    }
}

fn read_text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

fn list(dir: &Path, indent: &str, lines: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let facts = entry.metadata().unwrap();
        let name = entry.file_name();
        lines.push(format!("{indent}{name:?} {} bytes", facts.len()));
        if facts.is_dir() {
            list(&entry.path(), &format!("{indent}  "), lines);
        }
    }
}
