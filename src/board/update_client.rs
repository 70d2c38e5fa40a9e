//! The update client: starts it once the device is registered, and sees whether it runs before.

use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Access, FlockOperation, Mode, OFlags, access};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Flock, FlockType};

use crate::error::{Error, Kind, Result};

/// Whether to wait until the client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A person wants to know whether it does.
    ForStart,
    /// Inside a unit: the client may be ordered after it, and both would wait for ever.
    OnlyQueue,
}

/// Starts `unit`. The device is registered already, so a failure is a warning's text, never an error.
pub(crate) fn start(unit: &str, wait: Wait) -> Result<(), String> {
    let remedy = format!("start it yourself: systemctl start {unit}");
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    // By its full name: of one that is no program, execvp(3) would make a shell's script.
    let program = std::env::split_paths(&path)
        .map(|folder| folder.join("systemctl"))
        .find(|program| access(program, Access::EXEC_OK).is_ok())
        .unwrap_or_else(|| "systemctl".into());
    // PINs and the proxy's password are not its business, and its standard output is not ours:
    // --json promises one object there.
    let status = Command::new(program)
        .arg0("systemctl")
        .args(match wait {
            Wait::ForStart => &["start"][..],
            Wait::OnlyQueue => &["start", "--no-block"],
        })
        .arg(unit)
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "systemctl could not start {unit} ({status}); {remedy}"
        )),
        Err(cause) => Err(format!("systemctl could not be run ({cause}); {remedy}")),
    }
}

/// Fails while `unit` runs, which holds `lock` then: a registration cannot change while it is used.
pub(crate) fn check_stopped(unit: &str, lock: &Path) -> Result<()> {
    if holds_lock(lock)? {
        Err(is_running(unit, lock))
    } else {
        Ok(())
    }
}

/// The same refusal for whoever has looked before.
pub(crate) fn is_running(unit: &str, lock: &Path) -> Error {
    Error::new(
        Kind::Busy,
        format!("the update client is running: it holds {lock:?}"),
    )
    .hint(format!("stop it first: systemctl stop {unit}"))
}

/// Whether another process holds a lock on `path`, by flock(2) as aktualizr-lite takes it, or by
/// fcntl(2) as its older versions did. The file is not created.
pub(super) fn holds_lock(path: &Path) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let unknown = |cause: Errno| {
        Error::new(
            Kind::Storage,
            format!("cannot tell whether {path:?} is locked"),
        )
        .because(std::io::Error::from(cause))
    };
    let file = match retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(false),
        Err(cause) => return Err(unknown(cause)),
    };
    // A shared lock is refused while the client holds its exclusive one; it ends with the handle.
    let shared = FlockOperation::NonBlockingLockShared;
    match retry_on_intr(|| rustix::fs::flock(file.as_fd(), shared)) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(true),
        Err(cause) => return Err(unknown(cause)),
    }
    let lock = Flock::from(FlockType::WriteLock);
    rustix::process::fcntl_getlk(file.as_fd(), &lock)
        .map(|holder| holder.is_some())
        .map_err(unknown)
}
