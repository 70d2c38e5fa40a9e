//! What the handlers of both ports share, in parts: each of them asks for the parts that it uses. It must
//! never do anything itself.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::approval::{Grants, Guard};
use crate::gateway::TufRoot;
use crate::registration::Registrar;
use crate::site::Site;
use crate::store::Store;

/// One factory as it is being served.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) site: Arc<Site>,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) tuf_root: TufRoot,
    pub(crate) grants: Arc<Grants>,
    pub(crate) guard: Arc<Guard>,
}

macro_rules! parts {
    ($($name:ident: $part:ty,)*) => {
        $(impl FromRef<App> for $part {
            fn from_ref(app: &App) -> Self {
                app.$name.clone()
            }
        })*
    };
}

parts! {
    store: Store,
    site: Arc<Site>,
    registrar: Arc<Registrar>,
    tuf_root: TufRoot,
    grants: Arc<Grants>,
    guard: Arc<Guard>,
}
