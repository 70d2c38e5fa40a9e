//! Accidents at every system call: the agent is killed, the disk fails, the power goes. After each
//! one a plain run must end with one registered device and one entry on the backend.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod disk;
mod errors;
mod kill;
mod on_token;
mod points;
mod power;
mod site;
mod token;
mod tracer;
mod unregister;
