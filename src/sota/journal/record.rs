//! Pure: what a journal remembers.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::key::pkcs11::Ids;
use crate::secret::Secret;
use crate::sota::files::{CONFIGURATION, PRIVATE_KEY};

/// What was decided about a registration, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// What was decided.
    pub(crate) plan: Planned,
    /// UUIDs that the backend may hold and nobody uses any more.
    pub(crate) orphans: Vec<String>,
    /// How far it came.
    pub(crate) progress: Progress,
}

/// What was decided before anything was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Planned {
    /// Who the device will be.
    pub(crate) identity: Identity,
    /// Where the new key will be.
    pub(crate) key: KeyPlace,
    /// An earlier registration is replaced.
    pub(crate) replaces: bool,
}

/// What makes a device another one if it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Identity {
    /// CN.
    pub(crate) uuid: String,
    /// Who chose it.
    pub(crate) uuid_origin: UuidOrigin,
    /// OU.
    pub(crate) factory: String,
    /// Production device.
    pub(crate) production: bool,
    /// Where the request goes.
    pub(crate) device_api: String,
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
    Token(TokenPlace),
}

/// A place on a PKCS#11 token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TokenPlace {
    /// Path of the library.
    pub(crate) module: String,
    /// The token's label.
    pub(crate) label: String,
    /// The token's serial number.
    pub(crate) serial: String,
    /// The ids of the objects; free when this was decided.
    pub(crate) ids: Ids,
    /// Older objects under our labels go when this registration is in use.
    pub(crate) supersedes: bool,
}

/// How far a registration came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The identity is chosen.
    Planned,
    /// The key and the request exist.
    KeyReady(Request),
    /// The backend may know the device.
    Sent(Request),
    /// The verified files are here: nothing more is needed from outside.
    Received(Request, Installation),
    /// `sota.toml` is in place; only cleaning up is left.
    Installed(Request, Installation),
}

/// A signing request and the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// PKCS#10, PEM.
    pub(crate) csr: String,
    /// The key, PEM, unless it is on a token.
    pub(crate) software_key: Option<Secret>,
}

/// What an installation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installation {
    /// What was asked for.
    pub(crate) asked: Asked,
    /// What the backend sent, `sota.toml` last.
    pub(crate) files: Vec<ReceivedFile>,
    /// Files of an earlier registration that its successor does not have.
    pub(crate) remove: Vec<String>,
    /// SHA-256, hex, of the `sota.toml` that is replaced.
    pub(crate) replaces: Option<String>,
}

/// What an answer was asked for with, beside the identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Device name.
    pub(crate) name: String,
    /// SHA-256, hex, of the whole request but its CSR; version 0.1.0 did not note it.
    pub(crate) sha256: Option<String>,
}

/// A verified file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedFile {
    /// Its name in the sota directory.
    pub(crate) name: String,
    /// Its content; `sota.toml` may hold a PIN.
    pub(crate) text: Secret,
    /// Only its owner may read it.
    pub(crate) private: bool,
}

impl ReceivedFile {
    /// The file of a software key, PEM.
    pub(crate) fn key(text: Secret) -> Self {
        Self {
            name: PRIVATE_KEY.to_owned(),
            text,
            private: true,
        }
    }

    /// Whether that is what was found under its name.
    pub(super) fn is_in(&self, found: Option<&Zeroizing<Vec<u8>>>) -> bool {
        found.is_some_and(|found| **found == *self.text.expose().as_bytes())
    }
}

impl Progress {
    /// What is installed, once the answer is here.
    pub(crate) fn installation(&self) -> Option<&Installation> {
        match self {
            Self::Received(_, installation) | Self::Installed(_, installation) => {
                Some(installation)
            }
            _ => None,
        }
    }

    /// The signing request, once there is one.
    pub(crate) fn request(&self) -> Option<&Request> {
        match self {
            Self::Planned => None,
            Self::KeyReady(request)
            | Self::Sent(request)
            | Self::Received(request, _)
            | Self::Installed(request, _) => Some(request),
        }
    }
}

impl AsRef<Record> for Record {
    fn as_ref(&self) -> &Record {
        self
    }
}

impl Record {
    /// Whether the backend may know the device.
    pub(crate) fn may_be_known(&self) -> bool {
        !matches!(self.progress, Progress::Planned | Progress::KeyReady(_))
    }

    /// Every file that this registration installs, `sota.toml` last.
    pub(crate) fn files(&self) -> Vec<ReceivedFile> {
        let (Progress::Received(request, installation)
        | Progress::Installed(request, installation)) = &self.progress
        else {
            return Vec::new();
        };
        let key = request.software_key.clone().map(ReceivedFile::key);
        let mut files: Vec<_> = key
            .into_iter()
            .chain(installation.files.iter().cloned())
            .collect();
        files.sort_by_key(|file| file.name == CONFIGURATION);
        files
    }
}
