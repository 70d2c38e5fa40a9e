//! Whom to trust as a server, and as whom to speak to it: the TLS configuration. Never talks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, Result};
use crate::key::{TlsKey, certificate};
use crate::sota::directory::read_text;

/// The most bytes of a file of CA certificates.
const CA_FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Whom to trust as a server.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// The device's own store, or `SSL_CERT_FILE` and `SSL_CERT_DIR`.
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
        let mut store = RootCertStore::empty();
        let hint = "give --ca-file FILE, or set SSL_CERT_FILE";
        match self {
            Trust::System => {
                let found = rustls_native_certs::load_native_certs();
                let (added, _) = store.add_parsable_certificates(found.certs);
                if added == 0 {
                    let error = Error::setting("this device has no CA certificates to trust");
                    return Err(match found.errors.into_iter().next() {
                        Some(cause) => error.because(cause),
                        None => error,
                    }
                    .hint(hint));
                }
            }
            Trust::File(path) => {
                for root in read_roots(path)? {
                    store.add(root).map_err(|cause| {
                        Error::setting(format!("{path:?} holds a damaged certificate"))
                            .because(cause)
                    })?;
                }
            }
            Trust::Roots(roots) => {
                for root in roots {
                    store.add(root.clone()).map_err(|cause| {
                        Error::setting("root.crt holds a damaged certificate").because(cause)
                    })?;
                }
            }
        }
        Ok(store)
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

/// TLS for the servers of `urls`. The system's trust store is read only if TLS may be spoken; a file
/// that somebody named is read always, so that a wrong one is noticed.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if there is nobody to trust.
pub(super) fn configure(
    urls: &[&Url],
    trust: &Trust,
    identity: Option<ClientIdentity>,
) -> Result<ClientConfig> {
    let may_speak_tls = || urls.iter().any(|url| url.scheme() == "https") || has_tls_proxy();
    let roots = match trust {
        Trust::System if !may_speak_tls() => RootCertStore::empty(),
        _ => trust.roots()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::bug("TLS could not be set up").because(cause))?
        .with_root_certificates(roots);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { certificate, key }) => {
            let certified = CertifiedKey::new(vec![certificate], Arc::new(key));
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    })
}

fn has_tls_proxy() -> bool {
    ["http_proxy", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .filter_map(std::env::var_os)
        .any(|value| value.to_string_lossy().starts_with("https:"))
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read_text(path, CA_FILE_LIMIT)?;
    let roots = certificate::certificates(&text)
        .map_err(|error| Error::setting(format!("{path:?}: {}", error.full_message())))?;
    if roots.is_empty() {
        return Err(Error::setting(format!(
            "{path:?} holds no certificate in PEM"
        )));
    }
    Ok(roots)
}
