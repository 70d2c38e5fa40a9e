//! `/ota/devices/`: a device registers, an operator lists.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, FromRequestParts as _, Request, State};
use axum::http::StatusCode;
use serde_json::json;

use crate::http::caller::{Caller, Lister};
use crate::http::reply::Reply;
use crate::registration::{Outcome, Registrar, Registration};
use crate::site::Site;
use crate::store::Store;

/// HEAD and GET: whether the API is there, and with a token, the devices.
pub(super) async fn list(_: Lister, State(store): State<Store>) -> Result<Reply, Reply> {
    let devices = store.devices().await?;
    Ok(Reply::json(StatusCode::OK, json!({ "devices": devices })))
}

/// A registration that its caller may ask for.
#[derive(Debug)]
pub(super) struct Permitted {
    caller: Caller,
    registration: Registration,
}

impl<S> FromRequest<S> for Permitted
where
    Store: FromRef<S>,
    Arc<Site>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Reply;

    async fn from_request(request: Request, state: &S) -> Result<Self, Reply> {
        let (mut parts, body) = request.into_parts();
        // Nobody without a token is listened to.
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let body = Bytes::from_request(Request::from_parts(parts, body), state)
            .await
            .map_err(|refused| Reply::message(refused.status(), &refused.body_text()))?;
        let factory = &Arc::<Site>::from_ref(state).factory;
        let registration = Registration::read(&body, factory).map_err(|errors| {
            tracing::info!(?errors, "registration refused");
            Reply::json(StatusCode::BAD_REQUEST, json!({ "errors": errors }))
        })?;
        caller.may_register(registration.uuid())?;
        Ok(Self {
            caller,
            registration,
        })
    }
}

/// POST: signs a device's CSR and enters the device.
pub(super) async fn register(
    State(registrar): State<Arc<Registrar>>,
    permitted: Permitted,
) -> Result<Reply, Reply> {
    let Permitted {
        caller,
        registration,
    } = permitted;
    let uuid = registration.uuid().to_owned();
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
