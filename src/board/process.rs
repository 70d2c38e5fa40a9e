//! The limits of this process: what of its memory may reach a disk.

use rustix::mm::MlockAllFlags;
use rustix::process::{Resource, Rlimit};

use crate::error::{Error, Result};

/// The variable with the token's user PIN; programs that we start do not get it.
pub(crate) const HSM_PIN_VARIABLE: &str = "LMP_HSM_PIN";
/// The variable with the token's security officer PIN, likewise.
pub(crate) const HSM_SO_PIN_VARIABLE: &str = "LMP_HSM_SO_PIN";

/// Keeps keys, PINs and API tokens out of core dumps.
pub(crate) fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Lowering one's own limit cannot fail; where a sandbox forbids it, it has lowered it.
    let _ = rustix::process::setrlimit(Resource::Core, none);
}

/// Keeps keys and PINs out of swap: pages are locked when they are first used, so that unused
/// stacks cost nothing.
pub(crate) fn lock_memory() -> Result<()> {
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    rustix::mm::mlockall(flags).map_err(|cause| {
        Error::setting("the memory could not be locked")
            .because(std::io::Error::from(cause))
            .hint("raise RLIMIT_MEMLOCK, or give --mlock-all 0")
    })
}
