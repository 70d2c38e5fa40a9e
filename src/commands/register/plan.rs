//! Pure: settings, what was found on the machine, and the journal of an interrupted run become a
//! [`Plan`], or a refusal.

use crate::board::facts::HostFacts;
use crate::board::update_client;
use crate::error::{Error, Kind, Result};
use crate::settings::{KeySetting, Settings};
use crate::sota::journal::{Identity, KeyPlace, Progress, Record, UuidOrigin};

/// What a run does, with the journal that it needs for that.
#[derive(Debug, Clone)]
pub(crate) enum Plan<J> {
    /// Begin a registration.
    Begin {
        /// There is one that this one replaces.
        replaces: bool,
        /// What an interrupted run made goes first.
        leftover: Option<J>,
    },
    /// Ask, perhaps once more, with the journal's key and UUID.
    AskAgain(J),
    /// Install the journal's verified files.
    Install(J),
    /// The registration is complete; remove the journal.
    CleanUp(J),
    /// The registration is complete; remove the journal and begin another one.
    Replace(J),
}

/// Decides.
///
/// # Errors
/// [`Kind::AlreadyRegistered`] or [`Kind::Busy`].
pub(super) fn decide<J: AsRef<Record>>(
    settings: &Settings,
    facts: &HostFacts,
    journal: Option<J>,
) -> Result<Plan<J>> {
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
    let registered = registered_by.as_ref().map(|file| {
        Error::new(
            Kind::AlreadyRegistered,
            format!("this device is registered: {file:?} exists"),
        )
        .hint("give --force 1 to replace that registration")
    });
    let Some(journal) = journal else {
        return match registered {
            Some(refusal) if !settings.force => Err(refusal),
            found => Ok(Plan::Begin {
                replaces: found.is_some(),
                leftover: None,
            }),
        };
    };
    let record = journal.as_ref();
    let same = is_same(settings, record);
    match &record.progress {
        Progress::Installed(..) if settings.force && !same => return Ok(Plan::Replace(journal)),
        Progress::Installed(..) => return Ok(Plan::CleanUp(journal)),
        Progress::Received(..) if same => return Ok(Plan::Install(journal)),
        _ => {}
    }
    // Files that an installation was cut off over are no registration of anybody's.
    let half_installed = matches!(record.progress, Progress::Received(..));
    let replaces = record.plan.replaces && record.may_be_known();
    if let Some(refusal) = registered.filter(|_| !settings.force && !replaces && !half_installed) {
        return Err(refusal);
    }
    Ok(match &record.progress {
        Progress::Sent(_) if same => Plan::AskAgain(journal),
        // A key on a token takes seconds to make and wears its memory: one that is ready is used.
        Progress::KeyReady(_) if same && record.plan.key != KeyPlace::Software => {
            Plan::AskAgain(journal)
        }
        _ => Plan::Begin {
            replaces: registered_by.is_some(),
            leftover: Some(journal),
        },
    })
}

/// Whether an interrupted run was about the same device and key. What else it asked for may have
/// changed: it is asked for as it is now.
pub(super) fn is_same(settings: &Settings, record: &Record) -> bool {
    let Identity {
        uuid,
        uuid_origin: _,
        factory,
        production,
        device_api,
    } = &record.plan.identity;
    let key_is_here = match (&settings.key, &record.plan.key) {
        (KeySetting::Software, KeyPlace::Software) => {
            let request = record.progress.request();
            request.is_none_or(|request| request.software_key.is_some())
        }
        (KeySetting::Token(wanted), KeyPlace::Token(place)) => place.is_of(wanted),
        _ => false,
    };
    key_is_here
        // Who does not name a UUID means the one that was begun with.
        && settings.uuid.as_ref().is_none_or(|wanted| wanted == uuid)
        && (&settings.factory, settings.production) == (factory, *production)
        && settings.device_api.as_str() == device_api
}

/// Who the device will be: the command line's UUID, else the token's, else `random`.
pub(super) fn identity(settings: &Settings, token: Option<String>, random: String) -> Identity {
    let given = settings.uuid.clone().map(|uuid| (uuid, UuidOrigin::Given));
    let (uuid, uuid_origin) = given
        .or_else(|| token.map(|uuid| (uuid, UuidOrigin::Token)))
        .unwrap_or((random, UuidOrigin::Generated));
    Identity {
        uuid,
        uuid_origin,
        factory: settings.factory.clone(),
        production: settings.production,
        device_api: settings.device_api.to_string(),
    }
}

#[cfg(test)]
mod tests;
