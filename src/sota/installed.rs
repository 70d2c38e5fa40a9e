//! Reads what a registration has installed. `files` says what the files are called.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::{Error, Flaw, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Ids, TokenChoice, TokenSettings};
use crate::sota::directory::Directory;
use crate::sota::files::{ANSWER_LIMIT, CERTIFICATE, CONFIGURATION, DATABASE};
use crate::sota::journal;
use crate::sota::sota_toml::SotaToml;

/// The installed `sota.toml`.
#[derive(Debug)]
pub(crate) enum Configuration {
    /// There is none.
    Missing,
    /// It is not what its readers take.
    Damaged(Error),
    /// As it was installed, or as the configuration daemon has changed it since.
    Sound(SotaToml),
}

impl Configuration {
    /// Reads that of the registration in `sota`.
    pub(crate) fn read(sota: &Directory) -> Result<Self> {
        let Some(bytes) = sota.read_secret(CONFIGURATION, ANSWER_LIMIT)? else {
            return Ok(Self::Missing);
        };
        let parsed =
            utf8(CONFIGURATION, &bytes).and_then(|text| SotaToml::parse(text).map_err(unusable));
        Ok(parsed.map_or_else(Self::Damaged, Self::Sound))
    }

    /// The same for whoever cannot do without.
    pub(crate) fn required(sota: &Directory) -> Result<SotaToml> {
        match Self::read(sota)? {
            Self::Sound(configuration) => Ok(configuration),
            Self::Damaged(error) => Err(error),
            Self::Missing => Err(missing(sota, CONFIGURATION)),
        }
    }
}

/// The file by which the device in `sota` counts as registered.
pub(crate) fn registered_by(sota: &Directory) -> Result<Option<PathBuf>> {
    for name in [DATABASE, CERTIFICATE] {
        if sota.has(name)? {
            return Ok(Some(sota.path().join(name)));
        }
    }
    Ok(None)
}

/// The UUID of the device in `sota`, as far as a certificate can be read: for messages. One on a
/// token has the same subject as `client.pem`, which was there first.
pub(crate) fn uuid(sota: &Directory) -> Option<String> {
    let configuration = Configuration::read(sota).ok()?;
    let named = match &configuration {
        Configuration::Sound(configuration) => imported(configuration, "tls_clientcert_path"),
        _ => None,
    };
    let usual = CERTIFICATE.to_owned();
    named.into_iter().chain([usual]).find_map(|name| {
        let text = required_text(sota, &name).ok()?;
        Some(DeviceCertificate::from_pem(&text).ok()?.uuid)
    })
}

/// The file that `configuration` names so: a renewed one has another name. A relative one is not of the
/// registration's directory, but of that where a reader runs.
pub(crate) fn imported(configuration: &SotaToml, key: &str) -> Option<String> {
    let named = configuration.value("import", key)?;
    let path = std::path::absolute(named).ok()?;
    path.into_os_string().into_string().ok()
}

/// The text of a file without which there is no registration; it may be the key.
pub(crate) fn required_text(sota: &Directory, name: &str) -> Result<Zeroizing<String>> {
    let bytes = sota
        .read_secret(name, ANSWER_LIMIT)?
        .ok_or_else(|| missing(sota, name))?;
    utf8(name, &bytes).map(|text| Zeroizing::new(text.to_owned()))
}

/// What `[p11]` says, if it is there.
pub(crate) fn token_settings(configuration: &SotaToml) -> Result<Option<(TokenSettings, Ids)>> {
    let value = |key| configuration.value("p11", key);
    let Some(module) = value("module") else {
        return Ok(None);
    };
    let ids = configuration.token_ids();
    let (Some(pin), Some(ids)) = (configuration.secret("p11", "pass"), ids) else {
        return Err(unusable(
            "p11.pass is missing, or an id in [p11] is no hexadecimal number",
        ));
    };
    Ok(Some((
        TokenSettings {
            module: module.to_owned(),
            choice: TokenChoice::labelled(value("label").unwrap_or(DEFAULT_TOKEN_LABEL)),
            pin: pin.clone(),
            so_pin: None,
            // To look is never worth the risk.
            allow_final_try: false,
        },
        ids,
    )))
}

/// Nothing of a registration is there.
pub(crate) fn not_registered(path: &std::path::Path) -> Error {
    Error::registration(format!(
        "this device is not registered: {path:?} does not exist"
    ))
    .hint("register it: lmp-device-register")
}

const AGAIN: &str = "register again: lmp-device-register --force 1";

/// On the disk, what would make an answer unacceptable makes a registration unusable.
pub(crate) fn unusable(flaw: impl Into<Flaw>) -> Error {
    Error::registration(flaw)
        .context("the registration is unusable")
        .hint(AGAIN)
}

/// The same about this file.
pub(crate) fn unusable_file(path: &str) -> impl FnOnce(Flaw) -> Error {
    move |flaw| unusable(flaw).context(format!("{path:?}"))
}

fn missing(sota: &Directory, name: &str) -> Error {
    let path = sota.path().join(name);
    let is_begun = name != CONFIGURATION || !matches!(registered_by(sota), Ok(None));
    let is_interrupted = journal::is_there(sota).unwrap_or_default();
    if !is_begun && !is_interrupted {
        return not_registered(&path);
    }
    Error::registration(format!(
        "the registration is incomplete: {path:?} does not exist"
    ))
    .hint(if is_interrupted {
        "finish the interrupted registration: lmp-device-register"
    } else {
        AGAIN
    })
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| Error::registration(format!("{name} is not UTF-8 text")))
}
