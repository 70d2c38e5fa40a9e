//! Tools that a person would use. One that is missing ends the test.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// What a tool did.
pub fn output<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Output {
    Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// Standard output of a tool that must succeed.
pub fn tool<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let output = output(program, arguments);
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard output of `openssl` with these words, which must succeed.
pub fn openssl(words: &str) -> String {
    tool("openssl", words.split_whitespace())
}

/// `command` run by a tool, which is given `words` before it. The environment is what was set for
/// `command`, and nothing else.
pub fn under<A: AsRef<OsStr>>(
    tool: &str,
    words: impl IntoIterator<Item = A>,
    command: &Command,
) -> Command {
    let mut wrapped = Command::new(tool);
    wrapped.args(words).arg(command.get_program());
    wrapped.args(command.get_args()).env_clear();
    let variables = command.get_envs();
    wrapped.envs(variables.filter_map(|(name, value)| Some((name, value?))));
    wrapped
}

/// `command` without any capability, as an ordinary user's, and with this limit of locked memory.
pub fn powerless(command: &Command, memlock: &str) -> Command {
    let words = format!(
        "--memlock={memlock}:{memlock} /usr/bin/setpriv --bounding-set=-all --inh-caps=-all"
    );
    under("/usr/bin/prlimit", words.split_whitespace(), command)
}

/// A tool that holds something until it is dropped, which ends its standard input.
pub struct Holder(Child);

impl Holder {
    /// Starts a tool that says one line when it holds what it shall hold, and then waits for the
    /// end of its standard input.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let holder = Self(child);
        assert_eq!(line.trim(), "held", "{command:?}");
        holder
    }

    /// An exclusive lock on `path`: `flock` or `lockf` (which is fcntl), as Python names them.
    pub fn lock(path: &Path, call: &str) -> Self {
        let script = format!(
            "import fcntl,sys; f=open(sys.argv[1],'a'); fcntl.{call}(f,fcntl.LOCK_EX); \
             print('held',flush=True); sys.stdin.read()"
        );
        let mut command = Command::new("python3");
        command.arg("-c").arg(script).arg(path);
        Self::start(command)
    }

    /// The lock on a directory that a registration takes.
    pub fn lock_directory(path: &Path) -> Self {
        let script = "import fcntl,os,sys; f=os.open(sys.argv[1],os.O_RDONLY); \
                      fcntl.flock(f,fcntl.LOCK_EX); print('held',flush=True); sys.stdin.read()";
        let mut command = Command::new("python3");
        command.arg("-c").arg(script).arg(path);
        Self::start(command)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}

/// A small file system of its own, which goes with this value, whatever happens to the test: it
/// is mounted where only its holder sees it.
pub struct SmallDisk {
    holder: Holder,
    // The mount point; dropped after the holder.
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// A tmpfs with these mount options, such as `size=400k`.
    pub fn new(options: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-ec"]);
        command.arg("mount -t tmpfs -o \"$1\" tmpfs \"$2\"; echo held; exec cat >/dev/null");
        command.args(["sh", options]).arg(dir.path());
        Self {
            holder: Holder::start(command),
            dir,
        }
    }

    /// Its root directory, as seen from outside.
    pub fn root(&self) -> PathBuf {
        let inside = self.dir.path().strip_prefix("/").unwrap();
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }
}

/// Writes into `path` until nothing fits any more.
pub fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    let mut size = 64 * 1024;
    while size > 0 {
        if file.write_all(&vec![b'x'; size]).is_err() {
            size /= 2;
        }
    }
}
