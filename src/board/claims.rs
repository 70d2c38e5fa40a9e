//! Which tokens this run works on: another run on the same machine that wants one of them has to wait.
//! Never touches a token, and never a file: a name in the kernel's abstract space of sockets needs
//! no directory and no rights, and goes with its process.

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Kind, Result};

/// The tokens of this run.
pub(crate) struct Claims<'a> {
    /// Whose update client is the same is on the same machine; containers have their own.
    update_client_lock: &'a Path,
    held: Vec<(String, UnixListener)>,
}

impl<'a> Claims<'a> {
    /// None yet.
    pub(crate) fn new(update_client_lock: &'a Path) -> Self {
        Self {
            update_client_lock,
            held: Vec::new(),
        }
    }

    /// Claims a token, again too; a warning where that cannot be done here.
    ///
    /// # Errors
    /// [`Kind::Busy`] if another run has it.
    pub(crate) fn claim(&mut self, serial: &str, label: &str) -> Result<Option<String>> {
        let token = format!("serial number {serial:?}, label {label:?}");
        if self.held.iter().any(|(held, _)| *held == token) {
            return Ok(None);
        }
        // The folder and not its path, which containers share.
        let lock = std::path::absolute(self.update_client_lock).unwrap_or_default();
        let mut folders = lock.ancestors().skip(1);
        let folder = folders.find_map(|folder| std::fs::metadata(folder).ok());
        let machine = folder.map(|facts| (facts.dev(), facts.ino()));
        let hash = Sha256::digest(format!("{machine:?} {token}"));
        let hash = hash
            .iter()
            .fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
        let name = format!("lmp-device-register/{hash:032x}");
        let claimed = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixListener::bind_addr(&address));
        match claimed {
            Ok(listener) => self.held.push((token, listener)),
            Err(cause) if cause.kind() == ErrorKind::AddrInUse => {
                return Err(Error::new(
                    Kind::Busy,
                    format!("another registration works on the token with {token}"),
                )
                .hint("wait for it to end"));
            }
            Err(cause) => {
                return Ok(Some(format!(
                    "another registration on the same token would not be noticed: {cause}"
                )));
            }
        }
        Ok(None)
    }
}
