//! The token of this device: chosen, opened, with one session; and the keys on it.

use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use sha2::{Digest as _, Sha256};

use super::super::point::POINT_BYTES;
use super::choice::{self, Chosen, TokenFacts};
use super::encoding;
use super::module::{self, Module, refused};
use super::settings::{Access, DEFAULT_TOKEN_LABEL, TokenSettings};
use crate::error::{Error, Result};

// Both only add to `Token`; nothing here calls them.
mod login;
mod objects;

/// How far this run's one login came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Login {
    NotTried,
    Done,
    Refused,
}

/// The token of this device: chosen, and logged in to when that is asked for.
pub(crate) struct Token {
    // Keys share the session; it is closed before the library is finalised, see `drop`.
    session: SharedSession,
    settings: TokenSettings,
    access: Access,
    slot: Slot,
    facts: TokenFacts,
    tokens: Vec<TokenFacts>,
    blank: bool,
    just_initialised: bool,
    login: Login,
    module: Module,
}

/// One session; PKCS#11 allows one operation at a time in it.
type SharedSession = Arc<Mutex<Link>>;

/// The session, once it is open.
#[derive(Default)]
struct Link {
    session: Option<Session>,
    /// A call failed: its operation may hang in the session for ever (`CKR_OPERATION_ACTIVE`).
    stuck: bool,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Token({:?})", self.facts.label)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // Keys of this token may live on, but sign no more.
        let mut link = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = link.session.take() {
            if self.login == Login::Done {
                let _ = session.logout();
            }
            drop(session);
        }
    }
}

impl Token {
    /// Loads the library and chooses the token. Changes nothing and gives no PIN away.
    pub(crate) fn open(settings: &TokenSettings, access: Access) -> Result<Self> {
        let module = Module::load(&settings.module)?;
        let (tokens, unreadable) = module.tokens()?;
        let chosen = choice::choose(&tokens, &settings.choice).map_err(|error| {
            if unreadable.is_empty() {
                return error;
            }
            let message = format!("{error} ({})", unreadable.join("; "));
            Error::token(message).hint("put the token back and run this again")
        })?;
        let (index, blank) = match chosen {
            Chosen::Use(index) => (index, false),
            Chosen::Initialise(index) if access != Access::Read => (index, true),
            Chosen::Initialise(_) => {
                return Err(Error::token(format!(
                    "there is no token labelled {:?}",
                    settings.choice.label
                )));
            }
        };
        let facts = tokens[index].clone();
        if access != Access::Read && facts.write_protected {
            return Err(Error::token(format!(
                "the token {:?} is write protected",
                facts.label
            )));
        }
        let token = Self {
            session: SharedSession::default(),
            settings: settings.clone(),
            access,
            slot: module::slot(&facts)?,
            facts,
            tokens,
            blank,
            just_initialised: false,
            login: Login::NotTried,
            module,
        };
        if blank {
            token.check_initialisable()?;
        }
        Ok(token)
    }

    /// The UUID that a slot's description holds.
    pub(crate) fn uuid(&self) -> Result<Option<String>> {
        self.module.uuid(self.slot, &self.tokens)
    }

    /// Whether [`log_in`](Self::log_in) will initialise it.
    pub(crate) fn is_blank(&self) -> bool {
        self.blank
    }

    /// Its label.
    pub(crate) fn label(&self) -> &str {
        &self.facts.label
    }

    /// Its serial number.
    pub(crate) fn serial(&self) -> &str {
        &self.facts.serial
    }

    /// The label for `sota.toml`: the readers find the default one, and the first token, without.
    pub(crate) fn label_to_write(&self) -> Option<&str> {
        let found_without = self.facts.label == DEFAULT_TOKEN_LABEL
            && choice::is_first_initialised(&self.tokens, &self.facts);
        (!found_without).then_some(&self.facts.label)
    }

    /// A token with sessions cannot be initialised (PKCS#11, `C_InitToken`).
    fn close_sessions(&self) {
        let mut link = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        *link = Link::default();
    }

    /// Does something with the session, which is opened the first time.
    fn with_session<T>(&self, act: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let mut link = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if link.session.is_none() || link.stuck {
            let context = self.module.context();
            let opened = match self.access {
                Access::Read | Access::Rehearse => context.open_ro_session(self.slot),
                Access::Write => context.open_rw_session(self.slot),
            };
            let opened = opened.map_err(|cause| refused("the token did not open a session", cause));
            // The old one is closed after that: the login lasts as long as any session.
            link.session = Some(opened?);
            link.stuck = false;
        }
        link.act(act)
    }
}

impl Link {
    fn act<T>(&mut self, act: impl FnOnce(&Session) -> Result<T>) -> Result<T> {
        let session = self
            .session
            .as_ref()
            .ok_or_else(|| Error::bug("a session was expected"))?;
        let done = act(session);
        self.stuck |= done.is_err();
        done
    }
}

/// A private key on a token.
pub(crate) struct TokenKey {
    session: SharedSession,
    private: ObjectHandle,
    /// The token knows only mechanisms that hash.
    hashes: bool,
    point: [u8; POINT_BYTES],
}

impl TokenKey {
    fn new(
        session: SharedSession,
        private: ObjectHandle,
        hashes: bool,
        point: [u8; POINT_BYTES],
    ) -> Self {
        Self {
            session,
            private,
            hashes,
            point,
        }
    }

    pub(in crate::key) fn point(&self) -> [u8; POINT_BYTES] {
        self.point
    }

    /// ECDSA with SHA-256 over `message`, DER.
    pub(in crate::key) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let hash = Sha256::digest(message);
        let (mechanism, data) = if self.hashes {
            (Mechanism::EcdsaSha256, message)
        } else {
            (Mechanism::Ecdsa, &hash[..])
        };
        let mut link = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = link.act(|session| {
            session
                .sign(&mechanism, self.private, data)
                .map_err(|cause| refused("the token did not sign", cause))
        })?;
        encoding::der_signature(&signature, &hash, &self.point)
    }
}
