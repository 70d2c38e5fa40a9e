//! Pure: what the state file says.

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::backend::wire::RegistrationRequest;
use crate::key::pkcs11::Ids;

/// How far a registration came; each phase is durable before the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The identity is chosen.
    Planned,
    /// The key and the request exist.
    KeyReady,
    /// The backend may know the device.
    Sent,
    /// The verified files are staged: nothing more is needed from outside.
    Received,
    /// `sota.toml` is in place; only cleaning up is left.
    Installed,
}

/// Who chose the UUID: only one that we made up ourselves may be given up for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UuidOrigin {
    /// A random one.
    Generated,
    /// The operator's.
    Given,
    /// The token's slot description.
    Token,
}

/// Where the new key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyPlace {
    /// In the journal, then in `pkey.pem`.
    Software,
    /// On a PKCS#11 token.
    #[serde(rename_all = "kebab-case")]
    Token {
        /// Path of the library.
        module: String,
        /// The token's label.
        label: String,
        /// The token's serial number.
        serial: String,
        /// Id of both keys; free when this was decided.
        key_id: u8,
        /// Id of the certificate; free when this was decided.
        certificate_id: u8,
        /// Older objects under our labels go when this registration is in use.
        supersedes: bool,
    },
}

impl KeyPlace {
    /// The ids of the objects on the token.
    #[must_use]
    pub(crate) fn ids(&self) -> Option<Ids> {
        match self {
            KeyPlace::Software => None,
            KeyPlace::Token {
                key_id,
                certificate_id,
                ..
            } => Some(Ids {
                key: *key_id,
                certificate: *certificate_id,
            }),
        }
    }
}

/// A file that waits in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Staged {
    /// Its name, here and in the sota directory.
    pub name: String,
    /// SHA-256 of its content, hex: tells an installed file from a foreign one.
    pub sha256: String,
}

/// What an installation does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Installation {
    /// Files to move, `sota.toml` among them.
    pub files: Vec<Staged>,
    /// Files of an earlier registration that its successor does not have.
    pub remove: Vec<String>,
}

/// The content of the state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Format of this file.
    pub version: u32,
    /// How far it came.
    pub phase: Phase,
    /// Where the request goes.
    pub device_api: String,
    /// OU.
    pub factory: String,
    /// Production device.
    pub production: bool,
    /// Who chose the UUID.
    pub uuid_origin: UuidOrigin,
    /// Where the key is.
    pub key: KeyPlace,
    /// An earlier registration is replaced.
    pub replaces: bool,
    /// The request, with its CSR from [`Phase::KeyReady`] on.
    pub request: RegistrationRequest,
    /// UUIDs that the backend may hold and nobody uses any more.
    pub orphans: Vec<String>,
    /// From [`Phase::Received`] on.
    pub installation: Installation,
}

/// What a new journal begins with.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// Where the request will go.
    pub device_api: String,
    /// OU.
    pub factory: String,
    /// Production device.
    pub production: bool,
    /// Who chose the UUID.
    pub uuid_origin: UuidOrigin,
    /// Where the key will be.
    pub key: KeyPlace,
    /// An earlier registration is replaced.
    pub replaces: bool,
    /// The request without its CSR.
    pub request: RegistrationRequest,
}

impl State {
    /// The first state of a journal.
    #[must_use]
    pub(crate) fn new(beginning: Beginning) -> Self {
        let Beginning {
            device_api,
            factory,
            production,
            uuid_origin,
            key,
            replaces,
            request,
        } = beginning;
        Self {
            version: VERSION,
            phase: Phase::Planned,
            device_api,
            factory,
            production,
            uuid_origin,
            key,
            replaces,
            request,
            orphans: Vec::new(),
            installation: Installation::default(),
        }
    }

    /// The first difference between what this journal was begun with and `wanted`, if there is
    /// one; the CSR, and how it was decided to replace, do not count.
    #[must_use]
    pub(crate) fn difference(&self, wanted: &Beginning) -> Option<String> {
        let Beginning {
            device_api,
            factory,
            production,
            request,
            key,
            ..
        } = wanted;
        let ours = &self.request;
        let texts = [
            ("device API", &self.device_api, device_api),
            ("factory", &self.factory, factory),
            ("UUID", &ours.uuid, &request.uuid),
            ("name", &ours.name, &request.name),
            ("hardware id", &ours.hardware_id, &request.hardware_id),
            (
                "sota directory",
                &ours.sota_config_dir,
                &request.sota_config_dir,
            ),
        ];
        if let Some((what, old, new)) = texts.into_iter().find(|(_, old, new)| old != new) {
            return Some(format!("{what} {old:?}, not {new:?}"));
        }
        let others = [
            ("place of the key", self.key == *key),
            (
                "kind of device (production or not)",
                self.production == *production,
            ),
            ("device group", ours.group == request.group),
            (
                "use of the OSTree proxy",
                ours.use_ostree_server == request.use_ostree_server,
            ),
            (
                "set of tags, apps or token settings",
                ours.overrides == request.overrides,
            ),
        ];
        let (what, _) = others.into_iter().find(|(_, same)| !same)?;
        Some(format!("another {what}"))
    }
}
