//! The token's part in a registration: when it is opened, logged in to, written and cleaned up. All
//! of it does nothing for a software key.

use crate::error::{Error, Result};
use crate::key::DeviceKey;
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{Access, Ids, NoDerive, Room, Token, TokenSettings};
use crate::report::Reporter;
use crate::settings::{KeySetting, Settings};
use crate::sota::directory::Directory;
use crate::sota::files::{ANSWER_LIMIT, CERTIFICATE};
use crate::sota::installed::Configuration;
use crate::sota::journal::{Journal, KeyPlace};
use crate::sota::sota_toml::{P11, SotaToml};

/// The token of the settings, opened when it is first needed and then kept: the library is
/// initialised once, and there is one login.
pub(super) struct Hsm<'a> {
    settings: &'a Settings,
    reporter: &'a Reporter,
    token: Option<Token>,
    /// The token may have been cut off, or have failed, while it made an object.
    untidy: bool,
}

impl<'a> Hsm<'a> {
    pub(super) fn new(settings: &'a Settings, reporter: &'a Reporter, interrupted: bool) -> Self {
        Self {
            settings,
            reporter,
            token: None,
            untidy: interrupted,
        }
    }

    /// Whether the new key will be on a token.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.settings.key, KeySetting::Token(_))
    }

    fn token_settings(&self) -> Result<&'a TokenSettings> {
        match &self.settings.key {
            KeySetting::Token(settings) => Ok(settings),
            KeySetting::Software => Err(Error::setting(
                "an interrupted registration has its key on a token",
            )
            .hint(
                "run again with its --hsm-module and PIN, or give it up: \
                 lmp-device-register unregister",
            )),
        }
    }

    /// Opens the token, that of `place` if an earlier run chose one.
    pub(super) fn open(&mut self, place: Option<&KeyPlace>) -> Result<&mut Token> {
        if self.token.is_none() {
            let mut settings = self.token_settings()?.clone();
            if let Some(KeyPlace::Token {
                module,
                label,
                serial,
                ..
            }) = place
            {
                if (module, label) != (&settings.module, &settings.choice.label) {
                    return Err(Error::setting(format!(
                        "an interrupted registration has its key on the token {label:?} of {module:?}"
                    ))
                    .hint("run again with that --hsm-module and --hsm-token-label"));
                }
                if !serial.is_empty() {
                    settings.choice.serial = Some(serial.clone());
                }
            }
            self.token = Some(Token::open(&settings, Access::Write)?);
        }
        self.token
            .as_mut()
            .ok_or_else(|| Error::bug("a token was expected"))
    }

    fn logged_in(&mut self, place: Option<&KeyPlace>) -> Result<&mut Token> {
        let reporter = self.reporter;
        let untidy = std::mem::take(&mut self.untidy);
        let token = self.open(place)?;
        if token.is_blank() {
            reporter.step("Initialising a blank token");
        }
        for warning in token.log_in()? {
            reporter.warn(&warning);
        }
        if untidy {
            token.remove_half_made()?;
        }
        Ok(token)
    }

    /// The UUID that the token's slot description holds.
    pub(super) fn uuid(&mut self) -> Result<Option<String>> {
        if self.is_wanted() {
            self.open(None)?.uuid()
        } else {
            Ok(None)
        }
    }

    /// Decides where the new key will be: on a token, under ids that are free.
    pub(super) fn choose_place(&mut self, sota: &Directory) -> Result<KeyPlace> {
        if !self.is_wanted() {
            return Ok(KeyPlace::Software);
        }
        let module = self.token_settings()?.module.clone();
        let force = self.settings.force;
        let token = self.logged_in(None)?;
        let Room { ids, supersedes } = token.room(force, ids_in_use(sota)?)?;
        Ok(KeyPlace::Token {
            module,
            label: token.label().to_owned(),
            serial: token.serial().to_owned(),
            key_id: ids.key,
            certificate_id: ids.certificate,
            supersedes,
        })
    }

    /// Makes the key pair of `place`.
    pub(super) fn make_key(&mut self, place: &KeyPlace, ids: Ids) -> Result<DeviceKey> {
        let made = self.logged_in(Some(place))?.make_key(ids);
        let failed = match &made {
            Ok((_, None)) => false,
            Ok((_, Some(NoDerive { warning, failed }))) => {
                self.reporter.warn(warning);
                *failed
            }
            Err(_) => true,
        };
        if !failed {
            return made.map(|(key, _)| DeviceKey::on_token(key));
        }
        // Where the token failed it may keep what it had made by halves, and SoftHSM shows that
        // only to those who open it anew.
        self.token = None;
        self.untidy = true;
        made?;
        self.find_key(place, ids)
    }

    /// The key pair that an earlier run made.
    pub(super) fn find_key(&mut self, place: &KeyPlace, ids: Ids) -> Result<DeviceKey> {
        self.logged_in(Some(place))?
            .find_key(ids)
            .map(DeviceKey::on_token)
    }

    /// The backend's configuration with what its readers must know of the token.
    pub(super) fn configure(&mut self, place: &KeyPlace, sent: SotaToml) -> Result<SotaToml> {
        let Some(ids) = place.ids() else {
            return Ok(sent);
        };
        let pin = self.token_settings()?.pin.clone();
        let module = self.token_settings()?.module.clone();
        let token = self.open(Some(place))?;
        sent.with_p11(P11 {
            module: &module,
            pin: pin.expose(),
            label: token.label_to_write(),
            key_id: &format!("{:02x}", ids.key),
            certificate_id: &format!("{:02x}", ids.certificate),
        })
        .map_err(Error::answer)
    }

    /// Stores the certificate that the journal holds, unless it is there; needs no login then.
    pub(super) fn store_certificate(&mut self, journal: &Journal, sota: &Directory) -> Result<()> {
        let place = &journal.state().key;
        let Some(ids) = place.ids() else {
            return Ok(());
        };
        let pem = journal.received(CERTIFICATE, sota, ANSWER_LIMIT)?;
        let pem = String::from_utf8(pem)
            .map_err(|_| Error::registration("client.pem in the journal is not UTF-8 text"))?;
        let certificate = DeviceCertificate::from_pem(&pem).map_err(Error::answer)?;
        if self.open(Some(place))?.has_certificate(ids, &certificate)? {
            return Ok(());
        }
        self.logged_in(Some(place))?
            .import_certificate(ids, &certificate)
    }

    /// Removes the objects that this registration replaced, once `sota.toml` names its own. If it
    /// names others by now (fioconfig has renewed the key), nothing is touched.
    pub(super) fn retire_predecessor(&mut self, place: &KeyPlace, sota: &Directory) -> Result<()> {
        let KeyPlace::Token {
            supersedes: true, ..
        } = place
        else {
            return Ok(());
        };
        match place.ids() {
            Some(ids) if ids_in_use(sota)? == Some(ids) => {
                self.logged_in(Some(place))?.remove_others(ids)
            }
            _ => Ok(()),
        }
    }

    /// Removes what a run made that gives up.
    pub(super) fn undo(&mut self, place: &KeyPlace) -> Result<()> {
        match place.ids() {
            Some(ids) => self.logged_in(Some(place))?.remove(ids),
            None => Ok(()),
        }
    }
}

/// The ids that the registration in `sota` names, if it is one with a token.
fn ids_in_use(sota: &Directory) -> Result<Option<Ids>> {
    match Configuration::read(sota)? {
        Configuration::Sound(configuration) => Ok(configuration.token_ids()),
        Configuration::Missing | Configuration::Damaged(_) => Ok(None),
    }
}
