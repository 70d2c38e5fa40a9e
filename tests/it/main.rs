//! What the agent does, with the real program: against the real `lmp-factory`, and against servers,
//! disks and surroundings that misbehave.
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod auto;
mod budget;
mod clock;
mod corpus;
mod documents;
mod examples;
mod generated;
mod golden;
mod grant;
mod hostile;
mod packaging;
mod packaging_yocto;
mod register;
mod signals;
mod storm;
mod structure;
mod unit;
mod unregister;

/// What the tests take of the agent's library, and nothing else: they run the program.
mod agent {
    pub(crate) use lmp_device_register::Kind;
    pub(crate) use lmp_device_register::testing::{FileName, args, build_epoch, option_names};
}
