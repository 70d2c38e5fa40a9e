//! What the machine says about a registration: an earlier one, the update client's lock. Looks only.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Flock, FlockType};

use crate::error::{Error, Kind, Result};
use crate::sota::directory::Directory;
use crate::sota::files::{CERTIFICATE, DATABASE};

/// What was found on the machine that decides about a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFacts {
    /// The file that shows an earlier registration.
    pub registered_by: Option<PathBuf>,
    /// The update client holds its lock.
    pub update_client_running: bool,
}

impl HostFacts {
    /// Looks.
    ///
    /// # Errors
    /// [`Kind::Storage`] if something cannot be looked at.
    pub(crate) fn read(sota: &Directory, update_client_lock: &Path) -> Result<Self> {
        let mut registered_by = None;
        for name in [DATABASE, CERTIFICATE] {
            if registered_by.is_none() && sota.has(name)? {
                registered_by = Some(sota.path().join(name));
            }
        }
        Ok(Self {
            registered_by,
            update_client_running: is_locked(update_client_lock)?,
        })
    }
}

/// Whether another process holds a lock on `path`, by flock(2) as aktualizr-lite takes it, or by
/// fcntl(2) as its older versions did. The file is not created.
fn is_locked(path: &Path) -> Result<bool> {
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
