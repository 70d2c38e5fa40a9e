//! Where a value came from, and which of several wins.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::settings::args::parse_bool;
use crate::settings::os_release::OsRelease;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Typed.
    CommandLine,
    /// A variable of the environment.
    Environment(&'static str),
    /// A file, by path.
    File(PathBuf),
    /// A systemd credential, by name.
    Credential(&'static str),
    /// A value of os-release.
    OsRelease(&'static str),
    /// Set when this program was built.
    Build(&'static str),
    /// Nobody said anything else.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::CommandLine => formatter.write_str("command line"),
            Origin::Environment(name) => write!(formatter, "environment {name}"),
            Origin::File(path) => write!(formatter, "file {path:?}"),
            Origin::Credential(name) => write!(formatter, "credential {name}"),
            Origin::OsRelease(name) => write!(formatter, "os-release {name}"),
            Origin::Build(name) => write!(formatter, "built in {name}"),
            Origin::Default => formatter.write_str("default"),
        }
    }
}

/// A setting as `--verbose` shows it; secrets are shown as `[secret]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// The long option's name.
    pub name: &'static str,
    /// The value, as text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A secret that was read from outside the command line, and where it was found.
pub(crate) type FoundSecret = (Secret, Origin);

/// Picks values in the order of precedence and keeps the record of where they came from.
pub(super) struct Resolver<'a> {
    pub(super) environment: &'a BTreeMap<String, String>,
    pub(super) os_release: &'a OsRelease,
    pub(super) provenance: Vec<Provenance>,
}

/// A value that may be there, with its origin.
pub(super) type Candidate<T> = Option<(T, Origin)>;

impl Resolver<'_> {
    /// The first candidate that is there.
    pub(super) fn first<T: ToString>(
        &mut self,
        name: &'static str,
        candidates: impl IntoIterator<Item = Candidate<T>>,
    ) -> Option<T> {
        let (value, origin) = candidates.into_iter().flatten().next()?;
        self.provenance.push(Provenance {
            name,
            value: value.to_string(),
            origin,
        });
        Some(value)
    }

    pub(super) fn variable(&self, name: &'static str) -> Candidate<String> {
        let value = self.environment.get(name)?.clone();
        Some((value, Origin::Environment(name)))
    }

    pub(super) fn released(&self, name: &'static str) -> Candidate<String> {
        let value = self.os_release.value(name)?.to_owned();
        Some((value, Origin::OsRelease(name)))
    }

    pub(super) fn flag(
        &mut self,
        name: &'static str,
        typed_value: Option<bool>,
        default: bool,
    ) -> bool {
        self.first(name, [typed(typed_value), Some((default, Origin::Default))])
            .unwrap_or(default)
    }

    /// `PRODUCTION` is true when it is set at all; a value that reads as false is refused, since
    /// either reading would surprise somebody.
    pub(super) fn production_variable(&self) -> Result<Candidate<bool>> {
        let Some((value, origin)) = self.variable("PRODUCTION") else {
            return Ok(None);
        };
        if value.is_empty() || parse_bool(&value) == Ok(false) {
            return Err(Error::setting(format!(
                "the variable PRODUCTION is set to {value:?}: its presence alone means a \
                 production device"
            ))
            .hint("unset PRODUCTION, or say --production 0 or --production 1"));
        }
        Ok(Some((true, origin)))
    }
}

pub(super) fn typed<T>(value: Option<T>) -> Candidate<T> {
    value.map(|value| (value, Origin::CommandLine))
}

pub(super) fn built(value: Option<&'static str>, name: &'static str) -> Candidate<String> {
    value.map(|value| (value.to_owned(), Origin::Build(name)))
}

#[allow(clippy::unnecessary_wraps, reason = "one of several candidates")]
pub(super) fn default(value: &str) -> Candidate<String> {
    Some((value.to_owned(), Origin::Default))
}
