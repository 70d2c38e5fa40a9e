//! Stages the verified files, installs them, and says what is registered now.

use std::path::PathBuf;

use super::key_store::KeyStore;
use crate::backend::answer::Verified;
use crate::error::{Error, Kind, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Ids};
use crate::report::Reporter;
use crate::secret::Secret;
use crate::sota::directory::Directory;
use crate::sota::files::{
    ANSWER_LIMIT, CERTIFICATE, CHAIN, CONFIGURATION, DATABASE_FILES, PRIVATE_KEY, is_daemons,
};
use crate::sota::installed::{self, Configuration};
use crate::sota::journal::{Asked, Journal, KeyPlace, Progress, ReceivedFile, Record};
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
    /// UUID of the device that was registered here before.
    pub replaced: Option<String>,
    /// UUIDs that an interrupted run may have left on the backend.
    pub orphans: Vec<String>,
}

/// Puts the verified files into the journal.
pub(super) fn stage(
    sota: &Directory,
    journal: &mut Journal<'_>,
    asked: Asked,
    verified: &Verified,
) -> Result<()> {
    let configuration = verified.configuration();
    let mut received: Vec<ReceivedFile> = verified
        .files()
        .iter()
        .map(|(name, text)| ReceivedFile {
            name: name.as_str().to_owned(),
            text: text.as_str().into(),
            private: false,
        })
        .collect();
    received.push(ReceivedFile {
        name: CONFIGURATION.to_owned(),
        text: configuration.text().into(),
        private: configuration.value("p11", "pass").is_some(),
    });
    let key_file = (journal.record().plan.key == KeyPlace::Software).then_some(PRIVATE_KEY);
    for name in received.iter().map(|file| &*file.name).chain(key_file) {
        if sota.has_directory(name)? == Some(true) {
            let path = sota.path().join(name);
            return Err(Error::answer(format!(
                "the file {name:?} cannot be installed: {path:?} is a directory"
            ))
            .hint("move that directory away, unless the backend should not send such a file"));
        }
    }
    // The configuration daemon would finish a rotation of the old key, and bring it back.
    let mut candidates = sota.names()?;
    candidates.retain(|name| is_daemons(name));
    candidates.sort();
    // The update client's database names the old keys and would go on using them.
    let fixed = DATABASE_FILES.into_iter().chain([CHAIN, PRIVATE_KEY]);
    candidates.extend(fixed.map(str::to_owned));
    let mut superseded = Vec::new();
    for name in candidates {
        let is_new = key_file == Some(&*name) || received.iter().any(|file| file.name == name);
        if !is_new && sota.has_directory(&name)? == Some(false) {
            superseded.push(name);
        }
    }
    journal.receive(asked, received, superseded)
}

/// Installs what the journal holds; needs no network.
pub(super) fn install(
    sota: &Directory,
    mut journal: Journal<'_>,
    keys: &mut KeyStore<'_>,
    reporter: &Reporter,
) -> Result<Registered> {
    let place = journal.record().plan.key.clone();
    let mut replaced = None;
    if let Progress::Received(..) = journal.record().progress {
        let uuid = &journal.record().plan.identity.uuid;
        replaced = installed::uuid(sota).filter(|old| old != uuid);
        if let Some(old) = &replaced {
            reporter.step(&format!("Replacing device {old}: delete it on the backend"));
        }
        // Now, since only the old sota.toml knows, and it goes next.
        if let Some(warning) = forsaken_pair(sota, &place)? {
            reporter.warn(&warning);
        }
        if let Some((token, place)) = keys.token_at(&place) {
            let files = journal.record().files();
            let certificate = files.iter().find(|file| file.name == CERTIFICATE);
            let text = certificate.map_or("", |file| file.text.expose());
            token.store_certificate(
                place,
                &DeviceCertificate::from_pem(text).map_err(Error::answer)?,
            )?;
        }
    }
    journal.install()?;
    let registered = Registered {
        replaced,
        ..describe(sota, journal.record())?
    };
    // The device is registered whatever happens now; the next run cleans up what is left.
    let retired = keys.retire_predecessor(&place, sota);
    if let Err(error) = retired.and_then(|()| journal.close()) {
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
    let is_used = matches!(new, KeyPlace::Token(place) if place.label == token);
    Ok((!is_used).then(|| forsaken(module, token, ids)))
}

/// How to remove a pair that nobody uses any more.
pub(super) fn forsaken(module: &str, token: &str, ids: Ids) -> String {
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
    format!(
        "the old key pair stays on the token {token:?} of {module:?}: key id {key:02x}, certificate id \
         {certificate:02x}; if nothing else uses it, remove it: {}",
        delete.join(" && ")
    )
}

fn describe(sota: &Directory, record: &Record) -> Result<Registered> {
    let text = |name: &str| -> Result<Secret> {
        let bytes = sota.read_secret(name, ANSWER_LIMIT)?.unwrap_or_default();
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::new(Kind::Storage, format!("{name} is not UTF-8 text")))?;
        Ok(Secret::from(text))
    };
    let certificate =
        DeviceCertificate::from_pem(text(CERTIFICATE)?.expose()).map_err(Error::answer)?;
    let configuration = SotaToml::parse(text(CONFIGURATION)?.expose()).map_err(Error::answer)?;
    let identity = &record.plan.identity;
    let asked = record.progress.installation().map(|known| &known.asked);
    let files = record.files().into_iter();
    Ok(Registered {
        uuid: identity.uuid.clone(),
        name: asked.map_or(&identity.uuid, |asked| &asked.name).clone(),
        factory: identity.factory.clone(),
        production: identity.production,
        files: files.map(|file| sota.path().join(file.name)).collect(),
        gateway: configuration.gateway().map_err(Error::answer)?.to_owned(),
        not_before: certificate.not_before_text,
        not_after: certificate.not_after_text,
        replaced: None,
        orphans: record.orphans.clone(),
    })
}
