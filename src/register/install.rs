//! Stages the verified files, installs them, and says what is registered now.

use std::path::PathBuf;

use super::hsm::Hsm;
use crate::certificate::DeviceCertificate;
use crate::error::{Error, Kind, Result};
use crate::journal::{Journal, Phase, StagedFile, State};
use crate::response::{
    ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, DATABASE_FILES, PRIVATE_KEY, Registration,
};
use crate::secret::Secret;
use crate::sota_toml::SotaToml;
use crate::store::{Directory, PRIVATE, PUBLIC};
use crate::ui::Reporter;

/// A device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// CN.
    pub uuid: String,
    /// Device name.
    pub name: String,
    /// OU.
    pub factory: String,
    /// Production device.
    pub production: bool,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// URL of the Device Gateway.
    pub gateway: String,
    /// Certificate valid from, RFC 3339.
    pub not_before: String,
    /// Certificate valid until, RFC 3339.
    pub not_after: String,
    /// UUIDs that an interrupted run may have left on the backend.
    pub orphans: Vec<String>,
}

/// Puts the verified files into the journal.
pub(super) fn stage(
    sota: &Directory,
    journal: &mut Journal,
    verified: &Registration,
) -> Result<()> {
    let Registration {
        files,
        configuration,
        certificate: _,
        warnings: _,
    } = verified;
    let has_pin = configuration.value("p11", "pass").is_some();
    let mut staged: Vec<StagedFile<'_>> = files
        .iter()
        .map(|(name, text)| StagedFile {
            name: name.as_str(),
            content: text.as_bytes(),
            mode: PUBLIC,
        })
        .collect();
    staged.push(StagedFile {
        name: CONFIGURATION,
        content: configuration.text().as_bytes(),
        mode: if has_pin { PRIVATE } else { PUBLIC },
    });
    let new: Vec<&str> = journal
        .state()
        .installation
        .files
        .iter()
        .map(|file| file.name.as_str())
        .chain(staged.iter().map(|file| file.name))
        .collect();
    let mut superseded = Vec::new();
    // The update client's database names the old keys and would go on using them.
    for name in DATABASE_FILES.into_iter().chain([CHAIN, PRIVATE_KEY]) {
        if !new.contains(&name) && sota.has(name)? {
            superseded.push(name.to_owned());
        }
    }
    journal.receive(&staged, superseded)
}

/// Installs what the journal holds; needs no network.
pub(super) fn install(
    sota: &Directory,
    mut journal: Journal,
    hsm: &mut Hsm<'_>,
    reporter: &Reporter,
) -> Result<Registered> {
    if journal.state().phase < Phase::Installed {
        hsm.store_certificate(&journal, sota)?;
        journal.install(sota)?;
    }
    let registered = describe(sota, journal.state())?;
    // The device is registered whatever happens now; the next run cleans up what is left.
    let cleaned = hsm
        .retire_predecessor(&journal.state().key, sota)
        .and_then(|()| journal.close(sota));
    if let Err(error) = cleaned {
        reporter.warn(&error.full_message());
    }
    Ok(registered)
}

fn describe(sota: &Directory, state: &State) -> Result<Registered> {
    let text = |name: &str| -> Result<Secret> {
        let bytes = sota.read_secret(name, ANSWER_LIMIT)?.unwrap_or_default();
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::new(Kind::Storage, format!("{name} is not UTF-8 text")))?;
        Ok(Secret::from(text))
    };
    let certificate = DeviceCertificate::from_pem(text(CERTIFICATE)?.expose())?;
    let configuration = SotaToml::parse(text(CONFIGURATION)?.expose())?;
    let State {
        request,
        factory,
        production,
        installation,
        orphans,
        ..
    } = state;
    Ok(Registered {
        uuid: request.uuid.clone(),
        name: request.name.clone(),
        factory: factory.clone(),
        production: *production,
        files: installation
            .files
            .iter()
            .map(|file| sota.path().join(&file.name))
            .collect(),
        gateway: configuration.gateway()?.to_owned(),
        not_before: certificate.not_before_text,
        not_after: certificate.not_after_text,
        orphans: orphans.clone(),
    })
}
