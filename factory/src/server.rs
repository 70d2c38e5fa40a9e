//! Starts and stops the two ports of a factory. It must never answer a request.

pub mod blocking;
mod options;
mod running;

pub use options::ServeOptions;
