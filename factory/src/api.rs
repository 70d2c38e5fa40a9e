//! The API port: `/ota/devices/`, and the paths of `approval`. It must never decide what a registration
//! is worth; `registration` does.

mod devices;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use crate::approval::{self, Approval};
use crate::http::reply::no_such_path;
use crate::registration::Registrar;

/// A registration is 2 to 3 kB; lists of apps make it longer.
const BODY_LIMIT: usize = 64 * 1024;

/// Routes of the API.
pub(crate) fn router(registrar: Registrar, approval: Approval) -> Router {
    let devices = || get(devices::list).post(devices::register);
    Router::new()
        .route("/ota/devices/", devices())
        .route("/ota/devices", devices())
        .route("/ota/devices/{uuid}/", get(devices::one))
        .route("/ota/devices/{uuid}", get(devices::one))
        .with_state(Arc::new(registrar))
        .merge(approval::router(approval))
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}
