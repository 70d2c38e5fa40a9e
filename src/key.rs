//! The device's private key, wherever it lives: it signs the CSR (rcgen) and the TLS handshakes
//! (rustls) and never leaves its place. Owns keys, tokens, the CSR and the device certificate; never
//! writes a file of the registration and never talks to a network.

pub(crate) mod certificate;
pub(crate) mod csr;
mod device_key;
pub(crate) mod pkcs11;
mod point;
mod software;

pub(crate) use device_key::{DeviceKey, TlsKey};
pub(crate) use software::SoftwareKey;
