//! The Device Gateway: mTLS, and the few paths that a device's clients ask for at check-in.

mod tuf;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::de::IgnoredAny;

pub(crate) use tuf::TufRoot;

use crate::app::Factory;
use crate::error::Error;
use crate::http::listener::PeerCertificate;
use crate::http::reply::{Reply, no_such_path};
use crate::pki::read_peer;
use crate::store::{Device, Entry, Standing};

/// Events and hardware lists are the longest that a device sends.
const BODY_LIMIT: usize = 1024 * 1024;

/// Routes of the gateway; each request comes from an admitted device.
pub(crate) fn router(factory: Arc<Factory>) -> Router {
    Router::new()
        .route("/repo/1.root.json", get(tuf_root))
        .route("/device", get(device))
        .route("/config", get(config))
        .route("/system_info", put(report))
        .route("/system_info/network", put(report))
        .route("/system_info/config", put(report))
        .route("/events", post(report))
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&factory), admit))
        .with_state(factory)
}

/// Lets a device pass, entering one that is not known yet. It asks for every request, so that a
/// deletion also ends connections that are open.
async fn admit(
    State(factory): State<Arc<Factory>>,
    Extension(PeerCertificate(certificate)): Extension<PeerCertificate>,
    mut request: Request,
    next: Next,
) -> Result<Response, Reply> {
    let refused = |why: &str| {
        tracing::info!(why, "device refused");
        Reply::message(StatusCode::FORBIDDEN, why)
    };
    let (subject, key) = certificate
        .as_deref()
        .and_then(read_peer)
        .ok_or_else(|| refused("not a device's certificate"))?;
    if subject.factory != factory.name {
        return Err(refused("the certificate is of another factory"));
    }
    let entry = Entry {
        name: subject.common_name.clone(),
        uuid: subject.common_name,
        factory: subject.factory,
        group: None,
        hardware_id: None,
        production: subject.production,
        public_key_sha256: key.fingerprint()?,
        issued: None,
    };
    match standing(&factory, &entry).await? {
        Some(Standing::Known(known)) => request.extensions_mut().insert(known.device),
        Some(Standing::OtherKey) => {
            return Err(refused("the device is registered with another key"));
        }
        Some(Standing::Denied) | None => return Err(refused("the device is denied")),
    };
    Ok(next.run(request).await)
}

async fn standing(factory: &Factory, entry: &Entry) -> Result<Option<Standing>, Error> {
    let database = &factory.database;
    let found = database.find(&entry.uuid, &entry.public_key_sha256).await?;
    if found.is_some() {
        return Ok(found);
    }
    if let Some(standing) = database.enter(entry).await? {
        return Ok(Some(standing));
    }
    tracing::info!(uuid = entry.uuid, "device registered by its first request");
    database.find(&entry.uuid, &entry.public_key_sha256).await
}

async fn tuf_root(State(factory): State<Arc<Factory>>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, factory.tuf_root.json().to_owned()).into_response()
}

async fn device(Extension(device): Extension<Device>) -> Json<Device> {
    Json(device)
}

/// There is no configuration for devices here, which fioconfig learns from a 204.
async fn config() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Takes a report. The factory keeps none, but clients resend one that was not taken.
async fn report(Extension(device): Extension<Device>, body: Bytes) -> Result<StatusCode, Reply> {
    let _: IgnoredAny = serde_json::from_slice(&body)
        .map_err(|error| Reply::message(StatusCode::BAD_REQUEST, &format!("not JSON: {error}")))?;
    tracing::debug!(uuid = device.uuid, bytes = body.len(), "report");
    Ok(StatusCode::OK)
}
