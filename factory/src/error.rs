//! The crate's one error: what failed, on which path or address, and where it helps the remedy.
//! Never carries a secret.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the factory could not start or do what a command asked.
///
/// What a remote client did wrong is never an `Error`: it is answered with an HTTP status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read, written or locked.
    #[error("cannot {action} '{}'", path.display())]
    File {
        /// What was tried, as a verb: "read", "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process serves the same data directory.
    #[error("another lmp-factory serves '{}'; stop it first", .0.display())]
    Locked(PathBuf),
    /// A command needs state that only `serve` creates.
    #[error(
        "there is no factory in '{path}'; create it with: lmp-factory serve --data-dir {path} --factory NAME",
        path = .0.display()
    )]
    NoFactory(PathBuf),
    /// A factory would be made in an empty directory, which may be the wrong one.
    #[error("'{}' is empty; to make a factory in it, add --init", .0.display())]
    EmptyDir(PathBuf),
    /// The data directory is something else's.
    #[error("'{}' holds other files, and no factory; name another directory", .0.display())]
    NotAFactory(PathBuf),
    /// The data directory belongs to a factory of another name.
    #[error("'{}' holds the factory '{stored}', not '{asked}'", path.display())]
    OtherFactory {
        /// The data directory.
        path: PathBuf,
        /// The name it was created with.
        stored: String,
        /// The name that was asked for.
        asked: String,
    },
    /// A factory's name becomes an OU and part of URLs.
    #[error(
        "'{0}' is not a factory name: 1 to 64 letters, digits, '-', '_' and '.', a letter or digit first"
    )]
    FactoryName(String),
    /// A host is neither an IP address nor a DNS name.
    #[error("'{0}' is neither an IP address nor a DNS name")]
    Host(String),
    /// Tokens would cross a network in the clear.
    #[error("plain HTTP is for loopback addresses only, and {0} is not one; leave --http out")]
    PlainHttp(SocketAddr),
    /// The times of device grants are out of their range.
    #[error("a grant lasts 1 second to a day, and is polled at most an hour apart")]
    GrantTimes,
    /// An operator of this name exists.
    #[error("there is an operator '{0}' already; delete them first to set another password")]
    OperatorExists(String),
    /// No such operator exists.
    #[error("there is no operator '{0}'")]
    NoOperator(String),
    /// A name that cannot be an operator's.
    #[error(
        "'{0}' is not an operator's name: 1 to 64 letters, digits, '-', '_', '.' and ':', a letter or digit first"
    )]
    OperatorName(String),
    /// A password is too short or too long.
    #[error("a password has 8 to 1024 bytes")]
    PasswordLength,
    /// A password could not be hashed.
    #[error("cannot hash a password")]
    Hash(#[from] argon2::password_hash::Error),
    /// No grant waits with this user code.
    #[error("no device waits with the code '{0}'")]
    NoGrant(String),
    /// A port could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate must be signed by the root, whose key is kept elsewhere.
    #[error(
        "'{}' must be signed by the root of trust, whose key '{}' is not here",
        wanted.display(), key.display()
    )]
    RootOffline {
        /// Where the root's key would be.
        key: PathBuf,
        /// The certificate that is missing or does not name every host.
        wanted: PathBuf,
    },
    /// A key, certificate or metadata on disk is not what it should be.
    #[error("'{}' is not usable", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate could not be built.
    #[error("cannot issue a certificate")]
    Issue(#[from] x509_cert::builder::Error),
    /// A value could not be encoded in ASN.1.
    #[error("cannot encode a certificate")]
    Encode(#[from] x509_cert::der::Error),
    /// The system's random number generator failed.
    #[error("the system's random number generator failed")]
    Random(#[from] getrandom::Error),
    /// A TLS configuration was refused.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// The verifier of client certificates was refused.
    #[error("cannot trust the device CAs")]
    ClientVerifier(#[from] rustls::server::VerifierBuilderError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The database's schema could not be brought up to date.
    #[error("the database's schema cannot be brought up to date")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// No such device is registered.
    #[error("no device '{0}' is registered")]
    NoDevice(String),
    /// The runtime or its thread could not be started.
    #[error("cannot start the server's runtime")]
    Runtime(#[source] io::Error),
}

impl Error {
    /// For `map_err` on a file operation.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// For `map_err` on what was read from a file.
    pub(crate) fn unusable<E>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = path.into();
        move |source| Self::Unusable {
            path,
            source: source.into(),
        }
    }

    /// Logs it with its causes: what we answer does not hold them.
    pub(crate) fn log(&self) {
        tracing::error!("{}", self.with_causes());
    }

    /// What failed and why, on one line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        text
    }

    /// Exit code of the program, from sysexits(3).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::FactoryName(_)
            | Self::Host(_)
            | Self::PlainHttp(_)
            | Self::GrantTimes
            | Self::OperatorName(_)
            | Self::PasswordLength => 64,
            Self::NoDevice(_) | Self::NoOperator(_) | Self::NoGrant(_) => 66,
            Self::Random(_)
            | Self::Encode(_)
            | Self::Issue(_)
            | Self::Hash(_)
            | Self::Runtime(_) => 70,
            Self::File { .. } | Self::Database(_) | Self::Schema(_) | Self::OperatorExists(_) => 73,
            Self::Locked(_) | Self::Listen { .. } => 75,
            Self::NoFactory(_)
            | Self::EmptyDir(_)
            | Self::NotAFactory(_)
            | Self::OtherFactory { .. }
            | Self::RootOffline { .. }
            | Self::Unusable { .. }
            | Self::Tls(_)
            | Self::ClientVerifier(_) => 78,
        }
    }
}
