//! The directory of a factory: where each file is, who may write, and the only writer. Nothing else in
//! this crate ever creates, changes or removes a file, except SQLite its database; and it never knows
//! what is in them.

pub(crate) mod files;
mod layout;

pub(crate) use layout::{DataDir, LockedDir};
