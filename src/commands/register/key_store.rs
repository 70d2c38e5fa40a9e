//! Where the device's key is made, found, completed and given up: in memory, or on a token that is
//! opened when it is first needed and then kept, so that there is one `C_Initialize` and one login.

use crate::board::claims::Claims;
use crate::error::{Error, Result};
use crate::key::certificate::DeviceCertificate;
use crate::key::pkcs11::{Access, Ids, NoDerive, Room, Token, TokenSettings};
use crate::key::{DeviceKey, SoftwareKey};
use crate::report::Reporter;
use crate::secret::Secret;
use crate::settings::{KeySetting, Settings};
use crate::sota::directory::Directory;
use crate::sota::installed::Configuration;
use crate::sota::journal::{KeyPlace, Record, Request, TokenPlace};
use crate::sota::sota_toml::{P11, SotaToml};

/// Where new keys go, by the settings.
pub(super) enum KeyStore<'a> {
    Software,
    Token(Box<TokenStore<'a>>),
}

impl<'a> KeyStore<'a> {
    /// `interrupted`: a token may have been cut off while it made an object.
    pub(super) fn new(settings: &'a Settings, reporter: &'a Reporter, interrupted: bool) -> Self {
        match &settings.key {
            KeySetting::Software => Self::Software,
            KeySetting::Token(wanted) => Self::Token(Box::new(TokenStore {
                settings: wanted,
                reporter,
                claims: Claims::new(&settings.update_client_lock),
                token: None,
                untidy: interrupted,
            })),
        }
    }

    /// The token of these settings.
    pub(super) fn token(&mut self) -> Option<&mut TokenStore<'a>> {
        match self {
            Self::Software => None,
            Self::Token(store) => Some(store),
        }
    }

    /// The token that holds `place`, if these settings are about that one.
    pub(super) fn token_of(&mut self, place: &TokenPlace) -> Option<&mut TokenStore<'a>> {
        self.token().filter(|store| place.is_of(store.settings))
    }

    fn holder(&mut self, place: &TokenPlace) -> Result<&mut TokenStore<'a>> {
        self.token_of(place)
            .ok_or_else(|| Error::bug("the key is on another token"))
    }

    /// Makes a key; one in memory as PEM too.
    pub(super) fn make(&mut self, place: &KeyPlace) -> Result<(DeviceKey, Option<Secret>)> {
        match place {
            KeyPlace::Software => {
                let key = SoftwareKey::generate()?;
                let pem = Secret::from(key.to_pem()?);
                Ok((DeviceKey::software(key), Some(pem)))
            }
            KeyPlace::Token(place) => Ok((self.holder(place)?.make(place)?, None)),
        }
    }

    /// The key that an earlier run made, unless it is gone.
    pub(super) fn find(&mut self, record: &Record) -> Result<Option<DeviceKey>> {
        match &record.plan.key {
            KeyPlace::Token(place) => self.holder(place)?.find(place),
            KeyPlace::Software => match record.progress.request() {
                Some(Request {
                    software_key: Some(pem),
                    ..
                }) => SoftwareKey::from_pem(pem.expose())
                    .map(|key| Some(DeviceKey::software(key)))
                    .map_err(Error::registration),
                _ => Ok(None),
            },
        }
    }

    /// Removes what a run made that gives up, unless the settings mean another token by now.
    pub(super) fn undo(&mut self, place: &KeyPlace) -> Result<()> {
        match self.token_at(place) {
            Some((token, place)) => token.undo(place),
            None => Ok(()),
        }
    }

    /// Removes the objects that a registration in use replaced, unless the settings mean another token.
    pub(super) fn retire_predecessor(&mut self, place: &KeyPlace, sota: &Directory) -> Result<()> {
        match self.token_at(place) {
            Some((token, place)) => token.retire_predecessor(place, sota),
            None => Ok(()),
        }
    }

    /// The token that holds the key, if it is on one, and these settings are about that one.
    pub(super) fn token_at<'p>(
        &mut self,
        place: &'p KeyPlace,
    ) -> Option<(&mut TokenStore<'a>, &'p TokenPlace)> {
        match place {
            KeyPlace::Software => None,
            KeyPlace::Token(place) => Some((self.token_of(place)?, place)),
        }
    }

    /// The backend's configuration with what its readers must know of the token.
    pub(super) fn configure(&mut self, place: &KeyPlace, sent: SotaToml) -> Result<SotaToml> {
        match place {
            KeyPlace::Software => {
                sent.check_no_token().map_err(Error::answer)?;
                Ok(sent)
            }
            KeyPlace::Token(place) => self.holder(place)?.configure(place, &sent),
        }
    }
}

impl TokenPlace {
    /// Whether these settings mean the token of this place.
    pub(super) fn is_of(&self, wanted: &TokenSettings) -> bool {
        let choice = &wanted.choice;
        wanted.module == self.module
            && choice.label == self.label
            && choice
                .serial
                .as_ref()
                .is_none_or(|known| *known == self.serial)
    }
}

/// The token of the settings.
pub(super) struct TokenStore<'a> {
    settings: &'a TokenSettings,
    reporter: &'a Reporter,
    claims: Claims<'a>,
    token: Option<Token>,
    /// The token may have been cut off, or have failed, while it made an object.
    untidy: bool,
}

impl TokenStore<'_> {
    /// Opens the token, that of `place` if an earlier run chose one.
    pub(super) fn open(&mut self, place: Option<&TokenPlace>) -> Result<&mut Token> {
        if self.token.is_none() {
            let mut settings = self.settings.clone();
            if let Some(TokenPlace { serial, .. }) = place
                && !serial.is_empty()
            {
                settings.choice.serial = Some(serial.clone());
            }
            self.token = Some(Token::open(&settings, Access::Write)?);
        }
        self.token
            .as_mut()
            .ok_or_else(|| Error::bug("a token was expected"))
    }

    fn logged_in(&mut self, place: Option<&TokenPlace>) -> Result<&mut Token> {
        let reporter = self.reporter;
        let untidy = std::mem::take(&mut self.untidy);
        self.open(place)?;
        self.claim()?;
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
        // One that was blank says something else of itself now.
        self.claim()?;
        self.open(place)
    }

    /// Before a PIN is given away.
    fn claim(&mut self) -> Result<()> {
        if let Some(token) = &self.token
            && let Some(warning) = self.claims.claim(token.serial(), token.label())?
        {
            self.reporter.warn(&warning);
        }
        Ok(())
    }

    /// Decides under which ids the new key will be.
    pub(super) fn choose_place(&mut self, sota: &Directory, force: bool) -> Result<TokenPlace> {
        let module = self.settings.module.clone();
        let token = self.logged_in(None)?;
        let Room { ids, supersedes } = token.room(force, ids_in_use(sota)?)?;
        Ok(TokenPlace {
            module,
            label: token.label().to_owned(),
            serial: token.serial().to_owned(),
            ids,
            supersedes,
        })
    }

    fn make(&mut self, place: &TokenPlace) -> Result<DeviceKey> {
        let made = self.logged_in(Some(place))?.make_key(place.ids);
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
        let token = self.logged_in(Some(place))?;
        token.find_key(place.ids).map(DeviceKey::on_token)
    }

    fn find(&mut self, place: &TokenPlace) -> Result<Option<DeviceKey>> {
        let token = self.logged_in(Some(place))?;
        if !token.holds_key(place.ids)? {
            return Ok(None);
        }
        token.find_key(place.ids).map(DeviceKey::on_token).map(Some)
    }

    fn configure(&mut self, place: &TokenPlace, sent: &SotaToml) -> Result<SotaToml> {
        let TokenSettings { module, pin, .. } = self.settings;
        let Ids { key, certificate } = place.ids;
        let token = self.open(Some(place))?;
        sent.with_p11(P11 {
            module,
            pin: pin.expose(),
            label: token.label_to_write(),
            key_id: &format!("{key:02x}"),
            certificate_id: &format!("{certificate:02x}"),
        })
        .map_err(Error::answer)
    }

    /// Stores the certificate, unless it is there; needs no login then.
    pub(super) fn store_certificate(
        &mut self,
        place: &TokenPlace,
        certificate: &DeviceCertificate,
    ) -> Result<()> {
        if self
            .open(Some(place))?
            .has_certificate(place.ids, certificate)?
        {
            return Ok(());
        }
        self.logged_in(Some(place))?
            .import_certificate(place.ids, certificate)
    }

    /// Removes the objects that this registration replaced, once `sota.toml` names its own. If it
    /// names others by now (fioconfig has renewed the key), nothing is touched.
    fn retire_predecessor(&mut self, place: &TokenPlace, sota: &Directory) -> Result<()> {
        if place.supersedes && ids_in_use(sota)? == Some(place.ids) {
            self.logged_in(Some(place))?.remove_others(place.ids)?;
        }
        Ok(())
    }

    fn undo(&mut self, place: &TokenPlace) -> Result<()> {
        self.logged_in(Some(place))?.remove(place.ids)
    }
}

/// The ids that the registration in `sota` names, if it is one with a token.
fn ids_in_use(sota: &Directory) -> Result<Option<Ids>> {
    match Configuration::read(sota)? {
        Configuration::Sound(configuration) => Ok(configuration.token_ids()),
        Configuration::Missing | Configuration::Damaged(_) => Ok(None),
    }
}
