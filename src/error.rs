//! The one error type: what failed, why, what to do about it, and the exit code that says so.
//!
//! An error carries no secret: whoever builds one quotes paths, URLs and names, never a token,
//! a PIN or a key.

use std::borrow::Cow;
use std::error::Error as StdError;

/// The result of everything in this crate that can fail.
pub(crate) type Result<T> = std::result::Result<T, Error>;

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
    /// 401, 403, or the person said no (77, `EX_NOPERM`).
    Unauthorised,
    /// A setting is missing or wrong (78, `EX_CONFIG`).
    Configuration,
}

impl Kind {
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

/// A failure as a person, a script and a supervisor need it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: Kind,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    #[source]
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of class `kind` whose message says what failed.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            cause: None,
        }
    }

    /// A wrong or missing setting.
    pub fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Configuration, message)
    }

    /// An answer of the backend that is not installed.
    pub fn answer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Answer, message)
    }

    /// A state that this program should never reach.
    pub fn bug(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Bug, message).hint("this is a bug: please report it with the output above")
    }

    /// Adds what to do about it, best as a command.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The class.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do about it, if we know.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_distinct_and_as_documented() {
        let documented = [10, 11, 64, 65, 69, 70, 73, 75, 76, 77, 78];
        let kinds = [
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
        assert_eq!(kinds.map(Kind::exit_code), documented);
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
}
