//! The factory's keys and certificates: made once, then only read. It must never let a private key out,
//! except to TLS, and never replace one.
//!
//! `pki/factory_ca.*` is the root of trust, `pki/online-ca.*` signs device CSRs, `pki/tls.*` is the Device
//! Gateway's, and, apart from that PKI, `api-ca.pem` with `pki/api-ca.key` and `pki/api.*` are for HTTPS
//! on the API.

mod authority;
mod csr;
mod issue;
mod key;
mod pem;
mod profile;
mod subject;

pub(crate) use authority::Pki;
#[cfg(test)]
pub(crate) use csr::tests::csr;
pub(crate) use csr::{CsrError, DeviceCsr, read_peer};
pub(crate) use issue::Ca;
#[cfg(test)]
pub(crate) use key::Key;
pub(crate) use key::PublicKey;
pub(crate) use pem::{Identity, to_pem};
pub(crate) use profile::Profile;
#[cfg(test)]
pub(crate) use subject::Subject;
