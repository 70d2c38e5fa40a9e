//! The machine: what it says of itself, its clock, this process's limits, the update client. Never
//! writes a file and never changes a registration.

pub(crate) mod claims;
pub(crate) mod clock;
pub(crate) mod facts;
pub(crate) mod process;
pub(crate) mod update_client;
