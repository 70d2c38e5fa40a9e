//! What a device's clients ask for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::admission::Gateway;
use crate::http::reply::Reply;
use crate::pki::PublicKey;
use crate::store::Device;
use crate::time::Timestamp;

pub(super) async fn tuf_root(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, gateway.tuf_root.clone())
}

/// What its clients read, in their spelling. What runs on a device is not known here.
pub(super) async fn device(
    Extension(device): Extension<Device>,
    Extension(key): Extension<PublicKey>,
    headers: HeaderMap,
) -> Result<Json<Value>, Reply> {
    let tag = headers.get("x-ats-tags");
    Ok(Json(json!({
        "uuid": device.uuid,
        "name": device.name,
        "created_at": device.created_at.rfc3339(),
        "last_seen": Timestamp::now().rfc3339(),
        "pubkey": key.to_pem()?,
        "tag": tag.and_then(|tag| tag.to_str().ok()).unwrap_or_default(),
        "group_name": device.group,
        "docker_apps": "",
        "target_name": "",
        "ostree_hash": "",
        "update_name": "",
    })))
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

/// Takes a report that need not be JSON: clients send their configuration in TOML.
pub(super) async fn any_report(_: Bytes) -> StatusCode {
    StatusCode::OK
}
