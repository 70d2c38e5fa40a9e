//! The machine: what it says of itself, its clock, this process's limits, the update client. Never
//! writes a file and never decides what a finding means.

pub(crate) mod clock;
pub(crate) mod facts;
pub(crate) mod process;
pub(crate) mod update_client;
