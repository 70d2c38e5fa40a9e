//! A private key in memory and in `pkey.pem` (SEC1, RFC 5915).

use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::DecodePrivateKey as _;
use p256::pkcs8::der::pem::{LineEnding, encode_string};
use zeroize::Zeroizing;

use super::point::POINT_BYTES;
use crate::error::{Error, Flaw, Result};

/// What is before the private key in the DER of an `ECPrivateKey` (RFC 5915 section 3) of P-256.
const BEFORE_KEY: &[u8] = &[0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
/// What is between that and the point: the curve, and the beginning of a bit string.
const BEFORE_POINT: &[u8] = &[
    0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42,
    0x00,
];

/// A private key in memory; wiped on drop. With its public key, which takes as long to compute as a
/// signature.
pub(crate) struct SoftwareKey(SigningKey);

impl SoftwareKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// [`crate::error::Kind::Bug`] if the system gives none, which Linux does not do after boot.
    pub(crate) fn generate() -> Result<Self> {
        SigningKey::try_generate()
            .map(Self)
            .map_err(|cause| Error::bug("the system gave no random numbers").because(cause))
    }

    /// Reads `EC PRIVATE KEY` (SEC1) or `PRIVATE KEY` (PKCS#8) PEM; an error does not quote it.
    pub(crate) fn from_pem(pem: &str) -> Result<Self, Flaw> {
        // OpenSSL's ecparam writes the curve's parameters as a block of its own before the key.
        let start = pem.find("-----BEGIN EC PRIVATE KEY").unwrap_or(0);
        SecretKey::from_sec1_pem(&pem[start..])
            .ok()
            .or_else(|| SecretKey::from_pkcs8_pem(pem).ok())
            .map(|key| Self(key.into()))
            .ok_or_else(|| Flaw::new("the private key is no EC P-256 key in PEM"))
    }

    /// `EC PRIVATE KEY` (SEC1) PEM; wiped on drop. p256's own writer would compute the public key again.
    pub(crate) fn to_pem(&self) -> Result<Zeroizing<String>> {
        // p256 itself would compute the point a second time.
        let scalar = Zeroizing::new(self.0.to_bytes());
        let der = [BEFORE_KEY, &scalar[..], BEFORE_POINT, &self.point()].concat();
        encode_string("EC PRIVATE KEY", LineEnding::LF, &Zeroizing::new(der))
            .map(Zeroizing::new)
            .map_err(|cause| Error::bug("the key could not be encoded").because(cause))
    }

    pub(super) fn point(&self) -> [u8; POINT_BYTES] {
        let encoded = self.0.verifying_key().to_sec1_point(false);
        let mut point = [0; POINT_BYTES];
        point.copy_from_slice(encoded.as_bytes());
        point
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pem_is_what_p256_writes() {
        let key = SoftwareKey::generate().unwrap();
        let theirs = SecretKey::from(&key.0).to_sec1_pem(LineEnding::LF).unwrap();
        assert_eq!(*key.to_pem().unwrap(), *theirs);
    }
}
