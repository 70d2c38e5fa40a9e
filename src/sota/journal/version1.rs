//! The journal of version 0.1.0: a directory with a state file and staged files. Reads only.

use serde::Deserialize;

use super::entry::{Unusable, check_names, sha256, unusable};
use super::record::{
    Identity, Installation, KeyPlace, Overrides, Planned, Progress, ReceivedFile, Record, Request,
    TokenPlace, UuidOrigin, Wishes,
};
use crate::error::Result;
use crate::key::pkcs11::Ids;
use crate::sota::directory::Directory;
use crate::sota::files::{ANSWER_LIMIT, PRIVATE_KEY};

/// Name of the directory.
pub(super) const DIRECTORY: &str = ".registration";
/// Name of the state file.
const STATE: &str = "state.json";

/// What version 0.1.0 wrote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Always 1.
    version: u32,
    phase: Phase,
    device_api: String,
    factory: String,
    production: bool,
    uuid_origin: UuidOrigin,
    key: Place,
    replaces: bool,
    request: Asked,
    orphans: Vec<String>,
    installation: Staging,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    Planned,
    KeyReady,
    Sent,
    Received,
    Installed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    Software,
    #[serde(rename_all = "kebab-case")]
    Token {
        module: String,
        label: String,
        serial: String,
        key_id: u8,
        certificate_id: u8,
        supersedes: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Asked {
    use_ostree_server: String,
    sota_config_dir: String,
    hardware_id: String,
    name: String,
    uuid: String,
    csr: String,
    overrides: Overrides,
    group: Option<String>,
}

/// Staged files, and what they replace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Staging {
    files: Vec<Staged>,
    remove: Vec<String>,
}

/// A staged file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Staged {
    name: String,
    sha256: String,
}

impl State {
    /// What was decided, and the signing request if there is one.
    fn plan(&self) -> (Planned, &str) {
        let Asked {
            use_ostree_server,
            sota_config_dir,
            hardware_id,
            name,
            uuid,
            csr,
            overrides,
            group,
        } = &self.request;
        let key = match &self.key {
            Place::Software => KeyPlace::Software,
            Place::Token {
                module,
                label,
                serial,
                key_id,
                certificate_id,
                supersedes,
            } => KeyPlace::Token(TokenPlace {
                module: module.clone(),
                label: label.clone(),
                serial: serial.clone(),
                ids: Ids {
                    key: *key_id,
                    certificate: *certificate_id,
                },
                supersedes: *supersedes,
            }),
        };
        let plan = Planned {
            identity: Identity {
                uuid: uuid.clone(),
                uuid_origin: self.uuid_origin,
                factory: self.factory.clone(),
                production: self.production,
                device_api: self.device_api.clone(),
            },
            wishes: Wishes {
                name: name.clone(),
                group: group.clone(),
                hardware_id: hardware_id.clone(),
                sota_dir: sota_config_dir.clone(),
                use_ostree_server: use_ostree_server == "true",
                overrides: overrides.clone(),
            },
            key,
            replaces: self.replaces,
        };
        (plan, csr)
    }
}

/// The journal of version 0.1.0. What its files do not prove any more is asked for again.
pub(super) fn read(sota: &Directory) -> Result<Option<Record>> {
    let Some(directory) = sota.subdirectory(DIRECTORY)? else {
        return Ok(None);
    };
    let Some(text) = directory.read(STATE, ANSWER_LIMIT)? else {
        return Ok(None);
    };
    let damaged = || unusable(DIRECTORY, sota, Unusable::Damaged);
    let state: State = serde_json::from_slice(&text).map_err(|_| damaged())?;
    if state.version != 1 {
        return Err(unusable(DIRECTORY, sota, Unusable::Newer(state.version)));
    }
    let (plan, csr) = state.plan();
    let content = |staged: &Staged| -> Result<Option<ReceivedFile>> {
        let Staged {
            name,
            sha256: known,
        } = staged;
        for place in [&directory, sota] {
            let found = place.read_secret(name, ANSWER_LIMIT)?;
            if let Some(found) = found.filter(|found| sha256(found) == *known)
                && let Ok(text) = std::str::from_utf8(&found)
            {
                let private = name == PRIVATE_KEY || text.contains("[p11]");
                return Ok(Some(ReceivedFile {
                    name: name.clone(),
                    text: text.into(),
                    private,
                }));
            }
        }
        Ok(None)
    };
    let (keys, others): (Vec<_>, Vec<_>) = state
        .installation
        .files
        .iter()
        .partition(|file| file.name == PRIVATE_KEY);
    let key = match keys.first() {
        Some(staged) => content(staged)?,
        None => None,
    };
    // Without its key nothing can be finished, and nobody but the backend may know the device.
    let lost = plan.key == KeyPlace::Software && key.is_none();
    let request = Request {
        csr: csr.to_owned(),
        software_key: key.map(|file| file.text),
    };
    let mut files = Vec::new();
    for staged in &others {
        files.extend(content(staged)?);
    }
    check_names(&files, &state.installation.remove)
        .map_err(|cause| unusable(DIRECTORY, sota, cause))?;
    let whole = files.len() == others.len();
    let installation = Installation {
        files,
        remove: state.installation.remove.clone(),
        replaces: None,
    };
    let progress = match state.phase {
        Phase::Installed => Progress::Installed(request, installation),
        _ if lost && state.phase != Phase::Sent && state.phase != Phase::Received => {
            Progress::Planned
        }
        Phase::Planned => Progress::Planned,
        Phase::KeyReady => Progress::KeyReady(request),
        Phase::Received if whole && !lost => Progress::Received(request, installation),
        Phase::Sent | Phase::Received => Progress::Sent(request),
    };
    Ok(Some(Record {
        plan,
        orphans: state.orphans,
        progress,
    }))
}
