//! Logs in, once; and initialises a blank token. Flags and lengths are looked at before any PIN is
//! given away, and a PIN that was refused is not given again.

use cryptoki::error::{Error as Cause, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::super::choice::{self, Chosen, User};
use super::super::module::{refused, slot};
use super::super::settings::{Access, TokenChoice};
use super::{Login, Token};
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// Label of a token that nobody can use.
const UNUSABLE: &str = "unusable";

impl Token {
    /// Logs the user in, unless that was done; a blank token is initialised first. Returns what a
    /// person should know. A PIN that was refused is not tried again.
    pub(crate) fn log_in(&mut self) -> Result<Vec<String>> {
        match self.login {
            Login::Done => return Ok(Vec::new()),
            Login::Refused => {
                return Err(Error::new(
                    Kind::Unauthorised,
                    "the token refused the PIN before; it is not tried twice",
                ));
            }
            Login::NotTried => {}
        }
        let mut warnings = Vec::new();
        choice::check_path(&self.facts)?;
        if self.blank {
            if self.access != Access::Write {
                return Err(Error::bug("a blank token would have been initialised"));
            }
            self.initialise()?;
        }
        warnings.extend(self.check_login()?);
        if !self.facts.login_required {
            self.login = Login::Done;
            return Ok(warnings);
        }
        self.login = Login::Refused;
        let user = self.with_session(|session| {
            let pin = auth_pin(&self.settings.pin);
            Ok(session.login(UserType::User, Some(&pin)))
        })?;
        match user {
            Ok(()) | Err(Cause::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            // A run that was cut off while it initialised the token: no try was spent.
            Err(Cause::Pkcs11(RvError::UserPinNotInitialized, _)) => {
                match self.set_user_pin() {
                    Err(_) if self.facts.without_pins => self.replace()?,
                    done => warnings.extend(done?),
                }
                self.with_session(|session| log_in_again(session, &self.settings.pin))?;
            }
            Err(cause) => return Err(not_logged_in(User::Normal, &self.facts.label, cause)),
        }
        self.login = Login::Done;
        Ok(warnings)
    }

    /// What can be said of a login before a PIN is given away; a warning, if there is one. Of a blank
    /// token that was said when it was opened.
    pub(crate) fn check_login(&self) -> Result<Option<String>> {
        choice::check_path(&self.facts)?;
        if self.blank {
            return Ok(None);
        }
        choice::check_length(&self.facts, User::Normal, self.settings.pin.expose())?;
        choice::check_tries(&self.facts, User::Normal, self.settings.allow_final_try)
    }

    /// Everything that would stop us from initialising a blank token, before anything is done.
    pub(super) fn check_initialisable(&self) -> Result<()> {
        let officer = self.officer_pin()?;
        choice::check_length(&self.facts, User::Officer, officer.expose())?;
        choice::check_length(&self.facts, User::Normal, self.settings.pin.expose())?;
        // SoftHSM calls the PIN that a blank token does not have yet locked.
        let mut facts = self.facts.clone();
        facts.officer.locked = false;
        choice::check_tries(&facts, User::Officer, self.settings.allow_final_try).map(drop)
    }

    /// Takes a blank token instead of one that was cut off so early that it has no security officer
    /// PIN: `SoftHSM` can neither use nor remove that one, but lets its label go.
    fn replace(&mut self) -> Result<()> {
        self.close_sessions();
        let officer = self.officer_pin()?;
        let context = self.module.context();
        context
            .init_token(self.slot, &auth_pin(&officer), UNUSABLE)
            .map_err(|cause| refused("a token without PINs did not change its label", cause))?;
        let label = self.settings.choice.label.clone();
        let (tokens, _) = self.module.tokens()?;
        match choice::choose(&tokens, &TokenChoice::labelled(&label))? {
            Chosen::Initialise(index) => self.slot = slot(&tokens[index])?,
            Chosen::Use(_) => return Err(Error::bug("a token kept its label")),
        }
        self.initialise()
    }

    /// Gives a blank token its label and both PINs.
    fn initialise(&mut self) -> Result<()> {
        let label = self.settings.choice.label.clone();
        let officer = self.officer_pin()?;
        self.module
            .context()
            .init_token(self.slot, &auth_pin(&officer), &label)
            .map_err(|cause| refused("the blank token could not be initialised", cause))?;
        // The token may be in another slot now (SoftHSM).
        let (tokens, _) = self.module.tokens()?;
        let Chosen::Use(index) = choice::choose(&tokens, &TokenChoice::labelled(&label))? else {
            return Err(Error::token(format!(
                "the token was initialised, but does not show up as {label:?}"
            )));
        };
        self.facts = tokens[index].clone();
        self.slot = slot(&self.facts)?;
        self.tokens = tokens;
        self.blank = false;
        self.just_initialised = true;
        self.set_user_pin().map(drop)
    }

    /// Sets the user PIN with the security officer's; returns a warning.
    fn set_user_pin(&mut self) -> Result<Option<String>> {
        let officer = self.officer_pin()?;
        choice::check_length(&self.facts, User::Officer, officer.expose())?;
        let allow = self.settings.allow_final_try;
        let warning = if self.facts.without_pins {
            None
        } else {
            choice::check_tries(&self.facts, User::Officer, allow)?
        };
        let label = self.facts.label.clone();
        let pin = auth_pin(&self.settings.pin);
        self.with_session(|session| {
            session
                .login(UserType::So, Some(&auth_pin(&officer)))
                .map_err(|cause| not_logged_in(User::Officer, &label, cause))?;
            session
                .init_pin(&pin)
                .map_err(|cause| refused("the token did not take the user PIN", cause))?;
            session
                .logout()
                .map_err(|cause| refused("the security officer could not log out", cause))
        })?;
        Ok(warning)
    }

    fn officer_pin(&self) -> Result<Secret> {
        self.settings.so_pin.clone().ok_or_else(|| {
            Error::token(format!(
                "no token is labelled {:?}, and to initialise the one in slot {} takes the \
                     security officer PIN",
                self.settings.choice.label, self.facts.slot_id
            ))
            .hint("give --hsm-so-pin-file FILE, LMP_HSM_SO_PIN or --hsm-so-pin PIN")
        })
    }
}

fn auth_pin(pin: &Secret) -> AuthPin {
    AuthPin::new(pin.expose().into())
}

fn log_in_again(session: &Session, pin: &Secret) -> Result<()> {
    session
        .login(UserType::User, Some(&auth_pin(pin)))
        .map_err(|cause| {
            refused(
                "the token did not take the PIN that it was just given",
                cause,
            )
        })
}

fn not_logged_in(user: User, label: &str, cause: Cause) -> Error {
    let name = user.name();
    let code = match &cause {
        Cause::Pkcs11(code, _) => Some(*code),
        _ => None,
    };
    let error = refused(format!("the token {label:?} refuses the {name}"), cause);
    match code {
        Some(RvError::PinIncorrect | RvError::PinLenRange | RvError::PinInvalid) => error.hint(
            "a try was spent, and no other will be in this run; find the right PIN before the \
             token locks",
        ),
        // A TPM locks all that is on it, and its module tells that of no token beforehand.
        Some(RvError::PinLocked) => error.hint(
            "set a new one with the security officer PIN: pkcs11-tool --module PATH --login \
             --login-type so --init-pin; a TPM unlocks itself after a while: tpm2_getcap \
             properties-variable",
        ),
        _ => error,
    }
}
