//! Certificates in PEM, beside their keys.

use std::path::Path;

use x509_cert::Certificate;
use x509_cert::der::{DecodePem as _, EncodePem as _, pem::LineEnding};

use super::key::{Flaw, Key};
use crate::data_dir::files;
use crate::error::Error;

/// A key and its certificate.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) key: Key,
    pub(crate) certificate: Certificate,
}

/// Reads a key and its certificate. One that is missing or does not fit is issued; a missing key is made
/// only where no certificate speaks for it.
pub(super) fn open(
    key_path: &Path,
    path: &Path,
    fits: impl FnOnce(&Certificate) -> bool,
    issue: impl FnOnce(&Key) -> Result<Certificate, Error>,
) -> Result<Identity, Error> {
    let (key, certificate) = match (Key::read(key_path)?, read(path)?) {
        (Some(key), Some(certificate)) => {
            key.expect_certified_by(&certificate, path)?;
            (key, Some(certificate).filter(fits))
        }
        (Some(key), None) => (key, None),
        (None, None) => (Key::create(key_path)?, None),
        (None, Some(_)) => {
            return Err(Error::unusable(path)(Flaw::KeyMissing(key_path.into())));
        }
    };
    if let Some(certificate) = certificate {
        return Ok(Identity { key, certificate });
    }
    let certificate = issue(&key)?;
    files::write(path, to_pem(&certificate)?.as_bytes(), files::PUBLIC)?;
    Ok(Identity { key, certificate })
}

pub(super) fn read(path: &Path) -> Result<Option<Certificate>, Error> {
    let Some(pem) = files::read_if_present(path)? else {
        return Ok(None);
    };
    let certificate = Certificate::from_pem(&pem).map_err(Flaw::from);
    certificate.map(Some).map_err(Error::unusable(path))
}

/// A certificate in PEM, with a final newline.
pub(crate) fn to_pem(certificate: &Certificate) -> Result<String, Error> {
    Ok(certificate.to_pem(LineEnding::LF)?)
}
