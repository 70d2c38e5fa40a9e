//! Pure: settings and what was found on the machine become a [`Plan`], or a refusal.

use super::request::request;
use crate::board::facts::HostFacts;
use crate::board::update_client;
use crate::error::{Error, Kind, Result};
use crate::settings::{KeySetting, Settings};
use crate::sota::journal::{Beginning, KeyPlace, Phase, State, UuidOrigin};

/// What a run does.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    /// Remove what an interrupted run made before it sent anything, then begin.
    Begin {
        /// There is a registration that this one replaces.
        replaces: bool,
    },
    /// Ask, perhaps once more, with the journal's key, UUID and CSR.
    AskAgain,
    /// Install the journal's verified files.
    Install,
    /// The registration is complete; remove the journal.
    CleanUp,
}

/// Decides.
///
/// # Errors
/// [`Kind::AlreadyRegistered`], [`Kind::Busy`], or [`Kind::Configuration`] for an interrupted
/// registration that was begun with other options.
pub(super) fn decide(
    settings: &Settings,
    facts: &HostFacts,
    journal: Option<&State>,
) -> Result<Plan> {
    let HostFacts {
        registered_by,
        update_client_running,
    } = facts;
    if *update_client_running {
        return Err(update_client::is_running(
            settings.update_client,
            &settings.update_client_lock,
        ));
    }
    let registered = || {
        let file = registered_by.as_ref().filter(|_| !settings.force)?;
        Some(
            Error::new(
                Kind::AlreadyRegistered,
                format!("this device is registered: {file:?} exists"),
            )
            .hint("give --force 1 to replace that registration"),
        )
    };
    let phase = journal.map(|state| state.phase);
    if let (Some(state), Some(Phase::Sent | Phase::Received | Phase::Installed)) = (journal, phase)
    {
        check_same(settings, state)?;
    }
    match (journal, phase) {
        (Some(_), Some(Phase::Installed)) => Ok(Plan::CleanUp),
        (Some(_), Some(Phase::Received)) => Ok(Plan::Install),
        (Some(state), Some(phase)) if phase == Phase::Sent || is_worth_keeping(settings, state) => {
            match registered().filter(|_| !state.replaces) {
                Some(refusal) => Err(refusal),
                None => Ok(Plan::AskAgain),
            }
        }
        _ => match registered() {
            Some(refusal) => Err(refusal),
            None => Ok(Plan::Begin {
                replaces: registered_by.is_some(),
            }),
        },
    }
}

/// A key on a token takes seconds to make and wears its memory: one that is ready is used.
fn is_worth_keeping(settings: &Settings, state: &State) -> bool {
    state.phase == Phase::KeyReady
        && state.key != KeyPlace::Software
        && check_same(settings, state).is_ok()
}

/// An interrupted registration is finished as it was begun, or not at all.
fn check_same(settings: &Settings, state: &State) -> Result<()> {
    let identity = Identity {
        uuid: settings
            .uuid
            .clone()
            .unwrap_or_else(|| state.request.uuid.clone()),
        origin: state.uuid_origin,
    };
    let key = if is_place(&settings.key, &state.key) {
        Some(state.key.clone())
    } else {
        None
    };
    let difference = match key {
        Some(key) => state.difference(&beginning(settings, identity, key, false)?),
        None => Some("another place of the key".to_owned()),
    };
    match difference {
        None => Ok(()),
        Some(difference) => Err(Error::setting(format!(
            "an interrupted registration was begun with {difference}"
        ))
        .hint(
            "run again with the options of that registration, or give it up: \
             lmp-device-register unregister",
        )),
    }
}

fn is_place(setting: &KeySetting, place: &KeyPlace) -> bool {
    match (setting, place) {
        (KeySetting::Software, KeyPlace::Software) => true,
        (
            KeySetting::Token(settings),
            KeyPlace::Token {
                module,
                label,
                serial,
                ..
            },
        ) => {
            let choice = &settings.choice;
            settings.module == *module
                && choice.label == *label
                && choice.serial.as_ref().is_none_or(|known| known == serial)
        }
        _ => false,
    }
}

/// The UUID of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// CN.
    pub uuid: String,
    /// Who chose it.
    pub origin: UuidOrigin,
}

/// The command line's UUID, else the token's, else `random`.
#[must_use]
pub(super) fn identity(settings: &Settings, token: Option<String>, random: String) -> Identity {
    let given = settings.uuid.clone().map(|uuid| (uuid, UuidOrigin::Given));
    let (uuid, origin) = given
        .or_else(|| token.map(|uuid| (uuid, UuidOrigin::Token)))
        .unwrap_or((random, UuidOrigin::Generated));
    Identity { uuid, origin }
}

/// What the journal begins with.
///
/// # Errors
/// [`Kind::Configuration`] if the sota directory's name is not UTF-8.
pub(super) fn beginning(
    settings: &Settings,
    identity: Identity,
    key: KeyPlace,
    replaces: bool,
) -> Result<Beginning> {
    let Identity { uuid, origin } = identity;
    let sota_dir = settings.sota_dir.to_str().ok_or_else(|| {
        Error::setting(format!("{:?} is no UTF-8 path", settings.sota_dir))
            .hint("give --sota-dir DIR with a plain name")
    })?;
    Ok(Beginning {
        device_api: settings.device_api.to_string(),
        factory: settings.factory.clone(),
        production: settings.production,
        uuid_origin: origin,
        key,
        replaces,
        request: request(settings, &uuid, sota_dir),
    })
}

#[cfg(test)]
mod tests;
