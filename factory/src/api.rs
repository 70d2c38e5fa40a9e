//! The API port: `/ota/devices/`, and the paths of `approval`. It must never decide what a registration
//! is worth; `registration` does.

mod devices;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;

use crate::app::Factory;
use crate::approval::{activation, grants};
use crate::http::reply::no_such_path;

/// A registration is 2 to 3 kB; lists of apps make it longer.
const BODY_LIMIT: usize = 64 * 1024;

/// Routes of the API.
pub(crate) fn router(factory: Arc<Factory>) -> Router {
    let devices = || get(devices::list).post(devices::register);
    Router::new()
        .route("/ota/devices/", devices())
        .route("/ota/devices", devices())
        .merge(grants::router())
        .merge(activation::router())
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(factory)
}
