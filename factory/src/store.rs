//! The state of a factory in SQLite: every SQL statement is in this room, in SQL that PostgreSQL also
//! takes. It must never decide what an answer means.

mod database;
mod devices;
mod grants;
mod operators;
#[cfg(test)]
mod scratch;
mod tokens;
#[cfg(test)]
mod upgrade;

pub(crate) use database::Store;
pub use devices::Device;
pub(crate) use devices::{Entry, Issued, KnownName, Standing};
pub(crate) use grants::{PendingGrant, Poll};
