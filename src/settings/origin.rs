//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

use crate::secret::Secret;

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
    /// Follows from another setting, by name.
    Derived(&'static str),
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
            Origin::Derived(name) => write!(formatter, "from {name}"),
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

/// A secret, and where it was found.
pub(crate) type FoundSecret = (Secret, Origin);
