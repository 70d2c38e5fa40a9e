//! Whom to trust as a server, and as whom to speak to it: the TLS configuration. Never talks.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::verifier::Verifier;
use crate::error::{Error, Result};
use crate::key::{TlsKey, certificate};
use crate::sota::directory::read_text;

mod store;

use store::Store;

/// The most bytes of a file of CA certificates.
const CA_FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Whom to trust as a server.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// The device's own store, or `SSL_CERT_FILE` and `SSL_CERT_DIR`: the bundle, and the directories
    /// only when no server can be verified with it (see [`Store`]).
    System,
    /// The CAs in this file, and no others.
    File(PathBuf),
    /// These CAs, and no others.
    Roots(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// What to verify servers with.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`] if a file is unreadable, or nobody is trusted.
    pub(crate) fn roots(&self) -> Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let what = match self {
            Trust::System => {
                let mut store = Store::of_this_device();
                let mut usable = |found| roots.add_parsable_certificates(found).0 > 0;
                if !(usable(store.bundle()) || usable(store.directories())) {
                    return Err(store.empty());
                }
                return Ok(roots);
            }
            Trust::File(path) => format!("{path:?}"),
            Trust::Roots(_) => "root.crt".to_owned(),
        };
        for root in self.certificates()? {
            roots.add(root).map_err(|cause| {
                Error::setting(format!("{what} holds a damaged certificate")).because(cause)
            })?;
        }
        Ok(roots)
    }

    /// Every certificate that is trusted, wherever it lies.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        match self {
            Trust::System => {
                let mut store = Store::of_this_device();
                let mut found = store.bundle();
                found.append(&mut store.directories());
                Ok(found)
            }
            Trust::File(path) => {
                let text = read_text(path, CA_FILE_LIMIT)?;
                let found = certificate::certificates(&text)
                    .map_err(|flaw| Error::setting(flaw).context(format!("{path:?}")))?;
                if found.is_empty() {
                    let empty = format!("{path:?} holds no certificate in PEM");
                    return Err(Error::setting(empty));
                }
                Ok(found)
            }
            Trust::Roots(roots) => Ok(roots.clone()),
        }
    }
}

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
