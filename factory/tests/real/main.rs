//! `lmp-factory` against the tools that a person would use: OpenSSL, curl, and the program itself.
//! A missing tool fails the run.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod abuse;
mod browser;
mod gateway;
mod oauth;
mod pki;
mod process;
mod registration;
mod site;
mod tool;
