//! What stands for a token in a build without the feature `pkcs11`: there is none, and whoever asks
//! for one is told so.

use std::convert::Infallible;

use super::{Ids, NoDerive, POINT_BYTES};
use crate::certificate::DeviceCertificate;
use crate::error::{Error, Result};
use crate::settings::TokenSettings;

/// What a token is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing changes.
    Read,
    /// Nothing changes.
    Rehearse,
    /// Objects may be made and removed.
    Write,
}

/// A token that cannot exist.
#[derive(Debug)]
pub struct Token(Infallible);

/// A key that cannot exist.
#[derive(Debug)]
pub struct TokenKey(Infallible);

/// Where new objects would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Ids that are free.
    pub ids: Ids,
    /// There are older objects.
    pub supersedes: bool,
}

/// What `check` would want to know of a registration's objects.
#[derive(Debug, Clone)]
pub struct Objects {
    /// `CKA_SENSITIVE` of the private key.
    pub sensitive: bool,
    /// `CKA_EXTRACTABLE` of the private key.
    pub extractable: bool,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
}

#[allow(
    missing_docs,
    clippy::must_use_candidate,
    reason = "nobody can call these; their documentation is in `token`"
)]
impl Token {
    /// Says that this build knows no tokens.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`], always.
    pub fn open(settings: &TokenSettings, _: Access) -> Result<Self> {
        Err(Error::configuration(format!(
            "the key shall be on a token of {:?}, but this program was built without PKCS#11",
            settings.module
        ))
        .hint("leave --hsm-module out for a software key, or use a build with the feature pkcs11"))
    }

    pub fn uuid(&self) -> Result<Option<String>> {
        match self.0 {}
    }

    pub fn is_blank(&self) -> bool {
        match self.0 {}
    }

    pub fn label(&self) -> &str {
        match self.0 {}
    }

    pub fn serial(&self) -> &str {
        match self.0 {}
    }

    pub fn label_to_write(&self) -> Option<&str> {
        match self.0 {}
    }

    pub fn log_in(&mut self) -> Result<Vec<String>> {
        match self.0 {}
    }

    pub fn check_login(&self) -> Result<Option<String>> {
        match self.0 {}
    }

    pub fn room(&self, _: bool, _: Option<Ids>) -> Result<Room> {
        match self.0 {}
    }

    pub fn make_key(&self, _: Ids) -> Result<(TokenKey, Option<NoDerive>)> {
        match self.0 {}
    }

    pub fn find_key(&self, _: Ids) -> Result<TokenKey> {
        match self.0 {}
    }

    pub fn objects(&self, _: Ids) -> Result<Objects> {
        match self.0 {}
    }

    pub fn has_certificate(&self, _: Ids, _: &DeviceCertificate) -> Result<bool> {
        match self.0 {}
    }

    pub fn import_certificate(&self, _: Ids, _: &DeviceCertificate) -> Result<()> {
        match self.0 {}
    }

    pub fn remove(&self, _: Ids) -> Result<()> {
        match self.0 {}
    }

    pub fn remove_others(&self, _: Ids) -> Result<()> {
        match self.0 {}
    }

    pub fn remove_all(&self) -> Result<()> {
        match self.0 {}
    }

    pub fn remove_half_made(&self) -> Result<()> {
        match self.0 {}
    }
}

impl TokenKey {
    pub(super) fn point(&self) -> [u8; POINT_BYTES] {
        match self.0 {}
    }

    pub(super) fn sign(&self, _: &[u8]) -> Result<Vec<u8>> {
        match self.0 {}
    }
}
