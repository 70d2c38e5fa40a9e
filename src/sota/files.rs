//! Pure: what the files of a registration are called, and which names a backend may use.

use crate::error::{Flaw, Result};

/// The most bytes of an answer that are read.
pub(crate) const ANSWER_LIMIT: usize = 1024 * 1024;
/// The device certificate.
pub(crate) const CERTIFICATE: &str = "client.pem";
/// The device certificate and its issuers.
pub(crate) const CHAIN: &str = "client.chained";
/// What the Device Gateway's certificate is verified with.
pub(crate) const ROOT: &str = "root.crt";
/// The configuration; its appearance is the commit of a registration.
pub const CONFIGURATION: &str = "sota.toml";
/// The software key.
pub(crate) const PRIVATE_KEY: &str = "pkey.pem";
/// The update client's database.
pub(crate) const DATABASE: &str = "sql.db";
/// The database and what SQLite keeps beside it; last what makes a device count as registered.
pub(crate) const DATABASE_FILES: [&str; 4] =
    ["sql.db-wal", "sql.db-shm", "sql.db-journal", DATABASE];

/// Where the configuration daemon remembers a rotation of the key that is under way.
pub(crate) const ROTATION: &str = "cert-rotation.state";
/// What it keeps beside a registration: the states hold keys, and the configuration is encrypted to one.
const DAEMON_FILES: [&str; 5] = [
    ROTATION,
    "cert-rotation.state.tmp",
    "cert-rotation.state.completed",
    "config.encrypted",
    "config.encrypted.tmp",
];

/// Whether the configuration daemon made that file, which nobody has a use for without the identity
/// that it was made for: state and renewed keys, `pkey.N.pem` and `client.N.pem`.
pub(crate) fn is_daemons(name: &str) -> bool {
    let is_numbered = |prefix| {
        let rest = name.strip_prefix(prefix);
        let number = rest.and_then(|rest: &str| rest.strip_suffix(".pem"));
        number.is_some_and(|number| {
            (1..=20).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    DAEMON_FILES.contains(&name) || is_numbered("pkey.") || is_numbered("client.")
}

/// Whether a new registration may remove that file of an earlier one.
pub(crate) fn is_replaceable(name: &str) -> bool {
    DATABASE_FILES.contains(&name) || [CHAIN, PRIVATE_KEY].contains(&name) || is_daemons(name)
}

/// The name of a file that a backend may send: letters, digits, `.`, `_` and `-`, no leading dot,
/// and none of the files that are ours, the update client's or the configuration daemon's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(String);

impl FileName {
    /// Takes a name that keeps the rules.
    pub fn parse(name: &str) -> Result<Self, Flaw> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        // sql.db-wal and its like would change what sql.db holds.
        let ours = name == PRIVATE_KEY || name.starts_with(DATABASE) || is_daemons(name);
        let temporary = name.strip_suffix(".tmp").is_some();
        if name.is_empty()
            || name.len() > 100
            || name.starts_with('.')
            || !name.chars().all(plain)
            || ours
            || temporary
        {
            return Err(Flaw::new(format!(
                "the backend's answer holds a file {:?}, which is no name it may use",
                name.chars().take(100).collect::<String>()
            )));
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the daemon's temporary names are made: a number in the place of a star.
    #[test]
    fn what_the_configuration_daemon_makes() {
        for name in [
            "pkey.1.pem",
            "client.18446744073709551615.pem",
            "cert-rotation.state",
            "cert-rotation.state.completed",
        ] {
            assert!(is_replaceable(name), "{name}");
            assert!(FileName::parse(name).is_err(), "{name}");
        }
        for name in [
            "pkey..pem",
            "pkey.x.pem",
            "pkey.1.pem.bak",
            "pkey.184467440737095516150.pem",
            "pkey.../1.pem",
            "client.pem",
            "root.1.pem",
        ] {
            assert!(!is_replaceable(name), "{name}");
        }
    }
}
