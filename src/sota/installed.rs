//! Reads what a registration has installed. `response` says what the files are called.

use crate::error::{Error, Result};
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Ids, TokenChoice, TokenSettings};
use crate::sota::directory::Directory;
use crate::sota::files::{ANSWER_LIMIT, CONFIGURATION};
use crate::sota::sota_toml::SotaToml;

/// The installed `sota.toml`.
#[derive(Debug)]
pub(crate) enum Configuration {
    /// There is none.
    Missing,
    /// It is not what its readers take.
    Damaged,
    /// As it was installed, or as the configuration daemon has changed it since.
    Sound(SotaToml),
}

impl Configuration {
    /// Reads that of the registration in `sota`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn read(sota: &Directory) -> Result<Self> {
        let Some(bytes) = sota.read_secret(CONFIGURATION, ANSWER_LIMIT)? else {
            return Ok(Self::Missing);
        };
        let sound = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| SotaToml::parse(text).ok());
        Ok(sound.map_or(Self::Damaged, Self::Sound))
    }
}

/// What `[p11]` says, if it is there.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if the section is incomplete.
pub(crate) fn token_settings(configuration: &SotaToml) -> Result<Option<(TokenSettings, Ids)>> {
    let value = |key| configuration.value("p11", key);
    let Some(module) = value("module") else {
        return Ok(None);
    };
    let ids = configuration.token_ids();
    let (Some(pin), Some(ids)) = (configuration.secret("p11", "pass"), ids) else {
        return Err(unregistered(Error::configuration(
            "p11.pass is missing, or an id in [p11] is no hexadecimal number",
        )));
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

/// On the disk, what would make an answer unacceptable makes a registration unusable.
#[must_use]
pub(crate) fn unregistered(error: Error) -> Error {
    Error::configuration(format!(
        "the registration is unusable: {}",
        error.full_message()
    ))
    .hint("register again: lmp-device-register --force 1")
}
