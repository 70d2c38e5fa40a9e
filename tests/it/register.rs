//! Registers boards end to end: the real program against the real `lmp-factory`.

mod check;
mod connections;
mod files;
mod options;
mod output;
mod refusals;
mod rotation;
