//! Nobody is watching: `auto`, configuration files, and what `--dry-run` says about them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod configuration;
mod files;
mod hsm;
mod rehearsal;
