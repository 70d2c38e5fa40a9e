//! A CA: a key with the certificate that lets it sign.

use std::path::Path;
use std::time::{Duration, SystemTime};

use p256::ecdsa::DerSignature;
use x509_cert::Certificate;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::key::{Flaw, Key, PublicKey};
use super::pem::{self, Identity};
use super::profile::{Filled, Profile};
use super::subject::Subject;
use crate::error::Error;
use crate::secret::random_serial;

/// How far a new certificate reaches back, so that a device whose clock is behind accepts it.
const BACKDATED: Duration = Duration::from_secs(10 * 60);

/// A key with the certificate that lets it sign.
#[derive(Debug)]
pub(crate) struct Ca {
    key: Key,
    pub(crate) certificate: Certificate,
}

impl Ca {
    /// A CA from its parts; `path` is the certificate's, for errors.
    pub(crate) fn new(identity: Identity, path: &Path) -> Result<Self, Error> {
        let Identity { key, certificate } = identity;
        key.expect_certified_by(&certificate, path)?;
        let constraints = certificate.tbs_certificate().get_extension();
        if !matches!(
            constraints,
            Ok(Some((_, BasicConstraints { ca: true, .. })))
        ) {
            return Err(Error::unusable(path)(Flaw::NotACa));
        }
        Ok(Self { key, certificate })
    }

    /// Reads a self-signed CA, or makes what is missing of it.
    pub(crate) fn open_self_signed(
        key_path: &Path,
        path: &Path,
        profile: Profile<'_>,
        subject: &Subject,
    ) -> Result<Self, Error> {
        let any = |_: &Certificate| true;
        let sign_itself = |key: &Key| sign(key, None, profile, subject, key.public());
        Self::new(pem::open(key_path, path, any, sign_itself)?, path)
    }

    /// Signs a certificate that never outlives this CA.
    pub(crate) fn issue(
        &self,
        profile: Profile<'_>,
        subject: &Subject,
        key: PublicKey,
    ) -> Result<Certificate, Error> {
        sign(&self.key, Some(&self.certificate), profile, subject, key)
    }
}

/// Signs with the key of an issuer, or, without one, for the subject itself.
fn sign(
    issuer_key: &Key,
    issuer: Option<&Certificate>,
    profile: Profile<'_>,
    subject: &Subject,
    key: PublicKey,
) -> Result<Certificate, Error> {
    let now = SystemTime::now();
    let mut ends = Time::try_from(now + profile.lifetime())?;
    let subject = subject.to_name()?;
    let mut filled = Filled {
        profile,
        issuer: subject.clone(),
        subject,
        issuer_key_id: None,
    };
    if let Some(issuer) = issuer {
        let tbs = issuer.tbs_certificate();
        filled.issuer = tbs.subject().clone();
        filled.issuer_key_id = tbs.get_extension()?.map(|(_, id)| id);
        let limit = tbs.validity().not_after;
        if limit.to_unix_duration() < ends.to_unix_duration() {
            ends = limit;
        }
    }
    let serial = SerialNumber::new(&random_serial()?)?;
    let validity = Validity::new(Time::try_from(now - BACKDATED)?, ends);
    let builder = CertificateBuilder::new(filled, serial, validity, key.info()?)?;
    Ok(builder.build::<_, DerSignature>(&issuer_key.signer())?)
}

/// Whether a certificate ends within so many seconds from now.
pub(crate) fn expires_within(certificate: &Certificate, seconds: u64) -> bool {
    let ends = certificate.tbs_certificate().validity().not_after;
    ends.to_system_time() < SystemTime::now() + Duration::from_secs(seconds)
}
