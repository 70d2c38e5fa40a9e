//! The device registration agent. From top to bottom, each room using only those below it:
//!
//! ```text
//! cli       words in, results and exit code out
//! commands  register, check, unregister: decided by pure code, carried out stage by stage
//! settings  command line, environment, files and what was built in become one set of values
//! backend   HTTP, when to try again, the grant, the wire format, the untrusted answer
//! board     the machine, its clock, the update client
//! sota      the directory of a registration: its only writer, the journal, sota.toml
//! key       keys in software and on tokens, CSR, certificate
//! report error secret version
//! ```
//!
//! One registration: `args -> settings -> plan -> key -> CSR -> POST -> answer -> journal -> sota.toml`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod backend;
mod board;
mod cli;
mod commands;
mod error;
mod key;
mod report;
mod secret;
mod settings;
mod sota;
mod version;

pub use cli::run;
pub use error::{Error, Kind};
pub use report::bug;

/// What the tests and the fuzzer look into; no interface.
#[doc(hidden)]
pub mod testing {
    pub use crate::backend::answer::{Expected, verify};
    pub use crate::backend::wire::backend_words;
    pub use crate::error::Flaw;
    pub use crate::key::certificate::{DeviceCertificate, check_roots};
    pub use crate::key::pkcs11::{Pkcs11Uri, UriPin};
    pub use crate::report::printable;
    pub use crate::settings::args;
    pub use crate::settings::hsm_file;
    pub use crate::settings::options::option_names;
    pub use crate::settings::os_release::OsRelease;
    pub use crate::sota::files::{CONFIGURATION, FileName};
    pub use crate::sota::sota_toml::{P11, SotaToml, suits_both};
    pub use crate::version::build_epoch;
}
