//! The directory of a factory: where each file is, who may write, and the only writer. Nothing else in
//! this crate may create, change or remove a file, except SQLite its database.

pub(crate) mod files;
mod layout;

pub(crate) use layout::{DataDir, LockedDir};
