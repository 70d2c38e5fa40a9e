//! The device grant: the agent asks, and a person approves, denies, or stays away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod person;
mod server;
mod terminal;
