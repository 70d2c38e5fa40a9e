//! Whom to trust as a server. Never judges one.

use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::error::{Error, Result};
use crate::key::certificate;
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
