//! What can be wrong with a key or certificate on disk.

use std::path::PathBuf;

use x509_cert::der;

#[derive(Debug, thiserror::Error)]
pub(super) enum Flaw {
    #[error("not an EC P-256 key in SEC1 PEM")]
    NotAKey,
    #[error("the new key cannot be encoded")]
    Encoding(#[from] p256::elliptic_curve::Error),
    #[error("not one certificate in PEM")]
    NotACertificate(#[from] der::Error),
    #[error("its key '{}' is missing", .0.display())]
    KeyMissing(PathBuf),
    #[error("it is not a certificate for the key beside it")]
    OtherKey,
    #[error("it is not a CA's certificate")]
    NotACa,
}
