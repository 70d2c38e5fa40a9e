//! The directory of a registration: the one writer of files, their names, the journal of what was
//! begun, and what is installed. Never decides what to write and never leaves that directory.

pub(crate) mod directory;
pub(crate) mod files;
pub(crate) mod installed;
pub(crate) mod journal;
mod log;
pub(crate) mod sota_toml;
