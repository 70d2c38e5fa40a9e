//! Pure: settings and what was found on the machine become a [`Plan`], or a refusal.

use crate::device_api::RegistrationRequest;
use crate::error::{Error, Kind, Result};
use crate::host::HostFacts;
use crate::journal::{Beginning, KeyPlace, Phase, State, UuidOrigin};
use crate::settings::{KeySetting, Settings};

/// What a run does.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Remove what an interrupted run made before it sent anything, then begin.
    Begin(Box<Beginning>),
    /// Ask again with the journal's key, UUID and CSR.
    AskAgain,
    /// Install the journal's verified files.
    Install,
    /// The registration is complete; remove the journal.
    CleanUp,
}

/// Decides. `random_uuid` is used if nobody chose one.
///
/// # Errors
/// [`Kind::AlreadyRegistered`], [`Kind::Busy`], or [`Kind::Configuration`] for an interrupted
/// registration that was begun with other options.
pub fn decide(
    settings: &Settings,
    facts: &HostFacts,
    journal: Option<&State>,
    random_uuid: &str,
) -> Result<Plan> {
    let HostFacts {
        registered_by,
        update_client_running,
    } = facts;
    if *update_client_running {
        return Err(Error::new(
            Kind::Busy,
            format!(
                "the update client is running: it holds {:?}",
                settings.update_client_lock
            ),
        )
        .hint(format!(
            "stop it first: systemctl stop {}",
            settings.update_client
        )));
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
        (Some(state), Some(Phase::Sent)) => match registered().filter(|_| !state.replaces) {
            Some(refusal) => Err(refusal),
            None => Ok(Plan::AskAgain),
        },
        _ => {
            if let Some(refusal) = registered() {
                return Err(refusal);
            }
            let (uuid, origin) = match &settings.uuid {
                Some(uuid) => (uuid.as_str(), UuidOrigin::Given),
                None => (random_uuid, UuidOrigin::Generated),
            };
            let mut beginning = beginning(settings, uuid, origin)?;
            beginning.replaces = registered_by.is_some();
            Ok(Plan::Begin(Box::new(beginning)))
        }
    }
}

/// An interrupted registration is finished as it was begun, or not at all.
fn check_same(settings: &Settings, state: &State) -> Result<()> {
    let uuid = settings.uuid.as_deref().unwrap_or(&state.request.uuid);
    let wanted = beginning(settings, uuid, state.uuid_origin)?;
    match state.difference(&wanted) {
        None => Ok(()),
        Some(difference) => Err(Error::configuration(format!(
            "an interrupted registration was begun with {difference}"
        ))
        .hint(
            "run again with the options of that registration, or give it up: \
             lmp-device-register unregister",
        )),
    }
}

fn beginning(settings: &Settings, uuid: &str, uuid_origin: UuidOrigin) -> Result<Beginning> {
    let sota_dir = settings.sota_dir.to_str().ok_or_else(|| {
        Error::configuration(format!("{:?} is no UTF-8 path", settings.sota_dir))
            .hint("give --sota-dir DIR with a plain name")
    })?;
    let key = match settings.key {
        KeySetting::Software | KeySetting::Token { .. } => KeyPlace::Software,
    };
    Ok(Beginning {
        device_api: settings.device_api.to_string(),
        factory: settings.factory.clone(),
        production: settings.production,
        uuid_origin,
        key,
        replaces: false,
        request: RegistrationRequest::new(settings, uuid, sota_dir),
    })
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
