//! What the machine says about a registration: an earlier one, the update client. Looks only.

use std::path::{Path, PathBuf};

use super::update_client;
use crate::error::Result;
use crate::sota::directory::Directory;
use crate::sota::installed::registered_by;

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
        Ok(Self {
            registered_by: registered_by(sota)?,
            update_client_running: update_client::holds_lock(update_client_lock)?,
        })
    }
}
