//! Reads what a registration has installed. `response` says what the files are called.

use crate::error::Result;
use crate::response::{ANSWER_LIMIT, CONFIGURATION};
use crate::sota_toml::SotaToml;
use crate::store::Directory;

/// The installed `sota.toml`.
#[derive(Debug)]
pub enum Configuration {
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
    pub fn read(sota: &Directory) -> Result<Self> {
        let Some(bytes) = sota.read_secret(CONFIGURATION, ANSWER_LIMIT)? else {
            return Ok(Self::Missing);
        };
        let sound = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| SotaToml::parse(text).ok());
        Ok(sound.map_or(Self::Damaged, Self::Sound))
    }
}
