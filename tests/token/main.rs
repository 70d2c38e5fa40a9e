//! Keys on a PKCS#11 token: SoftHSM with a directory of its own for every test, a module that
//! misbehaves in one way at a time, and a TPM 2.0.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod choosing;
mod claiming;
mod failing;
mod limits;
mod memory;
mod modules;
mod odd;
mod pins;
mod registering;
mod rehearsing;
mod replacing;
mod rotating;
mod secrets;
mod tpm;
mod unregistering;
