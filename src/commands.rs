//! What the program can be asked to do, stage by stage. Decides by pure code and acts through the
//! rooms below; never reads a setting itself and never prints a result.

pub(crate) mod check;
pub(crate) mod register;
pub(crate) mod unregister;
