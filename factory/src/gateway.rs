//! The Device Gateway: mTLS, and the few paths that a device's clients ask for at check-in. It must never
//! answer anybody but an admitted device.

mod admission;
mod check_in;
mod tuf;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::from_extractor_with_state;
use axum::routing::{get, post, put};

pub(crate) use tuf::TufRoot;

use crate::http::reply::no_such_path;
use crate::site::Site;
use crate::store::Store;

use admission::Admitted;

/// Events and hardware lists are the longest that a device sends.
const BODY_LIMIT: usize = 1024 * 1024;

/// Routes of the gateway; whoever is not admitted does not even learn which there are.
pub(crate) fn router<S>(state: S) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Arc<Site>: FromRef<S>,
    TufRoot: FromRef<S>,
{
    Router::new()
        .route("/repo/1.root.json", get(check_in::tuf_root))
        .route("/device", get(check_in::device))
        .route("/config", get(check_in::config))
        .route("/system_info", put(check_in::report))
        .route("/system_info/network", put(check_in::report))
        .route("/system_info/config", put(check_in::report))
        .route("/events", post(check_in::report))
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_extractor_with_state::<Admitted, S>(state))
}
