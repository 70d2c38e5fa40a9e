//! The state of a factory in SQLite: every SQL statement is in this room, in SQL that PostgreSQL also
//! takes. It must never decide what an answer means.

pub(crate) mod database;
pub(crate) mod devices;
pub(crate) mod grants;
pub(crate) mod operators;
pub(crate) mod tokens;

pub(crate) use database::Store;
pub use devices::Device;
pub(crate) use devices::{Entry, Issued, Known, KnownName, Standing};
pub(crate) use grants::{NewGrant, PendingGrant, Poll};
