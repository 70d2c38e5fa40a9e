//! Registers boards end to end: the real program against the real `lmp-factory`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "../common/mod.rs"]
mod common;

mod check;
mod connections;
mod files;
mod options;
mod output;
mod refusals;

/// What a registration with a software key leaves, sorted.
const FILES: [&str; 5] = [
    "client.chained",
    "client.pem",
    "pkey.pem",
    "root.crt",
    "sota.toml",
];
