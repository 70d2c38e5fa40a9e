//! A CA: a key with the certificate that lets it sign.

use std::path::Path;
use std::time::{Duration, SystemTime};

use p256::ecdsa::DerSignature;
use x509_cert::Certificate;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::ext::pkix::{BasicConstraints, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::key::{Flaw, Key, PublicKey};
use super::pem;
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
    pub(crate) fn new(key: Key, certificate: Certificate, path: &Path) -> Result<Self, Error> {
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
        let (key, certificate) = pem::open(key_path, path, any, |key| {
            let name = subject.to_name()?;
            let signer = Signer {
                key,
                name: name.clone(),
                key_id: None,
                ends: None,
            };
            signer.sign(profile, name, key.public())
        })?;
        Self::new(key, certificate, path)
    }

    /// Signs a certificate that never outlives this CA.
    pub(crate) fn issue(
        &self,
        profile: Profile<'_>,
        subject: &Subject,
        key: PublicKey,
    ) -> Result<Certificate, Error> {
        let tbs = self.certificate.tbs_certificate();
        let key_id = tbs.get_extension::<SubjectKeyIdentifier>()?;
        Signer {
            key: &self.key,
            name: tbs.subject().clone(),
            key_id: key_id.map(|(_, id)| id),
            ends: Some(tbs.validity().not_after),
        }
        .sign(profile, subject.to_name()?, key)
    }
}

/// What signing needs to know about the issuer.
struct Signer<'a> {
    key: &'a Key,
    name: Name,
    key_id: Option<SubjectKeyIdentifier>,
    ends: Option<Time>,
}

impl Signer<'_> {
    fn sign(
        self,
        profile: Profile<'_>,
        subject: Name,
        key: PublicKey,
    ) -> Result<Certificate, Error> {
        let now = SystemTime::now();
        let mut ends = Time::try_from(now + profile.lifetime())?;
        if let Some(limit) = self.ends
            && limit.to_unix_duration() < ends.to_unix_duration()
        {
            ends = limit;
        }
        let builder = CertificateBuilder::new(
            Filled {
                profile,
                issuer: self.name,
                subject,
                issuer_key_id: self.key_id,
            },
            SerialNumber::new(&random_serial()?)?,
            Validity::new(Time::try_from(now - BACKDATED)?, ends),
            key.info()?,
        )?;
        Ok(builder.build::<_, DerSignature>(&self.key.signer())?)
    }
}

/// Whether a certificate ends within so many seconds from now.
pub(crate) fn expires_within(certificate: &Certificate, seconds: u64) -> bool {
    let ends = certificate.tbs_certificate().validity().not_after;
    ends.to_system_time() < SystemTime::now() + Duration::from_secs(seconds)
}
