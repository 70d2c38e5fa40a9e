//! The TLS configuration: who verifies servers, and as whom to speak to them. Never talks.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::trust::Trust;
use super::verifier::Verifier;
use crate::error::{Error, Result};
use crate::key::TlsKey;

/// The device's certificate and key, for mTLS.
#[derive(Debug, Clone)]
pub(crate) struct ClientIdentity {
    /// The leaf alone: EST servers refuse more.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: TlsKey,
}

/// TLS for a client. The system's trust store is read only if it `may_speak` TLS; a file that
/// somebody named is read always, so that a wrong one is noticed.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if there is nobody to trust.
pub(super) fn configure(
    may_speak: bool,
    trust: &Trust,
    identity: Option<ClientIdentity>,
) -> Result<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider();
    let verifier = Verifier {
        roots: match trust {
            Trust::System if !may_speak => RootCertStore::empty(),
            _ => trust.roots()?,
        },
        trust: trust.clone(),
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::bug("TLS could not be set up").because(cause))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { certificate, key }) => {
            let certified = CertifiedKey::new(vec![certificate], Arc::new(key));
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    })
}
