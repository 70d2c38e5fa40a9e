//! What every request handler shares.

use crate::activate::Guard;
use crate::db::Database;
use crate::gateway::TufRoot;
use crate::oauth::Grants;
use crate::pki::Pki;

/// One factory as it is being served.
#[derive(Debug)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) database: Database,
    pub(crate) pki: Pki,
    pub(crate) urls: Urls,
    pub(crate) tuf_root: TufRoot,
    pub(crate) grants: Grants,
    pub(crate) activation: Guard,
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
