//! The private key of this device, wherever it lives, as rcgen and rustls want it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{SignatureAlgorithm, SignatureScheme};

use super::pkcs11::TokenKey;
use super::point::POINT_BYTES;
use super::software::SoftwareKey;
use crate::error::{Error, Result};

/// A key by place.
enum Place {
    Software(SoftwareKey),
    Token(TokenKey),
}

/// The private key of this device, EC P-256.
pub(crate) struct DeviceKey {
    place: Place,
    point: [u8; POINT_BYTES],
    /// rcgen and rustls drop a signer's error: it waits here for whoever called them.
    error: Mutex<Option<Error>>,
}

impl DeviceKey {
    /// A software key.
    pub(crate) fn software(key: SoftwareKey) -> Self {
        let point = key.point();
        Self::new(Place::Software(key), point)
    }

    /// A key on a token, which must stay open while this is used.
    pub(crate) fn on_token(key: TokenKey) -> Self {
        let point = key.point();
        Self::new(Place::Token(key), point)
    }

    fn new(place: Place, point: [u8; POINT_BYTES]) -> Self {
        let error = Mutex::new(None);
        Self {
            place,
            point,
            error,
        }
    }

    /// SubjectPublicKeyInfo, DER (RFC 5480).
    pub(crate) fn public_key_info(&self) -> Vec<u8> {
        rcgen::PublicKeyData::subject_public_key_info(self)
    }

    /// The error of the last signature that failed, once.
    pub(crate) fn take_error(&self) -> Option<Error> {
        self.error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// ECDSA with SHA-256 over `message`, as a DER `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3).
    #[allow(
        clippy::unnecessary_wraps,
        reason = "a key that lives elsewhere can refuse"
    )]
    fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>> {
        match &self.place {
            Place::Software(key) => Ok(key.sign(message)),
            Place::Token(key) => key.sign(message),
        }
    }

    fn keep(&self, error: Error) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeviceKey")
    }
}

impl rcgen::PublicKeyData for DeviceKey {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for DeviceKey {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rcgen::Error> {
        self.sign_message(message).map_err(|error| {
            self.keep(error);
            rcgen::Error::RemoteKeyError
        })
    }
}

/// The same key as rustls wants it for client authentication.
#[derive(Debug, Clone)]
pub(crate) struct TlsKey(pub Arc<DeviceKey>);

impl rustls::sign::SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(self.clone()) as Box<dyn rustls::sign::Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl rustls::sign::Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, rustls::Error> {
        self.0.sign_message(message).map_err(|error| {
            self.0.keep(error);
            rustls::Error::General("the device's key did not sign".to_owned())
        })
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
