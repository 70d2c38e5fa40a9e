//! Who a factory is and where it is reached. Decided once, from what its owner typed,
//! and never guessed from a request.

use std::net::IpAddr;

use crate::error::Error;

/// One factory as it is served.
#[derive(Debug)]
pub(crate) struct Site {
    /// The OU of every certificate.
    pub(crate) factory: String,
    pub(crate) urls: Urls,
}

/// One way to reach the factory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    /// An IP address.
    Address(IpAddr),
    /// A DNS name in lower case.
    Name(String),
}

impl Host {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            Ok(Self::Name(text.to_ascii_lowercase()))
        } else {
            Err(Error::Host(text.into()))
        }
    }

    /// As a URL writes it with a port: IPv6 addresses in brackets (RFC 3986, 3.2.2).
    pub(crate) fn authority(&self, port: u16) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            Self::Address(IpAddr::V4(address)) => format!("{address}:{port}"),
            Self::Name(name) => format!("{name}:{port}"),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

/// Whether a text is safe as a CN or OU, in a URL and in a log line.
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// Whether a text is a UUID in lower case (RFC 9562, 4).
pub(crate) fn is_uuid(text: &str) -> bool {
    let hex = |group: &str| group.bytes().all(|b| b"0123456789abcdef".contains(&b));
    let groups = text
        .split('-')
        .map(|group| hex(group).then_some(group.len()));
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

/// Where a served factory is reached; none ends with a slash but `device_api`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Urls {
    /// Scheme, host and port of the API.
    pub api: String,
    /// What the agent calls `DEVICE_API`: `{api}/ota/devices/`.
    pub device_api: String,
    /// What the agent calls `OAUTH_BASE`: `{api}/oauth`.
    pub oauth: String,
    /// The Device Gateway, `https://host:port`; it wants a device's certificate.
    pub gateway: String,
}
