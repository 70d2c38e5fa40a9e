//! The OAuth device grant (RFC 8628): a device asks for codes and polls until a person decided on
//! the page.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::Approval;
use super::user_code::generate as new_user_code;
use crate::error::Error;
use crate::http::listener::Peer;
use crate::http::throttle::network;
use crate::secret::Secret;
use crate::site::is_identifier;
use crate::store::Poll;
use crate::time::Timestamp;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Approval {
    fn scope(&self) -> String {
        format!("{}:devices:create", self.site.factory)
    }

    fn check_scope(&self, scope: &str) -> Result<(), Refusal> {
        let known = self.scope();
        if scope == known {
            return Ok(());
        }
        let why = format!("the only scope is {known}");
        Err(Refusal::new("invalid_scope", &why))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct AuthorizationForm {
    client_id: String,
    scope: String,
}

/// RFC 8628, 3.1: codes for a device.
pub(super) async fn authorize(
    State(approval): State<Arc<Approval>>,
    Extension(peer): Extension<Peer>,
    form: Result<Form<AuthorizationForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(AuthorizationForm { client_id, scope }) = form.map_err(Refusal::form)?;
    if !is_identifier(&client_id) {
        return Err(Refusal::request("client_id is not a device's UUID"));
    }
    approval.check_scope(&scope)?;
    let now = Timestamp::now();
    let device_code = Secret::generate()?;
    let (network, ends) = (network(peer.address), now + approval.lifetime);
    let waiting = &approval.waiting;
    if !approval.new_codes.allows(network)
        || !waiting.begin(&device_code, network, approval.interval, ends)
    {
        return Err(Refusal::busy());
    }

    let store = &approval.store;
    let mut user_code = new_user_code()?;
    while !store
        .begin_grant(&device_code, &user_code, &client_id, ends, now)
        .await?
    {
        // One of 25 thousand million was taken.
        user_code = new_user_code()?;
    }
    tracing::info!(uuid = client_id, "a device asks to be approved");
    let page = format!("{}/activate/", approval.site.urls.api);
    Ok(answer(&json!({
        "device_code": device_code.expose(),
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": approval.lifetime.as_secs(),
        "interval": approval.interval.as_secs(),
    })))
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenForm {
    grant_type: String,
    device_code: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
}

/// RFC 8628, 3.4 and 3.5: a poll.
pub(super) async fn token(
    State(approval): State<Arc<Approval>>,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(form) = form.map_err(Refusal::form)?;
    if form.grant_type != DEVICE_GRANT {
        let why = "only the device grant is served";
        return Err(Refusal::new("unsupported_grant_type", why));
    }
    let (Some(device_code), Some(client_id)) = (form.device_code, form.client_id) else {
        return Err(Refusal::request("device_code and client_id are needed"));
    };
    if let Some(scope) = &form.scope {
        approval.check_scope(scope)?;
    }
    let device_code = Secret::presented(device_code);
    let now = Timestamp::now();
    // Before anything is looked up: whoever does not wait costs nothing and learns nothing.
    if approval.waiting.is_early(&device_code, now) {
        return Err(Refusal::new("slow_down", "wait five seconds longer"));
    }
    let poll = approval.store.poll_grant(&device_code, &client_id, now);
    let poll = poll.await?;
    if !matches!(poll, Poll::Pending | Poll::Invalid) {
        approval.waiting.end(&device_code);
    }
    match poll {
        Poll::Token(token, lifetime) => {
            tracing::info!(uuid = client_id, "access token issued");
            Ok(answer(&json!({
                "access_token": token.expose(),
                "token_type": "Bearer",
                "expires_in": lifetime.as_secs(),
                "scope": approval.scope(),
            })))
        }
        Poll::Pending => Err(Refusal::new(
            "authorization_pending",
            "nobody has decided yet",
        )),
        Poll::Denied => Err(Refusal::new("access_denied", "the request was denied")),
        Poll::Expired => Err(Refusal::new("expired_token", "the codes have expired")),
        Poll::Invalid => Err(Refusal::new(
            "invalid_grant",
            "the device_code is unknown, used, or of another client",
        )),
    }
}

/// RFC 6749, 5.1: what holds codes or tokens is never stored on the way.
fn answer(body: &Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// An error of RFC 6749, 5.2.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(error: &'static str, description: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.into(),
        }
    }

    fn request(description: &str) -> Self {
        Self::new("invalid_request", description)
    }

    fn form(rejection: FormRejection) -> Self {
        Self {
            status: match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            },
            ..Self::request(&rejection.body_text())
        }
    }

    fn busy() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..Self::new(
                "temporarily_unavailable",
                "too many devices ask; wait a minute",
            )
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        error.log();
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new("server_error", "the server failed; try again later")
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self {
            status,
            error,
            description,
        } = self;
        let retry = (status == StatusCode::TOO_MANY_REQUESTS).then_some([("retry-after", "60")]);
        let body = json!({ "error": error, "error_description": description });
        (status, retry, answer(&body)).into_response()
    }
}
