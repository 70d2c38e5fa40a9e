//! This process: who may read its memory, and what of that may reach a disk. Never decides whether
//! a registration goes on without.

use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{Error, Result};

/// Bytes that stay free under a limit of locked memory: a locked stack has to grow.
const STACK: u64 = 1024 * 1024;

/// Keeps keys, PINs and API tokens out of core dumps, whatever writes them, and out of sight of this
/// user's other processes. Programs that we start are as they were.
pub(crate) fn hide_memory() {
    // That is never refused; where a sandbox did, nothing else would help.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Keeps keys and PINs out of swap: pages are locked when they are first used, so that unused
/// stacks cost nothing. Where a limit holds, only what is mapped now: later on a library, a thread or
/// a file could not be mapped any more.
pub(crate) fn lock_memory() -> Result<()> {
    let mut flags = MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT;
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    let limit = match setrlimit(Resource::Memlock, unlimited) {
        Ok(()) => None,
        Err(_) => getrlimit(Resource::Memlock).maximum,
    };
    let set = |current| {
        // To move below one's own maximum cannot fail; where a sandbox forbids it, locking may.
        let maximum = limit;
        let _ = setrlimit(Resource::Memlock, Rlimit { current, maximum });
    };
    match limit {
        Some(most) => set(Some(most.saturating_sub(STACK))),
        None => flags |= MlockAllFlags::FUTURE,
    }
    let locked = rustix::mm::mlockall(flags);
    if limit.is_some() {
        set(limit);
    }
    locked.map_err(|cause| {
        Error::setting("the memory could not be locked")
            .because(std::io::Error::from(cause))
            .hint("raise RLIMIT_MEMLOCK, or give --mlock-all 0")
    })
}
