//! What stands for a token in a build without the feature `pkcs11`: there is none, and whoever asks
//! for one is told so.

use std::convert::Infallible;

use super::super::certificate::DeviceCertificate;
use super::super::point::POINT_BYTES;
use super::ids::{Ids, NoDerive, Room};
use super::settings::{Access, TokenSettings};
use crate::error::{Error, Result};

/// A token that cannot exist.
#[derive(Debug)]
pub(crate) struct Token(Infallible);

/// A key that cannot exist.
#[derive(Debug)]
pub(crate) struct TokenKey(Infallible);

#[allow(
    missing_docs,
    clippy::must_use_candidate,
    reason = "nobody can call these; their documentation is in `token`"
)]
impl Token {
    /// Says that this build knows no tokens.
    pub(crate) fn open(settings: &TokenSettings, _: Access) -> Result<Self> {
        Err(Error::setting(format!(
            "the key shall be on a token of {:?}, but this program was built without PKCS#11",
            settings.module
        ))
        .hint("leave --hsm-module out for a software key, or use a build with the feature pkcs11"))
    }

    pub(crate) fn uuid(&self) -> Result<Option<String>> {
        match self.0 {}
    }

    pub(crate) fn is_blank(&self) -> bool {
        match self.0 {}
    }

    pub(crate) fn label(&self) -> &str {
        match self.0 {}
    }

    pub(crate) fn serial(&self) -> &str {
        match self.0 {}
    }

    pub(crate) fn label_to_write(&self) -> Option<&str> {
        match self.0 {}
    }

    pub(crate) fn log_in(&mut self) -> Result<Vec<String>> {
        match self.0 {}
    }

    pub(crate) fn check_login(&self) -> Result<Option<String>> {
        match self.0 {}
    }

    pub(crate) fn room(&self, _: bool, _: Option<Ids>) -> Result<Room> {
        match self.0 {}
    }

    pub(crate) fn make_key(&self, _: Ids) -> Result<(TokenKey, Option<NoDerive>)> {
        match self.0 {}
    }

    pub(crate) fn holds_key(&self, _: Ids) -> Result<bool> {
        match self.0 {}
    }

    pub(crate) fn find_key(&self, _: Ids) -> Result<TokenKey> {
        match self.0 {}
    }

    pub(crate) fn is_readable(&self, _: Ids) -> Result<bool> {
        match self.0 {}
    }

    pub(crate) fn certificate(&self, _: Ids) -> Result<Vec<u8>> {
        match self.0 {}
    }

    pub(crate) fn has_certificate(&self, _: Ids, _: &DeviceCertificate) -> Result<bool> {
        match self.0 {}
    }

    pub(crate) fn import_certificate(&self, _: Ids, _: &DeviceCertificate) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove(&self, _: Ids) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove_others(&self, _: Ids) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove_all(&self) -> Result<()> {
        match self.0 {}
    }

    pub(crate) fn remove_half_made(&self) -> Result<()> {
        match self.0 {}
    }
}

impl TokenKey {
    pub(in crate::key) fn point(&self) -> [u8; POINT_BYTES] {
        match self.0 {}
    }

    pub(in crate::key) fn sign(&self, _: &[u8]) -> Result<Vec<u8>> {
        match self.0 {}
    }
}
