//! What the checks found, each for those after it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::backend::http::Timeouts;
use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{Ids, Token};
use crate::sota::directory::Directory;
use crate::sota::installed::{imported, unusable};
use crate::sota::sota_toml::SotaToml;

/// What is asked, and what was found so far.
#[derive(Default)]
pub(super) struct Facts {
    pub sota_dir: PathBuf,
    /// None if the gateway shall not be contacted.
    pub timeouts: Option<Timeouts>,
    pub sota: Option<Directory>,
    pub configuration: Option<SotaToml>,
    pub certificate: Option<DeviceCertificate>,
    pub key: Option<Arc<DeviceKey>>,
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// HTTP status of the gateway.
    pub status: Option<u16>,
    /// Stays open as long as its key is used; `sota.toml` names the ids.
    pub token: Option<(Token, Ids)>,
    /// A rotation of the key is under way that needs the gateway no more.
    pub rotates_alone: bool,
}

/// A device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// CN.
    pub uuid: String,
    /// OU.
    pub factory: String,
    /// URL of the Device Gateway.
    pub gateway: String,
    /// Certificate valid from, RFC 3339.
    pub not_before: String,
    /// Certificate valid until, RFC 3339.
    pub not_after: String,
    /// HTTP status of the gateway, if it answered.
    pub status: Option<u16>,
}

impl Facts {
    /// The file that `sota.toml` names so.
    pub(super) fn imported(&self, key: &str) -> Result<String> {
        let configuration = needed(self.configuration.as_ref())?;
        imported(configuration, key)
            .ok_or_else(|| unusable(format!("import.{key} in sota.toml names no file")))
    }

    pub(super) fn device(self) -> Option<Device> {
        let gateway = self.configuration?.gateway().ok()?.to_owned();
        let certificate = self.certificate?;
        Some(Device {
            uuid: certificate.uuid,
            factory: certificate.factory,
            gateway,
            not_before: certificate.not_before_text,
            not_after: certificate.not_after_text,
            status: self.status,
        })
    }
}

/// What an earlier check found; the list says which checks need which.
pub(super) fn needed<T>(found: Option<&T>) -> Result<&T> {
    found.ok_or_else(|| Error::bug("a check was made without what it needs"))
}
