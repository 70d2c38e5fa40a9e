//! EC P-256 keys: SEC1 PEM on disk, signatures for certificates, and the form rustls wants.

use std::path::{Path, PathBuf};

use p256::SecretKey;
use p256::ecdsa::{SigningKey, VerifyingKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{EncodePublicKey as _, LineEnding};
use rustls::pki_types::{PrivateKeyDer, PrivateSec1KeyDer};
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier};
use x509_cert::der::oid::db::rfc5912::{ID_EC_PUBLIC_KEY, SECP_256_R_1};
use x509_cert::spki::SubjectPublicKeyInfo;

use crate::data_dir::files;
use crate::error::Error;
use crate::secret::hex;

/// What can be wrong with a key or certificate on disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum Flaw {
    #[error("not an EC P-256 key in SEC1 PEM")]
    NotAKey,
    #[error("the new key cannot be encoded")]
    Encoding(#[from] p256::elliptic_curve::Error),
    #[error("not one certificate in PEM")]
    NotACertificate(#[from] x509_cert::der::Error),
    #[error("its key '{}' is missing", .0.display())]
    KeyMissing(PathBuf),
    #[error("it is not a certificate for the key beside it")]
    OtherKey,
    #[error("it is not a CA's certificate")]
    NotACa,
}

/// A private key; p256 hides it from `Debug` and wipes it when dropped.
#[derive(Debug, Clone)]
pub(crate) struct Key(SecretKey);

impl Key {
    /// Reads a key; `None` if there is no such file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(pem) = files::read_private(path)? else {
            return Ok(None);
        };
        let key = std::str::from_utf8(&pem)
            .ok()
            .and_then(|pem| SecretKey::from_sec1_pem(pem).ok());
        let key = key.ok_or(Flaw::NotAKey).map_err(Error::unusable(path))?;
        Ok(Some(Self(key)))
    }

    /// Makes a key and writes it with mode 400.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let key = Self::generate()?;
        let pem = key.0.to_sec1_pem(LineEnding::LF).map_err(Flaw::from);
        let pem = pem.map_err(Error::unusable(path))?;
        files::write(path, pem.as_bytes(), files::PRIVATE)?;
        Ok(key)
    }

    pub(crate) fn generate() -> Result<Self, Error> {
        Ok(Self(SecretKey::try_generate()?))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(*self.signer().verifying_key())
    }

    /// Signs certificates.
    pub(super) fn signer(&self) -> SigningKey {
        SigningKey::from(&self.0)
    }

    /// The key as rustls takes it.
    pub(crate) fn for_tls(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let der = self
            .0
            .to_sec1_der()
            .map_err(x509_cert::builder::Error::from)?;
        Ok(PrivateSec1KeyDer::from(der.to_vec()).into())
    }

    /// An error that names `path` unless the certificate there is for this key.
    pub(crate) fn expect_certified_by(
        &self,
        certificate: &Certificate,
        path: &Path,
    ) -> Result<(), Error> {
        let certified = PublicKey::read(certificate.tbs_certificate().subject_public_key_info());
        if certified == Some(self.public()) {
            return Ok(());
        }
        Err(Error::unusable(path)(Flaw::OtherKey))
    }
}

/// An EC P-256 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublicKey(pub(super) VerifyingKey);

impl PublicKey {
    /// Reads a named-curve P-256 key (RFC 5480); `None` if it is anything else.
    pub(crate) fn read(info: &SubjectPublicKeyInfo<Any, BitString>) -> Option<Self> {
        let curve = info.algorithm.parameters.as_ref()?;
        let curve = curve.decode_as::<ObjectIdentifier>().ok()?;
        if info.algorithm.oid != ID_EC_PUBLIC_KEY || curve != SECP_256_R_1 {
            return None;
        }
        let point = info.subject_public_key.as_bytes()?;
        VerifyingKey::from_sec1_bytes(point).ok().map(Self)
    }

    /// `SubjectPublicKeyInfo` with an uncompressed point, whatever the CSR used.
    pub(super) fn info(&self) -> Result<SubjectPublicKeyInfo<Any, BitString>, Error> {
        SubjectPublicKeyInfo::from_key(&self.0)
            .map_err(|error| Error::Issue(x509_cert::builder::Error::PublicKey(error)))
    }

    /// `SubjectPublicKeyInfo` in PEM.
    pub(crate) fn to_pem(self) -> Result<String, Error> {
        let pem = self.0.to_public_key_pem(LineEnding::LF);
        pem.map_err(|error| Error::Issue(x509_cert::builder::Error::PublicKey(error)))
    }

    /// SHA-256 of the DER `SubjectPublicKeyInfo`, in lower-case hex.
    pub(crate) fn fingerprint(&self) -> Result<String, Error> {
        Ok(hex(&Sha256::digest(self.info()?.to_der()?)))
    }
}
