//! The factory's keys and certificates: made once, then only read. It must never let a private key out,
//! except to TLS, and never replace one.
//!
//! `pki/factory_ca.*` is the root of trust, `pki/online-ca.*` signs device CSRs, `pki/tls.*` is the Device
//! Gateway's, and, apart from that PKI, `api-ca.pem` with `pki/api-ca.key` and `pki/api.*` are for HTTPS
//! on the API.

pub(crate) mod authority;
pub(crate) mod csr;
pub(crate) mod issue;
pub(crate) mod key;
pub(crate) mod peer;
pub(crate) mod pem;
pub(crate) mod profile;
pub(crate) mod subject;

pub(crate) use authority::{Identity, Pki};
pub(crate) use csr::DeviceCsr;
pub(crate) use peer::read_peer;
pub(crate) use pem::to_pem;
pub(crate) use profile::Profile;
