//! What must be so before anything is made: the directory is ours, writable, and large enough.

use crate::board::process;
use crate::error::{Error, Kind, Result};
use crate::report::Reporter;
use crate::settings::Settings;
use crate::sota::directory::Directory;

/// Bytes and names that must be free for journal and files.
const SPACE_NEEDED: (u64, u64) = (256 * 1024, 16);

/// The directory of the registration, locked for this run, and the memory too.
pub(super) fn open(settings: &Settings, reporter: &Reporter) -> Result<Directory> {
    let sota = Directory::open(&settings.sota_dir)?;
    if !sota.try_lock()? {
        return Err(Error::new(
            Kind::Busy,
            format!("another registration is running in {:?}", sota.path()),
        )
        .hint("wait for it to end"));
    }
    sota.check_writable()?;
    if settings.mlock_all {
        match process::lock_memory() {
            Err(error) if !settings.mlock_required => reporter.warn(&error.full_message()),
            locked => locked?,
        }
    }
    Ok(sota)
}

/// A disk that is full is found before a key is made.
pub(super) fn check_space(sota: &Directory) -> Result<()> {
    let (bytes, names) = SPACE_NEEDED;
    let (free_bytes, free_names) = sota.free()?;
    if free_bytes < bytes || free_names < names {
        return Err(Error::new(
            Kind::Storage,
            format!(
                "{:?} has {free_bytes} bytes and {free_names} inodes free; a registration needs \
                 {bytes} and {names}",
                sota.path()
            ),
        )
        .hint("free some space and run this again"));
    }
    Ok(())
}
