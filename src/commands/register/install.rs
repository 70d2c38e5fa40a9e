//! Stages the verified files, installs them, and says what is registered now.

use std::path::PathBuf;

use super::key_store::Hsm;
use crate::backend::answer::Verified;
use crate::error::{Error, Kind, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Ids};
use crate::report::Reporter;
use crate::secret::Secret;
use crate::sota::directory::{Directory, PRIVATE, PUBLIC};
use crate::sota::files::{
    ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, DATABASE_FILES, PRIVATE_KEY,
};
use crate::sota::installed::Configuration;
use crate::sota::journal::{Journal, KeyPlace, Phase, StagedFile, State};
use crate::sota::sota_toml::SotaToml;

/// A device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered {
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
pub(super) fn stage(sota: &Directory, journal: &mut Journal, verified: &Verified) -> Result<()> {
    let configuration = verified.configuration();
    let has_pin = configuration.value("p11", "pass").is_some();
    let mut staged: Vec<StagedFile<'_>> = verified
        .files()
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
        // Now, since only the old sota.toml knows, and it goes next.
        if let Some(warning) = forsaken_pair(sota, &journal.state().key)? {
            reporter.warn(&warning);
        }
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

/// What an earlier registration leaves on a token that the new one does not use: nobody would ever
/// remove it, since `unregister` knows the new one only.
fn forsaken_pair(sota: &Directory, new: &KeyPlace) -> Result<Option<String>> {
    let Configuration::Sound(old) = Configuration::read(sota)? else {
        return Ok(None);
    };
    let (Some(module), Some(ids)) = (old.value("p11", "module"), old.token_ids()) else {
        return Ok(None);
    };
    let token = old.value("p11", "label").unwrap_or(DEFAULT_TOKEN_LABEL);
    if matches!(new, KeyPlace::Token { label, .. } if label == token) {
        return Ok(None);
    }
    let Ids { key, certificate } = ids;
    let word = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let delete = [("privkey", key), ("pubkey", key), ("cert", certificate)].map(|(kind, id)| {
        format!(
            "pkcs11-tool --module {} --token-label {} --login --delete-object --type {kind} --id \
             {id:02x}",
            word(module),
            word(token),
        )
    });
    Ok(Some(format!(
        "the old key pair stays on the token {token:?} of {module:?}: key id {key:02x}, certificate id \
         {certificate:02x}; if nothing else uses it, remove it: {}",
        delete.join(" && ")
    )))
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
