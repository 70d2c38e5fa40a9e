//! Certificates in PEM, beside their keys.

use std::path::Path;

use x509_cert::Certificate;
use x509_cert::der::{DecodePem as _, EncodePem as _, pem::LineEnding};

use super::key::Key;
use crate::data_dir::files;
use crate::error::Error;

/// Reads a key and its certificate. A missing key is made only where no certificate speaks for it.
pub(super) fn open_pair(key_path: &Path, path: &Path) -> Result<(Key, Option<Certificate>), Error> {
    let key = Key::read(key_path)?;
    match (key, read(path)?) {
        (Some(key), Some(certificate)) => {
            key.expect_certified_by(&certificate, path)?;
            Ok((key, Some(certificate)))
        }
        (Some(key), None) => Ok((key, None)),
        (None, None) => Ok((Key::create(key_path)?, None)),
        (None, Some(_)) => Err(Error::Pki {
            path: path.into(),
            reason: format!("its key '{}' is missing", key_path.display()),
        }),
    }
}

pub(super) fn read(path: &Path) -> Result<Option<Certificate>, Error> {
    let Some(pem) = files::read_if_present(path)? else {
        return Ok(None);
    };
    let certificate = Certificate::from_pem(&pem).map_err(|error| Error::Pki {
        path: path.into(),
        reason: format!("not one certificate in PEM: {error}"),
    })?;
    Ok(Some(certificate))
}

pub(super) fn write(path: &Path, certificate: &Certificate) -> Result<(), Error> {
    files::write(path, to_pem(certificate)?.as_bytes(), files::PUBLIC)
}

/// A certificate in PEM, with a final newline.
pub(crate) fn to_pem(certificate: &Certificate) -> Result<String, Error> {
    Ok(certificate.to_pem(LineEnding::LF)?)
}
