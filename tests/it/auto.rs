//! Nobody is watching: `auto`, configuration files, and what `--dry-run` says about them.

mod configuration;
mod files;
mod hsm;
mod permissions;
mod rehearsal;
