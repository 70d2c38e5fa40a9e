//! The API port: `/ota/devices/`, and the paths of `approval`. It must never decide what a registration
//! is worth; `registration` does.

mod devices;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::get;

use crate::approval::{self, Grants, Guard};
use crate::http::reply::no_such_path;
use crate::registration::Registrar;
use crate::site::Site;
use crate::store::Store;

/// A registration is 2 to 3 kB; lists of apps make it longer.
const BODY_LIMIT: usize = 64 * 1024;

/// Routes of the API.
pub(crate) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Arc<Site>: FromRef<S>,
    Arc<Registrar>: FromRef<S>,
    Arc<Grants>: FromRef<S>,
    Arc<Guard>: FromRef<S>,
{
    let devices = || get(devices::list).post(devices::register);
    Router::new()
        .route("/ota/devices/", devices())
        .route("/ota/devices", devices())
        .merge(approval::router())
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
