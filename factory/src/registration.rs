//! The one way in which a device comes to be on the API: what it asks for, the signature, the entry, its
//! files. It must never answer HTTP.

pub(crate) mod registrar;
pub(crate) mod sota_toml;
pub(crate) mod wire;
