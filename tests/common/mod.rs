//! What the tests of the agent share: a board, a server that answers what a test wants, a CA, a
//! factory, and the tools that a person would use.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod answers;
pub(crate) mod board;
pub(crate) mod factory;
pub(crate) mod image;
pub(crate) mod memory;
pub(crate) mod pki;
pub(crate) mod scripted;
pub(crate) mod token;
pub(crate) mod tools;
pub(crate) mod watched;
