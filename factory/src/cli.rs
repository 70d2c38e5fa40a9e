//! The program's command line. What it does is in the library.

pub(crate) mod args;
pub(crate) mod output;
