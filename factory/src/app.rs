//! What the handlers of both ports share, in parts: each of them asks for the parts that it uses. It must
//! never do anything itself.

use std::sync::Arc;

use axum::extract::FromRef;

use crate::approval::{Grants, Guard};
use crate::gateway::TufRoot;
use crate::registration::Registrar;
use crate::site::Site;
use crate::store::Store;

macro_rules! app {
    ($($name:ident: $part:ty,)*) => {
        /// One factory as it is being served.
        #[derive(Debug, Clone)]
        pub(crate) struct App {
            $(pub(crate) $name: $part,)*
        }

        $(impl FromRef<App> for $part {
            fn from_ref(app: &App) -> Self {
                app.$name.clone()
            }
        })*
    };
}

app! {
    store: Store,
    site: Arc<Site>,
    registrar: Arc<Registrar>,
    tuf_root: TufRoot,
    grants: Arc<Grants>,
    guard: Arc<Guard>,
}
