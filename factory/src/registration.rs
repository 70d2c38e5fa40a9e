//! How a device comes to be: what it asks for, the signature, the entry, its files. It must never answer
//! HTTP, and never sign what [`Registration::read`] has not verified.

mod registrar;
mod sota_toml;
mod wire;

pub(crate) use registrar::{Outcome, Registrar};
pub(crate) use wire::Registration;
