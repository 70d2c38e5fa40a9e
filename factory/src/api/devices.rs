//! `/ota/devices/`: a device registers, an operator lists.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::app::Factory;
use crate::http::caller::authorise;
use crate::http::reply::Reply;
use crate::registration::registrar::{Outcome, register as register_device};
use crate::registration::wire::Registration;

/// HEAD and GET: whether the API is there, and with a token, the devices.
pub(super) async fn list(
    State(factory): State<Arc<Factory>>,
    headers: HeaderMap,
) -> Result<Reply, Reply> {
    authorise(&factory, &headers).await?.may_list()?;
    let devices = factory.database.devices().await?;
    Ok(Reply::json(StatusCode::OK, json!({ "devices": devices })))
}

/// POST: signs a device's CSR and enters the device.
pub(super) async fn register(
    State(factory): State<Arc<Factory>>,
    request: Request,
) -> Result<Reply, Reply> {
    let caller = authorise(&factory, request.headers()).await?;
    let body = Bytes::from_request(request, &())
        .await
        .map_err(|refused| Reply::message(refused.status(), &refused.body_text()))?;
    let registration = Registration::read(&body, &factory.name).map_err(|errors| {
        tracing::info!(?errors, "registration refused");
        Reply::json(StatusCode::BAD_REQUEST, json!({ "errors": errors }))
    })?;
    caller.may_register(&registration.uuid)?;
    let uuid = registration.uuid.clone();
    let outcome = register_device(&factory, registration).await?;
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
