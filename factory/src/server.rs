//! Starts and stops the two ports of a factory. It must never answer a request.

pub mod blocking;
pub(crate) mod options;
pub(crate) mod running;
pub(crate) mod state;
