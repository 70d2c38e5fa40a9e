//! The one error type: what failed, why, what to do about it, and the exit code that says so.
//!
//! An error never carries a secret: whoever builds one quotes paths, URLs and names, no API token,
//! no PIN and no key.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// The result of everything in this crate that can fail; of a parser with [`Flaw`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The class of a failure. Each class has one stable exit code (sysexits where one fits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The directory holds a registration already (10).
    AlreadyRegistered,
    /// The update client is running, or another registration is (11).
    Busy,
    /// The command line could not be understood (64, `EX_USAGE`).
    Usage,
    /// The backend's answer was rejected (65, `EX_DATAERR`).
    Answer,
    /// The token or HSM is unavailable or refused (69, `EX_UNAVAILABLE`).
    Token,
    /// A bug of this program (70, `EX_SOFTWARE`).
    Bug,
    /// Something could not be written; running again recovers (73, `EX_CANTCREAT`).
    Storage,
    /// Network, 429, 5xx or a deadline: trying again may help (75, `EX_TEMPFAIL`).
    Temporary,
    /// The backend refused for good, or spoke no language we know (76, `EX_PROTOCOL`).
    Refused,
    /// 401, 403, a PIN that is wrong or locked, or the person said no (77, `EX_NOPERM`).
    Unauthorised,
    /// A setting, or a registration on this device, is missing or wrong (78, `EX_CONFIG`).
    Configuration,
}

impl Kind {
    /// Every class, in the order of its exit code.
    pub const ALL: [Kind; 11] = [
        Kind::AlreadyRegistered,
        Kind::Busy,
        Kind::Usage,
        Kind::Answer,
        Kind::Token,
        Kind::Bug,
        Kind::Storage,
        Kind::Temporary,
        Kind::Refused,
        Kind::Unauthorised,
        Kind::Configuration,
    ];

    /// The process exit code of this class; documented, and never reused for something else.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::AlreadyRegistered => 10,
            Kind::Busy => 11,
            Kind::Usage => 64,
            Kind::Answer => 65,
            Kind::Token => 69,
            Kind::Bug => 70,
            Kind::Storage => 73,
            Kind::Temporary => 75,
            Kind::Refused => 76,
            Kind::Unauthorised => 77,
            Kind::Configuration => 78,
        }
    }

    /// The word that `--json` uses for this class.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::AlreadyRegistered => "already-registered",
            Kind::Busy => "busy",
            Kind::Usage => "usage",
            Kind::Answer => "answer-rejected",
            Kind::Token => "token",
            Kind::Bug => "bug",
            Kind::Storage => "storage",
            Kind::Temporary => "temporary",
            Kind::Refused => "refused",
            Kind::Unauthorised => "unauthorised",
            Kind::Configuration => "configuration",
        }
    }
}

/// What is wrong with a text that was read, why, and what to do about it; no exit code.
///
/// The one error of every pure parser: each fails in many ways that nobody tells apart, and only its
/// caller knows whether the text was an answer, a setting or a file of this device, so the caller
/// makes an [`Error`] of it: `.map_err(Error::answer)`.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Flaw {
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    #[source]
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Flaw {
    pub(crate) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            cause: None,
        }
    }

    /// Adds what to do about it, best as a command.
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Message and causes on one line, outermost first; a cause that repeats what its parent
    /// said is left out.
    #[must_use]
    pub fn full_message(&self) -> String {
        let mut text = self.message.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !words.is_empty() && !text.contains(&words) {
                text.push_str(": ");
                text.push_str(&words);
            }
            cause = error.source();
        }
        text
    }
}

impl From<&'static str> for Flaw {
    fn from(message: &'static str) -> Self {
        Self::new(message)
    }
}

impl From<String> for Flaw {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// A failure as a person, a script and a supervisor need it.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    flaw: Flaw,
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.flaw.fmt(formatter)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.flaw.source()
    }
}

impl Error {
    /// An error of class `kind`: what failed, as a text or as a parser found it.
    pub(crate) fn new(kind: Kind, flaw: impl Into<Flaw>) -> Self {
        Self {
            kind,
            flaw: flaw.into(),
        }
    }

    /// A wrong or missing setting.
    pub(crate) fn setting(flaw: impl Into<Flaw>) -> Self {
        Self::new(Kind::Configuration, flaw)
    }

    /// A registration on this device, complete or begun, that cannot be used.
    pub(crate) fn registration(flaw: impl Into<Flaw>) -> Self {
        Self::new(Kind::Configuration, flaw)
    }

    /// An answer of the backend that is not installed.
    pub(crate) fn answer(flaw: impl Into<Flaw>) -> Self {
        Self::new(Kind::Answer, flaw)
    }

    /// A token that is unavailable or refuses.
    #[cfg(feature = "pkcs11")]
    pub(crate) fn token(flaw: impl Into<Flaw>) -> Self {
        Self::new(Kind::Token, flaw)
    }

    /// A state that this program should never reach.
    pub(crate) fn bug(flaw: impl Into<Flaw>) -> Self {
        Self::new(Kind::Bug, flaw).hint("this is a bug: please report it with the output above")
    }

    /// Adds what to do about it, best as a command, in place of an earlier hint.
    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.flaw = self.flaw.hint(hint);
        self
    }

    /// Adds the cause.
    pub(crate) fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.flaw = self.flaw.because(cause);
        self
    }

    /// Says in front of the message what it was about.
    pub(crate) fn context(mut self, words: impl fmt::Display) -> Self {
        self.flaw.message = format!("{words}: {}", self.flaw.message).into();
        self
    }

    /// The same for a caller to whom it means something else.
    pub(crate) fn with_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// The class.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, if we know.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.flaw.hint.as_deref()
    }

    /// [`Flaw::full_message`].
    #[must_use]
    pub fn full_message(&self) -> String {
        self.flaw.full_message()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_as_documented() {
        let documented = [10, 11, 64, 65, 69, 70, 73, 75, 76, 77, 78];
        assert_eq!(Kind::ALL.map(Kind::exit_code), documented);
    }

    #[test]
    fn the_message_names_every_cause_once() {
        let inner = std::io::Error::other("No space left on device");
        let error = Error::new(Kind::Storage, "cannot write \"a\"").because(inner);
        assert_eq!(
            error.full_message(),
            "cannot write \"a\": No space left on device"
        );
    }

    #[test]
    fn context_goes_in_front_and_nothing_is_lost() {
        let inner = std::io::Error::other("No such device");
        let flaw = Flaw::new("it is cut off").hint("plug it in").because(inner);
        let error = Error::answer(flaw)
            .context("\"a.pem\"")
            .with_kind(Kind::Storage);
        assert_eq!(error.kind(), Kind::Storage);
        assert_eq!(error.hint_text(), Some("plug it in"));
        assert_eq!(
            error.full_message(),
            "\"a.pem\": it is cut off: No such device"
        );
        assert!(error.source().is_some());
    }
}
