//! The journal of version 0.1.0: a directory with a state file and staged files. Reads only.

use serde::Deserialize;

use super::entry::{Unusable, check_names, sha256, unusable};
use super::record::{
    Asked, Identity, Installation, KeyPlace, Planned, Progress, ReceivedFile, Record, Request,
    TokenPlace, UuidOrigin,
};
use crate::error::{Error, Result};
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
    request: Asking,
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
struct Asking {
    name: String,
    uuid: String,
    csr: String,
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
    fn plan(&self) -> (Planned, String) {
        let Asking { uuid, csr, .. } = &self.request;
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
            key,
            replaces: self.replaces,
        };
        (plan, csr.clone())
    }
}

/// The journal of version 0.1.0, if there is one with a state. What its files do not prove any more is
/// asked for again.
pub(super) fn read(sota: &Directory) -> Result<Option<Record>> {
    let not_ours = |error: Error| error.hint("remove it: lmp-device-register unregister");
    let Some(directory) = sota.subdirectory(DIRECTORY).map_err(not_ours)? else {
        return Ok(None);
    };
    directory.check_owner().map_err(not_ours)?;
    let Some(text) = directory.read(STATE, ANSWER_LIMIT)? else {
        return Ok(None);
    };
    let damaged = |cause| unusable(DIRECTORY, sota, cause);
    let state: State = serde_json::from_slice(&text).map_err(|_| damaged(Unusable::Damaged))?;
    if state.version != 1 {
        return Err(damaged(Unusable::Newer(state.version)));
    }
    let (plan, csr) = state.plan();
    let Staging { files, remove } = state.installation;
    let (keys, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.name == PRIVATE_KEY);
    check_names(others.iter().map(|file| &*file.name), &remove).map_err(damaged)?;
    let content = |staged: &&Staged| staged.content([&directory, sota]).transpose();
    let key = keys.iter().find_map(content).transpose()?;
    let found = others
        .iter()
        .filter_map(content)
        .collect::<Result<Vec<_>>>()?;
    let is_lost = plan.key == KeyPlace::Software && key.is_none();
    let is_whole = found.len() == others.len() && !is_lost;
    let request = Request {
        csr,
        software_key: key.map(|file| file.text),
    };
    let installation = Installation {
        asked: Asked {
            name: state.request.name,
            sha256: None,
        },
        files: found,
        remove,
        replaces: None,
    };
    let progress = match state.phase {
        Phase::Installed => Progress::Installed(request, installation),
        Phase::Received if is_whole => Progress::Received(request, installation),
        Phase::Sent | Phase::Received => Progress::Sent(request),
        Phase::KeyReady if !is_lost => Progress::KeyReady(request),
        Phase::Planned | Phase::KeyReady => Progress::Planned,
    };
    Ok(Some(Record {
        plan,
        orphans: state.orphans,
        progress,
    }))
}

impl Staged {
    /// The file, from the first of these places that has it as it was staged.
    fn content(&self, places: [&Directory; 2]) -> Result<Option<ReceivedFile>> {
        for place in places {
            let found = place.read_secret(&self.name, ANSWER_LIMIT)?;
            let found = found.filter(|found| sha256(found) == self.sha256);
            if let Some(text) = found
                .as_ref()
                .and_then(|text| std::str::from_utf8(text).ok())
            {
                return Ok(Some(ReceivedFile {
                    name: self.name.clone(),
                    text: text.into(),
                    private: self.name == PRIVATE_KEY || text.contains("[p11]"),
                }));
            }
        }
        Ok(None)
    }
}
