//! What a device says of itself: its certificate signing request (PKCS#10, RFC 2986), and the certificate
//! that it proves.

use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Verifier as _;
use x509_cert::Certificate;
use x509_cert::der::oid::db::rfc5912::ECDSA_WITH_SHA_256;
use x509_cert::der::{Decode as _, DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

use super::key::PublicKey;
use super::subject::{Subject, SubjectError};

/// A CSR whose own signature holds. Its attributes are left out: the extensions of a device's
/// certificate are ours to set.
#[derive(Debug)]
pub(crate) struct DeviceCsr {
    pub(crate) subject: Subject,
    pub(crate) key: PublicKey,
}

/// Why a CSR is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CsrError {
    #[error("not a certificate request in PEM")]
    Syntax,
    #[error("the key is not EC P-256")]
    Curve,
    #[error("the signature algorithm is not ecdsa-with-SHA256")]
    Algorithm,
    #[error("the request is not signed by its own key")]
    Signature,
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

impl DeviceCsr {
    pub(crate) fn read(pem: &str) -> Result<Self, CsrError> {
        let request = CertReq::from_pem(pem).map_err(|_| CsrError::Syntax)?;
        let key = PublicKey::read(&request.info.public_key).ok_or(CsrError::Curve)?;
        if request.algorithm.oid != ECDSA_WITH_SHA_256 {
            return Err(CsrError::Algorithm);
        }
        // DER has one encoding, so what is encoded again is what was signed.
        let signed = request.info.to_der().map_err(|_| CsrError::Syntax)?;
        let signature = request
            .signature
            .as_bytes()
            .and_then(|bytes| DerSignature::from_bytes(bytes).ok())
            .ok_or(CsrError::Signature)?;
        key.0
            .verify(&signed, &signature)
            .map_err(|_| CsrError::Signature)?;
        Ok(Self {
            subject: Subject::read(&request.info.subject)?,
            key,
        })
    }
}

/// The subject and public key of a certificate that a TLS handshake has already verified; `None` if
/// it is not shaped like a device's.
pub(crate) fn read_peer(der: &[u8]) -> Option<(Subject, PublicKey)> {
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let subject = Subject::read(tbs.subject()).ok()?;
    let key = PublicKey::read(tbs.subject_public_key_info())?;
    Some((subject, key))
}

#[cfg(test)]
pub(crate) mod tests {
    use x509_cert::builder::Builder as _;
    use x509_cert::der::EncodePem as _;
    use x509_cert::der::pem::LineEnding;
    use x509_cert::request::RequestBuilder;

    use super::super::key::Key;
    use super::*;

    /// A CSR as a device makes it.
    pub(crate) fn csr(key: &Key, subject: &Subject) -> String {
        request(key, subject).to_pem(LineEnding::LF).unwrap()
    }

    fn request(key: &Key, subject: &Subject) -> CertReq {
        RequestBuilder::new(subject.to_name().unwrap())
            .unwrap()
            .build::<_, DerSignature>(&key.signer())
            .unwrap()
    }

    #[test]
    fn reads_subject_and_key() {
        let key = Key::generate().unwrap();
        let subject = Subject {
            production: true,
            ..Subject::new("some-uuid", "acme")
        };
        let read = DeviceCsr::read(&csr(&key, &subject)).unwrap();
        assert_eq!(read.subject, subject);
        assert_eq!(read.key, key.public());
    }

    #[test]
    fn refuses_a_forged_request() {
        let key = Key::generate().unwrap();
        let mut forged = request(&key, &Subject::new("one", "acme"));
        forged.info.subject = Subject::new("two", "acme").to_name().unwrap();
        let forged = forged.to_pem(LineEnding::LF).unwrap();
        assert_eq!(DeviceCsr::read(&forged).unwrap_err(), CsrError::Signature);
    }

    #[test]
    fn refuses_what_is_not_a_request() {
        for text in [
            "",
            "x",
            "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        ] {
            assert_eq!(DeviceCsr::read(text).unwrap_err(), CsrError::Syntax);
        }
    }
}
