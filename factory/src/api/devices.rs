//! `/ota/devices/`: a device registers, an operator lists.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;

use crate::http::caller::{Caller, Lister};
use crate::http::reply::Reply;
use crate::registration::{Outcome, Registrar, Registration};

/// HEAD and GET: whether the API is there, and with a token, the devices.
pub(super) async fn list(
    State(registrar): State<Arc<Registrar>>,
    _: Lister,
) -> Result<Reply, Reply> {
    let devices = registrar.store.devices().await?;
    Ok(Reply::json(StatusCode::OK, json!({ "devices": devices })))
}

/// GET: one device.
pub(super) async fn one(
    State(registrar): State<Arc<Registrar>>,
    _: Lister,
    Path(uuid): Path<String>,
) -> Result<Reply, Reply> {
    let device = registrar.store.device(&uuid).await?;
    let unknown = || Reply::message(StatusCode::NOT_FOUND, "no such device");
    Ok(Reply::json(
        StatusCode::OK,
        json!(device.ok_or_else(unknown)?),
    ))
}

/// POST: signs a device's CSR and enters the device. The caller is asked for first: nobody without a token
/// is listened to.
pub(super) async fn register(
    State(registrar): State<Arc<Registrar>>,
    caller: Caller,
    body: Result<Bytes, BytesRejection>,
) -> Result<Reply, Reply> {
    let body = body.map_err(|refused| Reply::message(refused.status(), &refused.body_text()))?;
    let read = Registration::read(&body, &registrar.site.factory);
    let registration = read.map_err(|errors| {
        tracing::info!(?errors, "registration refused");
        Reply::json(StatusCode::BAD_REQUEST, json!({ "errors": errors }))
    })?;
    let uuid = registration.uuid.clone();
    caller.may_register(&uuid)?;
    let outcome = registrar.register(registration).await?;
    tracing::info!(uuid, %caller, %outcome, "registration");
    Ok(match outcome {
        Outcome::Registered(files) => Reply::json(StatusCode::CREATED, json!(files)),
        Outcome::OtherKey => Reply::message(StatusCode::CONFLICT, "Device already exists"),
        Outcome::Denied => Reply::message(
            StatusCode::CONFLICT,
            "Device was deleted and its UUID is denied",
        ),
    })
}
