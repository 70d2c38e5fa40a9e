//! What a device's clients ask for.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::IgnoredAny;

use super::admission::Admitted;
use super::tuf::TufRoot;
use crate::http::reply::Reply;
use crate::store::Device;

pub(super) async fn tuf_root(State(root): State<TufRoot>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, root.json().to_owned()).into_response()
}

pub(super) async fn device(Admitted(device): Admitted) -> Json<Device> {
    Json(device)
}

/// There is no configuration for devices here, which fioconfig learns from a 204.
pub(super) async fn config() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Takes a report. The factory keeps none, but clients resend one that was not taken.
pub(super) async fn report(Admitted(device): Admitted, body: Bytes) -> Result<StatusCode, Reply> {
    let _: IgnoredAny = serde_json::from_slice(&body)
        .map_err(|error| Reply::message(StatusCode::BAD_REQUEST, &format!("not JSON: {error}")))?;
    tracing::debug!(uuid = device.uuid, bytes = body.len(), "report");
    Ok(StatusCode::OK)
}
