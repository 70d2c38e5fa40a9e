//! Pure: the untrusted answer of the backend becomes a [`Verified`] one, or an error that says why
//! not. Nothing of an answer that fails here reaches the disk.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};

use super::censor::Censor;
use crate::error::{Error, Flaw, Result};
use crate::key::certificate::{DeviceCertificate, check_roots};
use crate::sota::files::{ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, FileName, ROOT};
use crate::sota::sota_toml::SotaToml;

/// The most files that an answer may hold.
const FILE_LIMIT: usize = 32;

/// What the answer must say to be this device's.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// CN.
    pub uuid: &'a str,
    /// OU.
    pub factory: &'a str,
    /// SubjectPublicKeyInfo of the key that was made, DER.
    pub public_key_info: &'a [u8],
    /// This device's clock, seconds since 1970.
    pub now: u64,
}

/// The body of a 201: nobody has looked at it yet.
#[derive(Debug)]
pub(crate) struct Untrusted {
    body: Vec<u8>,
    censor: Censor,
}

impl Untrusted {
    pub(super) fn new(body: Vec<u8>, censor: Censor) -> Self {
        Self { body, censor }
    }

    /// [`verify`]s it.
    ///
    /// # Errors
    /// [`crate::error::Kind::Answer`] with the first thing that is wrong.
    pub(crate) fn verify(self, expected: Expected<'_>) -> Result<Verified> {
        verify(&self.body, expected).map_err(|error| self.censor.clean_error(error))
    }
}

/// A verified answer; nothing else makes one.
#[derive(Debug, Clone)]
pub struct Verified {
    files: Vec<(FileName, String)>,
    configuration: SotaToml,
    certificate: DeviceCertificate,
    warnings: Vec<String>,
}

impl Verified {
    /// The files as they were sent, `sota.toml` not among them.
    #[must_use]
    pub fn files(&self) -> &[(FileName, String)] {
        &self.files
    }

    /// The configuration.
    #[must_use]
    pub fn configuration(&self) -> &SotaToml {
        &self.configuration
    }

    /// The device certificate.
    #[must_use]
    pub fn certificate(&self) -> &DeviceCertificate {
        &self.certificate
    }

    /// What a person should know although it does not stop us.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The same with what this device adds to the configuration, which must be complete then.
    ///
    /// # Errors
    /// That of `change`, or [`crate::error::Kind::Answer`] if something is missing.
    pub(crate) fn configured(
        mut self,
        change: impl FnOnce(SotaToml) -> Result<SotaToml>,
    ) -> Result<Self> {
        self.configuration = change(self.configuration)?;
        self.configuration.check_complete().map_err(Error::answer)?;
        Ok(self)
    }
}

/// Verifies the body of a 201.
///
/// # Errors
/// [`crate::error::Kind::Answer`] with the first thing that is wrong.
pub fn verify(body: &[u8], expected: Expected<'_>) -> Result<Verified> {
    verified(body, expected).map_err(Error::answer)
}

fn verified(body: &[u8], expected: Expected<'_>) -> Result<Verified, Flaw> {
    let Expected {
        uuid,
        factory,
        public_key_info,
        now,
    } = expected;
    let mut files = parse_files(body)?;
    let text = |name: &str| {
        files
            .iter()
            .find(|(file, _)| file.as_str() == name)
            .map(|(_, text)| text.as_str())
    };
    let required = |name: &str| {
        text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Flaw::new(format!("the backend's answer lacks {name}")))
    };

    let certificate = DeviceCertificate::from_pem(required(CERTIFICATE)?)?;
    certificate.check_key(public_key_info)?;
    certificate.check_subject(uuid, factory)?;
    let warnings = certificate.check_validity(now)?.into_iter().collect();
    if let Some(chain) = text(CHAIN) {
        certificate.check_chain(chain, now)?;
    }
    check_roots(required(ROOT)?)?;
    let configuration = SotaToml::parse(required(CONFIGURATION)?)?;
    configuration.gateway()?;

    files.retain(|(name, _)| name.as_str() != CONFIGURATION);
    Ok(Verified {
        files,
        configuration,
        certificate,
        warnings,
    })
}

/// A JSON object of file names to texts, nothing deeper, no name twice.
fn parse_files(body: &[u8]) -> Result<Vec<(FileName, String)>, Flaw> {
    if body.len() > ANSWER_LIMIT {
        return Err(Flaw::new("the backend's answer is larger than 1 MiB"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let files = reader
        .deserialize_map(FileMap)
        .and_then(|files| reader.end().map(|()| files))
        .map_err(|cause| {
            Flaw::new("the backend's answer is no JSON object of files").because(cause)
        })?;
    files
        .into_iter()
        .map(|(name, text)| Ok((FileName::parse(&name)?, text)))
        .collect()
}

struct FileMap;

impl<'de> Visitor<'de> for FileMap {
    type Value = Vec<(String, String)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of file names to texts")
    }

    fn visit_map<M: MapAccess<'de>>(
        self,
        mut map: M,
    ) -> std::result::Result<Self::Value, M::Error> {
        let mut files: Vec<(String, String)> = Vec::new();
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            if files.iter().any(|(known, _)| *known == name) {
                return Err(M::Error::custom("a file name stands twice"));
            }
            if files.len() == FILE_LIMIT {
                return Err(M::Error::custom("too many files"));
            }
            files.push((name, text));
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests;
