//! Pure: reads the device certificate and checks that it is this device's.

use std::time::Duration;

use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage as WebpkiUsage, anchor_from_trusted_cert};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::name::Name;

use crate::error::{Flaw, Result};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
/// The most characters of a name that are shown; CN and OU have no more (RFC 5280 appendix A.1).
const NAME_LIMIT: usize = 64;

/// A device certificate and what it says.
#[derive(Debug, Clone)]
pub struct DeviceCertificate {
    /// The certificate, DER.
    pub der: CertificateDer<'static>,
    /// CN.
    pub uuid: String,
    /// OU.
    pub factory: String,
    /// Valid from, seconds since 1970.
    pub not_before: u64,
    /// Valid until, seconds since 1970.
    pub not_after: u64,
    /// Valid from, RFC 3339.
    pub not_before_text: String,
    /// Valid until, RFC 3339.
    pub not_after_text: String,
    public_key_info: Vec<u8>,
}

/// Subject, issuer and serial number as a token stores them, each DER (PKCS#11 section 4.6.3).
#[derive(Debug, Clone)]
pub struct TokenAttributes {
    /// DER of the subject's name.
    pub subject: Vec<u8>,
    /// DER of the issuer's name.
    pub issuer: Vec<u8>,
    /// DER INTEGER of the serial number.
    pub serial_number: Vec<u8>,
}

impl DeviceCertificate {
    /// Reads a PEM text that holds exactly one certificate, of a client, and nothing else.
    pub fn from_pem(pem: &str) -> Result<Self, Flaw> {
        let mut certificates = certificates(pem)?;
        match (certificates.pop(), certificates.len()) {
            (None, _) => Err(Flaw::new("client.pem holds no certificate")),
            (Some(der), 0) => Self::from_der(der),
            (Some(_), more) => Err(Flaw::new(format!(
                "client.pem holds {} certificates, not one",
                more + 1
            ))),
        }
    }

    /// Reads a certificate of a client.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, Flaw> {
        let certificate = Certificate::from_der(&der)
            .map_err(|cause| Flaw::new("the device certificate is damaged").because(cause))?;
        check_purposes(&certificate)?;
        let content = certificate.tbs_certificate();
        let validity = content.validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let public_key_info = content
            .subject_public_key_info()
            .to_der()
            .map_err(|cause| Flaw::new("the certificate's public key is damaged").because(cause))?;
        Ok(Self {
            uuid: one_attribute(content.subject(), COMMON_NAME, "CN")?,
            factory: one_attribute(content.subject(), ORGANIZATIONAL_UNIT, "OU")?,
            not_before: seconds(validity.not_before),
            not_after: seconds(validity.not_after),
            not_before_text: validity.not_before.to_date_time().to_string(),
            not_after_text: validity.not_after.to_date_time().to_string(),
            public_key_info,
            der,
        })
    }

    /// Checks that the certificate is for the key with this SubjectPublicKeyInfo.
    pub fn check_key(&self, public_key_info: &[u8]) -> Result<(), Flaw> {
        if self.public_key_info == public_key_info {
            Ok(())
        } else {
            Err(Flaw::new(
                "the certificate is for another key than this device's",
            ))
        }
    }

    /// Checks CN and OU.
    pub fn check_subject(&self, uuid: &str, factory: &str) -> Result<(), Flaw> {
        for (what, found, expected) in [("CN", &self.uuid, uuid), ("OU", &self.factory, factory)] {
            if found != expected {
                return Err(Flaw::new(format!(
                    "the certificate's {what} is {}, not {expected:?}",
                    shown(found)
                )));
            }
        }
        Ok(())
    }

    /// Checks the end of the validity against `now` (seconds since 1970). A beginning in the
    /// future is returned as a warning only: the clocks of fresh boards lag behind.
    pub fn check_validity(&self, now: u64) -> Result<Option<String>, Flaw> {
        if self.not_after < now {
            return Err(Flaw::new(format!(
                "the certificate expired on {}, {} days before this device's clock",
                self.not_after_text,
                (now - self.not_after) / 86_400
            ))
            .hint("compare the clock: date -u"));
        }
        Ok((self.not_before > now).then(|| {
            format!(
                "the certificate is valid from {}: this device's clock is {} s behind that",
                self.not_before_text,
                self.not_before - now
            )
        }))
    }

    /// Checks that `chain`, the text of `client.chained`, begins with this certificate and, if it
    /// goes on, that each certificate in it is signed by the next one.
    pub fn check_chain(&self, chain: &str, now: u64) -> Result<(), Flaw> {
        let chain = certificates(chain)?;
        let Some((leaf, issuers)) = chain.split_first() else {
            return Err(Flaw::new("client.chained holds no certificate"));
        };
        if *leaf != self.der {
            return Err(Flaw::new(
                "client.chained begins with another certificate than client.pem",
            ));
        }
        let Some((anchor, intermediates)) = issuers.split_last() else {
            return Ok(());
        };
        let damaged = |cause: webpki::Error| {
            Flaw::new("client.chained does not prove who signed the certificate").because(cause)
        };
        let anchor = anchor_from_trusted_cert(anchor).map_err(damaged)?;
        // The clock is judged by check_validity; the signature holds whatever it says.
        let time = now.max(self.not_before).min(self.not_after);
        EndEntityCert::try_from(leaf)
            .map_err(damaged)?
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &[anchor],
                intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(time)),
                WebpkiUsage::client_auth(),
                None,
                None,
            )
            .map_err(damaged)?;
        Ok(())
    }

    /// What a token stores beside the certificate itself.
    pub fn token_attributes(&self) -> Result<TokenAttributes, Flaw> {
        let damaged = |cause: x509_cert::der::Error| {
            Flaw::new("the device certificate is damaged").because(cause)
        };
        let certificate = Certificate::from_der(&self.der).map_err(damaged)?;
        let content = certificate.tbs_certificate();
        Ok(TokenAttributes {
            subject: content.subject().to_der().map_err(damaged)?,
            issuer: content.issuer().to_der().map_err(damaged)?,
            serial_number: content.serial_number().to_der().map_err(damaged)?,
        })
    }
}

/// A client's certificate: no CA, may sign a handshake, is for client authentication.
fn check_purposes(certificate: &Certificate) -> Result<(), Flaw> {
    let content = certificate.tbs_certificate();
    let damaged = |cause: x509_cert::der::Error| {
        Flaw::new("the certificate's extensions are damaged").because(cause)
    };
    let constraints = content
        .get_extension::<BasicConstraints>()
        .map_err(damaged)?;
    if constraints.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(Flaw::new("the certificate is one of a CA, not of a device"));
    }
    // Absent, every usage is allowed (RFC 5280 section 4.2.1.3).
    let usage = content.get_extension::<KeyUsage>().map_err(damaged)?;
    if usage.is_some_and(|(_, usage)| !usage.0.contains(KeyUsages::DigitalSignature)) {
        return Err(Flaw::new(
            "the certificate's key usage lacks digitalSignature",
        ));
    }
    let purposes = content
        .get_extension::<ExtendedKeyUsage>()
        .map_err(damaged)?;
    if !purposes.is_some_and(|(_, purposes)| purposes.0.contains(&CLIENT_AUTH)) {
        return Err(Flaw::new(
            "the certificate's extended key usage lacks clientAuth",
        ));
    }
    Ok(())
}

fn one_attribute(name: &Name, kind: ObjectIdentifier, what: &str) -> Result<String, Flaw> {
    let mut values = name.iter().filter(|attribute| attribute.oid == kind);
    let (Some(attribute), None) = (values.next(), values.next()) else {
        return Err(Flaw::new(format!(
            "the certificate's subject does not have exactly one {what}"
        )));
    };
    directory_string(attribute.value.tag(), attribute.value.value())
        .ok_or_else(|| Flaw::new(format!("the certificate's {what} is no text")))
}

/// A name of a certificate in a message, quoted: it may be as long as an answer.
fn shown(name: &str) -> String {
    match name.char_indices().nth(NAME_LIMIT) {
        Some((end, _)) => format!("{:?}...", &name[..end]),
        None => format!("{name:?}"),
    }
}

/// `DirectoryString` (RFC 5280 section 4.1.2.4): backends re-encode what the CSR said.
fn directory_string(tag: Tag, bytes: &[u8]) -> Option<String> {
    match tag {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            String::from_utf8(bytes.to_vec()).ok()
        }
        Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Tag::BmpString => {
            let units = bytes.chunks(2).map(|pair| match pair {
                [high, low] => Some(u16::from_be_bytes([*high, *low])),
                _ => None,
            });
            String::from_utf16(&units.collect::<Option<Vec<_>>>()?).ok()
        }
        _ => None,
    }
}

/// The certificates of a PEM text, which may hold nothing else.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let mut found = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes()) {
        match section {
            Ok((SectionKind::Certificate, der)) => found.push(CertificateDer::from(der)),
            Ok((kind, _)) => {
                return Err(Flaw::new(format!(
                    "a certificate file holds a section {kind:?}"
                )));
            }
            Err(cause) => return Err(Flaw::new("a certificate file is broken PEM").because(cause)),
        }
    }
    Ok(found)
}

/// Checks that `pem`, the text of `root.crt`, holds certificates that a server can be verified
/// with.
pub fn check_roots(pem: &str) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    let roots = certificates(pem)?;
    if roots.is_empty() {
        return Err(Flaw::new("root.crt holds no certificate"));
    }
    for root in &roots {
        anchor_from_trusted_cert(root)
            .map_err(|cause| Flaw::new("root.crt holds a damaged certificate").because(cause))?;
    }
    Ok(roots)
}
