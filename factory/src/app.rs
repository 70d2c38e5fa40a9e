//! What every request handler shares.

use crate::approval::activation::Guard;
use crate::approval::grants::Grants;
use crate::gateway::TufRoot;
use crate::pki::Pki;
use crate::site::Urls;
use crate::store::Store;

/// One factory as it is being served.
#[derive(Debug)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) database: Store,
    pub(crate) pki: Pki,
    pub(crate) urls: Urls,
    pub(crate) tuf_root: TufRoot,
    pub(crate) grants: Grants,
    pub(crate) activation: Guard,
}
