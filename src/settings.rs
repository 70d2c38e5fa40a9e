//! What a command is told: the command line, the environment and files become one set of values,
//! each with where it came from. Owns the options, the order of their sources (see `gather`) and
//! what a value must be. It never changes anything and never talks to anybody.

pub mod args;
mod build;
mod checks;
mod environment;
mod files;
mod gather;
pub mod hsm_file;
pub(crate) mod options;
mod origin;
pub(crate) mod os_release;
mod resolve;
mod resolver;
mod secrets;
mod token;
mod words;
mod wrapper;

pub(crate) use build::{BUILD, update_client};
pub(crate) use gather::{of_registration, pin_of_unregister, with_files};
pub(crate) use origin::Provenance;
pub(crate) use resolve::{Settings, sota_dir, timeouts, update_client_lock};
pub(crate) use token::KeySetting;

#[cfg(test)]
pub(crate) use build::BuildDefaults;
#[cfg(test)]
pub(crate) use gather::tests::settings_of;
