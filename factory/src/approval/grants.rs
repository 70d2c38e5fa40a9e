//! The OAuth device grant (RFC 8628): a device asks for codes and polls until a person decided on
//! the page in `activate`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Form, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::user_code::generate as new_user_code;
use crate::app::Factory;
use crate::error::Error;
use crate::http::listener::PeerAddress;
use crate::http::throttle::{Throttle, network};
use crate::secret::Secret;
use crate::site::is_identifier;
use crate::store::{NewGrant, Poll};
use crate::time::now_millis;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Grants that wait at the same time, of everybody.
const MAX_PENDING: i64 = 10_000;
/// New codes per network and minute: a production line may start many boards behind one address.
const CODES_PER_MINUTE: u32 = 120;

/// How grants are given.
#[derive(Debug)]
pub(crate) struct Grants {
    /// Milliseconds between two polls.
    pub(crate) interval: i64,
    /// Milliseconds until the codes end.
    pub(crate) lifetime: i64,
    new_codes: Throttle<IpAddr>,
}

impl Grants {
    /// The options bound both to a day.
    pub(crate) fn new(interval_seconds: u64, lifetime_seconds: u64) -> Self {
        Self {
            interval: interval_seconds.cast_signed() * 1000,
            lifetime: lifetime_seconds.cast_signed() * 1000,
            new_codes: Throttle::new(CODES_PER_MINUTE, Duration::from_secs(60)),
        }
    }
}

/// Routes of the device grant.
pub(crate) fn router() -> Router<Arc<Factory>> {
    Router::new()
        .route("/oauth/authorization/device/", post(authorize))
        .route("/oauth/authorization/device", post(authorize))
        .route("/oauth/token/", post(token))
        .route("/oauth/token", post(token))
}

#[derive(Debug, Deserialize)]
struct AuthorizationForm {
    client_id: String,
    scope: String,
}

/// RFC 8628, 3.1: codes for a device.
async fn authorize(
    State(factory): State<Arc<Factory>>,
    Extension(PeerAddress(peer)): Extension<PeerAddress>,
    form: Result<Form<AuthorizationForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(AuthorizationForm { client_id, scope }) = form.map_err(Refusal::form)?;
    if !is_identifier(&client_id) {
        return Err(Refusal::request("client_id is not a device's UUID"));
    }
    check_scope(&factory, &scope)?;
    let now = now_millis();
    let allowed = factory.grants.new_codes.allows(&network(peer));
    if !allowed || factory.database.count_pending_grants(now).await? >= MAX_PENDING {
        return Err(Refusal::busy());
    }

    let device_code = Secret::generate()?;
    let mut user_code = new_user_code()?;
    let Grants {
        interval, lifetime, ..
    } = factory.grants;
    loop {
        let grant = NewGrant {
            device_code: &device_code,
            user_code: &user_code,
            client_id: &client_id,
            interval,
            lifetime,
        };
        if factory.database.begin_grant(&grant, now).await? {
            break;
        }
        // One of 25 thousand million was taken.
        user_code = new_user_code()?;
    }
    tracing::info!(uuid = client_id, "a device asks to be approved");
    let page = format!("{}/activate/", factory.urls.api);
    Ok(answer(&json!({
        "device_code": device_code.expose(),
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": lifetime / 1000,
        "interval": interval / 1000,
    })))
}

#[derive(Debug, Deserialize)]
struct TokenForm {
    grant_type: String,
    device_code: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
}

/// RFC 8628, 3.4 and 3.5: a poll.
async fn token(
    State(factory): State<Arc<Factory>>,
    form: Result<Form<TokenForm>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(form) = form.map_err(Refusal::form)?;
    let TokenForm {
        grant_type,
        device_code,
        client_id,
        scope,
    } = form;
    if grant_type != DEVICE_GRANT {
        let why = "only the device grant is served";
        return Err(Refusal::new("unsupported_grant_type", why));
    }
    let (Some(device_code), Some(client_id)) = (device_code, client_id) else {
        return Err(Refusal::request("device_code and client_id are needed"));
    };
    if let Some(scope) = &scope {
        check_scope(&factory, scope)?;
    }
    let device_code = Secret::presented(device_code);
    let poll = factory
        .database
        .poll_grant(&device_code, &client_id, now_millis())
        .await?;
    match poll {
        Poll::Token(token, seconds) => {
            tracing::info!(uuid = client_id, "access token issued");
            Ok(answer(&json!({
                "access_token": token.expose(),
                "token_type": "Bearer",
                "expires_in": seconds,
                "scope": scope_of(&factory),
            })))
        }
        Poll::Pending => Err(Refusal::new(
            "authorization_pending",
            "nobody has decided yet",
        )),
        Poll::SlowDown => Err(Refusal::new("slow_down", "wait five seconds longer")),
        Poll::Denied => Err(Refusal::new("access_denied", "the request was denied")),
        Poll::Expired => Err(Refusal::new("expired_token", "the codes have expired")),
        Poll::Invalid => Err(Refusal::new(
            "invalid_grant",
            "the device_code is unknown, used, or of another client",
        )),
    }
}

fn scope_of(factory: &Factory) -> String {
    format!("{}:devices:create", factory.name)
}

fn check_scope(factory: &Factory, scope: &str) -> Result<(), Refusal> {
    let known = scope_of(factory);
    if scope == known {
        return Ok(());
    }
    let why = format!("the only scope is {known}");
    Err(Refusal::new("invalid_scope", &why))
}

/// RFC 6749, 5.1: what holds codes or tokens is never stored on the way.
fn answer(body: &Value) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// An error of RFC 6749, 5.2.
#[derive(Debug)]
struct Refusal {
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
        crate::report::failure(&error);
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
