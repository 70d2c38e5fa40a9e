//! The Device Gateway: mTLS, and the few paths that a device's clients ask for at check-in. It must never
//! answer anybody but an admitted device.

mod admission;
mod check_in;
mod tuf;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};

pub(crate) use admission::Gateway;
pub(crate) use tuf::open as open_tuf_root;

use crate::http::reply::no_such_path;

/// Events and hardware lists are the longest that a device sends.
const BODY_LIMIT: usize = 1024 * 1024;

/// Routes of the gateway; whoever is not admitted does not even learn which there are.
pub(crate) fn router(gateway: Gateway) -> Router {
    let gateway = Arc::new(gateway);
    Router::new()
        .route("/repo/1.root.json", get(check_in::tuf_root))
        .route("/device", get(check_in::device))
        .route("/config", get(check_in::config))
        .route("/system_info", put(check_in::report))
        .route("/system_info/network", put(check_in::report))
        .route("/system_info/config", put(check_in::any_report))
        .route("/events", post(check_in::report))
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(gateway.clone(), admission::admit))
        .with_state(gateway)
}
