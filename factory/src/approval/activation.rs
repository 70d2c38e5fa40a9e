//! The page where a person logs in, sees which device asks, and approves or denies it. Plain HTML
//! without scripts; every POST carries a token that only our own page can know.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use serde::Deserialize;

use super::password::{Password, Verifier};
use super::user_code::normalise as read_user_code;
use crate::app::Factory;
use crate::http::listener::PeerAddress;
use crate::http::throttle::{Throttle, network};
use crate::time::now_millis;

use super::page::{CodePage, ConfirmPage, DonePage, ErrorPage, LoginPage, Page};
use super::visit::{SESSION_MILLIS, Visit};

const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Failed logins of one network in ten minutes, and of one name from all of them together. The second
/// is larger, because it lets a stranger lock an operator out for a while.
const LOGINS_PER_NETWORK: u32 = 10;
const LOGINS_PER_NAME: u32 = 50;
/// Wrong codes of one operator in ten minutes (RFC 8628, 5.1).
const CODES_PER_OPERATOR: u32 = 20;

/// What slows down guessing.
#[derive(Debug)]
pub(crate) struct Guard {
    verifier: Verifier,
    networks: Throttle<IpAddr>,
    names: Throttle<String>,
    codes: Throttle<String>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            verifier: Verifier::new(),
            networks: Throttle::new(LOGINS_PER_NETWORK, WINDOW),
            names: Throttle::new(LOGINS_PER_NAME, WINDOW),
            codes: Throttle::new(CODES_PER_OPERATOR, WINDOW),
        }
    }
}

/// Routes of the page.
pub(crate) fn router() -> Router<Arc<Factory>> {
    Router::new()
        .route("/activate/", get(show))
        .route("/activate", get(show))
        .route("/activate/login", post(login))
        .route("/activate/decide", post(decide))
        .route("/activate/logout", post(logout))
}

#[derive(Debug, Deserialize)]
struct CodeQuery {
    #[serde(default)]
    user_code: String,
}

/// The first page: log in, enter a code, or decide on the one in the address.
async fn show(
    State(factory): State<Arc<Factory>>,
    headers: HeaderMap,
    Query(CodeQuery { user_code }): Query<CodeQuery>,
) -> Result<Response, ErrorPage> {
    let visit = Visit::read(&factory, &headers).await?;
    let Some(operator) = visit.operator.clone() else {
        let page = LoginPage::new(&visit, &user_code, "");
        return visit.respond(&factory, StatusCode::OK, &page);
    };
    if user_code.is_empty() {
        return CodePage::new(&visit, &operator, "").respond(StatusCode::OK);
    }
    if !factory.activation.codes.allows(&operator) {
        return Err(ErrorPage::slow_down());
    }
    let now = now_millis();
    let grant = match read_user_code(&user_code) {
        Some(code) => factory.database.pending_grant(&code, now).await?,
        None => None,
    };
    let Some(grant) = grant else {
        let page = CodePage::new(&visit, &operator, UNKNOWN_CODE);
        return page.respond(StatusCode::NOT_FOUND);
    };
    factory.activation.codes.forgive(&operator);
    let known = factory.database.name_of(&grant.client_id).await?;
    ConfirmPage::new(&visit, &operator, &factory.name, &grant, known.as_ref())
        .respond(StatusCode::OK)
}

const UNKNOWN_CODE: &str = "No device waits with this code. Compare it with the device; if it is the \
     same, it has expired, and the device must ask again.";

#[derive(Deserialize)]
struct LoginForm {
    csrf: String,
    name: String,
    password: String,
    #[serde(default)]
    user_code: String,
}

async fn login(
    State(factory): State<Arc<Factory>>,
    Extension(PeerAddress(peer)): Extension<PeerAddress>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Result<Response, ErrorPage> {
    let LoginForm {
        csrf,
        name,
        password,
        user_code,
    } = form;
    let password = Password::new(password);
    let visit = Visit::read(&factory, &headers).await?;
    visit.check(&csrf)?;
    let guard = &factory.activation;
    let network = network(peer);
    // Both count, whatever the first one says.
    let allowed = [guard.networks.allows(&network), guard.names.allows(&name)];
    if allowed.contains(&false) {
        tracing::warn!(%network, "too many logins");
        return Err(ErrorPage::slow_down());
    }
    let hash = factory.database.password_hash(&name).await?;
    if !guard.verifier.verify(password, hash).await {
        tracing::warn!(%network, "login failed");
        let page = LoginPage::new(&visit, &user_code, "The name or the password is wrong.");
        let page = page.for_name(name);
        return page.respond(StatusCode::FORBIDDEN);
    }
    guard.networks.forgive(&network);
    guard.names.forgive(&name);
    tracing::info!(operator = name, "logged in");
    // A new secret: the one from before the login may be known to somebody else.
    let session = Visit::anonymous()?;
    factory
        .database
        .begin_session(&session.secret, &name, now_millis(), SESSION_MILLIS)
        .await?;
    let code = read_user_code(&user_code);
    let query = code.map_or(String::new(), |code| format!("?user_code={code}"));
    session.redirect(&factory, &format!("/activate/{query}"))
}

#[derive(Deserialize)]
struct DecisionForm {
    csrf: String,
    user_code: String,
    decision: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

async fn decide(
    State(factory): State<Arc<Factory>>,
    headers: HeaderMap,
    Form(form): Form<DecisionForm>,
) -> Result<Response, ErrorPage> {
    let DecisionForm {
        csrf,
        user_code,
        decision,
    } = form;
    let visit = Visit::read(&factory, &headers).await?;
    visit.check(&csrf)?;
    let Some(operator) = visit.operator.clone() else {
        let page = LoginPage::new(&visit, &user_code, "Your session is over. Sign in again.");
        return page.respond(StatusCode::FORBIDDEN);
    };
    if !factory.activation.codes.allows(&operator) {
        return Err(ErrorPage::slow_down());
    }
    let approved = decision == Decision::Approve;
    let decided = match read_user_code(&user_code) {
        Some(code) => {
            let database = &factory.database;
            database
                .decide_grant(&code, approved, &operator, now_millis())
                .await?
        }
        None => false,
    };
    if !decided {
        let page = CodePage::new(&visit, &operator, UNKNOWN_CODE);
        return page.respond(StatusCode::NOT_FOUND);
    }
    factory.activation.codes.forgive(&operator);
    tracing::info!(operator, ?decision, "decided on a device");
    DonePage::new(&visit, &operator, approved).respond(StatusCode::OK)
}

#[derive(Deserialize)]
struct LogoutForm {
    csrf: String,
}

async fn logout(
    State(factory): State<Arc<Factory>>,
    headers: HeaderMap,
    Form(LogoutForm { csrf }): Form<LogoutForm>,
) -> Result<Response, ErrorPage> {
    let visit = Visit::read(&factory, &headers).await?;
    visit.check(&csrf)?;
    factory.database.end_session(&visit.secret).await?;
    Visit::anonymous()?.redirect(&factory, "/activate/")
}
