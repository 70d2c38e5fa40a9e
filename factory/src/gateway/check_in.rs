//! What a device's clients ask for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::de::IgnoredAny;

use super::admission::Gateway;
use crate::http::reply::Reply;
use crate::store::Device;

pub(super) async fn tuf_root(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, gateway.tuf_root.clone())
}

pub(super) async fn device(Extension(device): Extension<Device>) -> Json<Device> {
    Json(device)
}

/// There is no configuration for devices here, which fioconfig learns from a 204.
pub(super) async fn config() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Takes a report. The factory keeps none, but clients resend one that was not taken.
pub(super) async fn report(
    Extension(device): Extension<Device>,
    body: Bytes,
) -> Result<StatusCode, Reply> {
    let _: IgnoredAny = serde_json::from_slice(&body)
        .map_err(|error| Reply::message(StatusCode::BAD_REQUEST, &format!("not JSON: {error}")))?;
    tracing::debug!(uuid = device.uuid, bytes = body.len(), "report");
    Ok(StatusCode::OK)
}
