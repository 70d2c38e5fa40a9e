//! What a registration would do, as far as it can be told without changing anything: nobody is asked,
//! and no PIN is given away.

use super::connect::trust;
use super::plan::{self, Plan};
use super::preflight::check_space;
use crate::backend::http::Trust;
use crate::board::facts::HostFacts;
use crate::error::Result;
use crate::key::pkcs11::{Access, Token};
use crate::settings::{KeySetting, Settings};
use crate::sota::directory::Directory;
use crate::sota::journal::{Journal, KeyPlace, Record};

/// What a registration would do.
#[derive(Debug, Clone)]
pub(crate) struct Rehearsal {
    /// Its plan.
    pub plan: Plan<Record>,
    /// The token that it would use.
    pub token: Option<RehearsedToken>,
}

/// A token as it is before a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RehearsedToken {
    /// Its label, or the one that it would get.
    pub label: String,
    /// Its serial number; a blank token may get another one.
    pub serial: String,
    /// It would be initialised.
    pub blank: bool,
    /// The UUID in a slot's description, which the device would get.
    pub uuid: Option<String>,
    /// What the login would warn of.
    pub warning: Option<String>,
}

/// Rehearses a registration; changes nothing.
///
/// # Errors
/// As [`register`](super::register), as far as it can be told.
pub(crate) fn rehearse(settings: &Settings) -> Result<Rehearsal> {
    let sota = Directory::open(&settings.sota_dir)?;
    sota.check_writable()?;
    check_space(&sota)?;
    if let trust @ Trust::File(_) = trust(settings) {
        trust.roots()?;
    }
    let facts = HostFacts::read(&sota, &settings.update_client_lock)?;
    let journal = Journal::peek(&sota)?;
    let plan = plan::decide(settings, &facts, journal)?;
    let token = match &plan {
        Plan::Begin { .. } | Plan::Replace(_) => look_at_token(settings, None)?,
        Plan::AskAgain(record) | Plan::Install(record) => {
            look_at_token(settings, Some(&record.plan.key))?
        }
        Plan::CleanUp(_) => None,
    };
    Ok(Rehearsal { plan, token })
}

/// Looks at the token of the settings, that of `place` if an earlier run chose one.
fn look_at_token(settings: &Settings, place: Option<&KeyPlace>) -> Result<Option<RehearsedToken>> {
    let KeySetting::Token(wanted) = &settings.key else {
        return Ok(None);
    };
    let mut wanted = wanted.clone();
    if let Some(KeyPlace::Token(place)) = place
        && !place.serial.is_empty()
    {
        wanted.choice.serial = Some(place.serial.clone());
    }
    let token = Token::open(&wanted, Access::Rehearse)?;
    let blank = token.is_blank();
    Ok(Some(RehearsedToken {
        label: if blank {
            wanted.choice.label
        } else {
            token.label().to_owned()
        },
        serial: token.serial().to_owned(),
        blank,
        uuid: token.uuid()?,
        warning: token.check_login()?,
    }))
}
