//! Removes the objects of a registration from its token: those under our labels, nothing else.

use crate::board::claims::Claims;
use crate::error::{Error, Result};
use crate::key::pkcs11::{Access, Token, TokenChoice, TokenSettings};
use crate::settings::options::Sources;
use crate::settings::pin_of_unregister;
use crate::sota::directory::Directory;
use crate::sota::installed::{Configuration, token_settings};
use crate::sota::journal::{Journal, KeyPlace, TokenPlace};

/// Removes the objects of the registration that `sota.toml` names, and of one that was begun.
/// Only the latter needs a PIN of `sources`. If the token does not let them go, nothing else has been
/// removed.
pub(super) fn clear(sota: &Directory, sources: Sources, mut claims: Claims<'_>) -> Result<()> {
    let installed = installed_token(sota)?;
    // A journal that cannot be read names no token; it is discarded with everything in it.
    let begun = Journal::peek(sota).ok().flatten();
    let mut begun = begun.and_then(|record| match record.plan.key {
        KeyPlace::Token(place) => Some(place),
        KeyPlace::Software => None,
    });
    if let Some(settings) = installed {
        let mut token = open(&settings)?;
        let interrupted_here = begun
            .take_if(|place| {
                (&*place.module, &*place.serial) == (&*settings.module, token.serial())
            })
            .is_some();
        clear_one(&mut token, &mut claims, Token::remove_all, interrupted_here)?;
    }
    let Some(place) = begun else {
        return Ok(());
    };
    let ids = place.ids;
    let mut token = open(&settings_of(place, sources)?)?;
    clear_one(&mut token, &mut claims, |token| token.remove(ids), true)
}

/// `interrupted`: the token may have been cut off while it made an object.
fn clear_one(
    token: &mut Token,
    claims: &mut Claims<'_>,
    remove: impl FnOnce(&Token) -> Result<()>,
    interrupted: bool,
) -> Result<()> {
    claims.claim(token.serial(), token.label())?;
    let cleared = token.log_in().and_then(|_| {
        remove(token)?;
        if interrupted {
            token.remove_half_made()?;
        }
        Ok(())
    });
    cleared.map_err(keep_hint)
}

fn open(settings: &TokenSettings) -> Result<Token> {
    Token::open(settings, Access::Write).map_err(keep_hint)
}

/// A token that is gone must not keep a device registered for ever.
fn keep_hint(error: Error) -> Error {
    error.hint("mend the token, or give --keep-token to leave its objects where they are")
}

/// The token of the registration in `sota`, by what `[p11]` says.
fn installed_token(sota: &Directory) -> Result<Option<TokenSettings>> {
    match Configuration::read(sota)? {
        Configuration::Missing => Ok(None),
        Configuration::Sound(configuration) => Ok(token_settings(&configuration)
            .map_err(keep_hint)?
            .map(|(settings, _)| settings)),
        Configuration::Damaged(_) => Err(keep_hint(Error::registration(
            "sota.toml is damaged, so nobody knows whether there is a token",
        ))),
    }
}

fn settings_of(place: TokenPlace, sources: Sources) -> Result<TokenSettings> {
    let TokenPlace {
        module,
        label,
        serial,
        ids: _,
        supersedes: _,
    } = place;
    let pin = pin_of_unregister(sources)?.ok_or_else(|| {
        Error::setting("an interrupted registration made a key on a token, and there is no PIN")
            .hint(
                "give --hsm-pin-file FILE, or --keep-token to leave the key where it is, or finish \
                 that registration",
            )
    })?;
    Ok(TokenSettings {
        module,
        choice: TokenChoice {
            serial: Some(serial),
            ..TokenChoice::labelled(&label)
        },
        pin,
        so_pin: None,
        allow_final_try: false,
    })
}
