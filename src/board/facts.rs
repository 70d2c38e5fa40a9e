//! What the machine says about a registration: an earlier one, the update client. Looks only.

use std::path::{Path, PathBuf};

use super::update_client;
use crate::error::Result;
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
    pub(crate) fn read(sota: &Directory, update_client_lock: &Path) -> Result<Self> {
        let mut registered_by = None;
        for name in [DATABASE, CERTIFICATE] {
            if registered_by.is_none() && sota.has(name)? {
                registered_by = Some(sota.path().join(name));
            }
        }
        Ok(Self {
            registered_by,
            update_client_running: update_client::holds_lock(update_client_lock)?,
        })
    }
}
