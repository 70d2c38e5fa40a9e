//! The API port: routes, and the JSON in which every refusal is told.

mod auth;
mod devices;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::factory::Factory;
use crate::{Error, activate, oauth};

pub(crate) use wire::Registration;

/// A registration is 2 to 3 kB; lists of apps make it longer.
const BODY_LIMIT: usize = 64 * 1024;

/// Routes of the API.
pub(crate) fn router(factory: Arc<Factory>) -> Router {
    let devices = || get(devices::list).post(devices::register);
    Router::new()
        .route("/ota/devices/", devices())
        .route("/ota/devices", devices())
        .merge(oauth::router())
        .merge(activate::router())
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(factory)
}

/// For every path that is not served.
pub(crate) async fn no_such_path() -> Reply {
    Reply::message(StatusCode::NOT_FOUND, "no such path")
}

/// An answer in JSON.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    body: Value,
}

impl Reply {
    /// Any JSON.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    /// `{"message": ..}`
    pub(crate) fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, json!({ "message": message }))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let challenge = (self.status == StatusCode::UNAUTHORIZED)
            .then_some([(header::WWW_AUTHENTICATE, "Bearer")]);
        (self.status, challenge, axum::Json(self.body)).into_response()
    }
}

/// Our own failures: the log has the cause, the client learns only that it may try again.
impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        crate::log_failure(&error);
        Self::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; try again later",
        )
    }
}
