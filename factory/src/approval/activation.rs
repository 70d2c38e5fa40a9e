//! The page where a person logs in, sees which device asks, and approves or denies it. Plain HTML
//! without scripts; every POST carries a token that only our own page can know.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::html::{ErrorPage, Page as _};
use super::page::{CodePage, ConfirmPage, DonePage, LoginPage};
use super::password::{Password, Verifier};
use super::user_code::normalise as read_user_code;
use super::visit::{Fields, SESSION, Sent, Visit};
use crate::http::listener::PeerAddress;
use crate::http::throttle::{Throttle, network};
use crate::site::Site;
use crate::store::Store;
use crate::time::Timestamp;

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
    networks: Throttle,
    names: Throttle,
    codes: Throttle,
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

#[derive(Debug, Deserialize)]
pub(super) struct CodeQuery {
    #[serde(default)]
    user_code: String,
}

/// The first page: log in, enter a code, or decide on the one in the address.
pub(super) async fn show(
    State(store): State<Store>,
    State(site): State<Arc<Site>>,
    State(guard): State<Arc<Guard>>,
    visit: Visit,
    Query(CodeQuery { user_code }): Query<CodeQuery>,
) -> Result<Response, ErrorPage> {
    let Some(operator) = &visit.operator else {
        return visit.respond(StatusCode::OK, &login_page(&visit, &user_code, ""));
    };
    if user_code.is_empty() {
        return code_page(&visit, operator, "").respond(StatusCode::OK);
    }
    if !guard.codes.allows(operator) {
        return Err(ErrorPage::slow_down());
    }
    let grant = match read_user_code(&user_code) {
        Some(code) => store.pending_grant(&code, Timestamp::now()).await?,
        None => None,
    };
    let Some(grant) = grant else {
        return code_page(&visit, operator, UNKNOWN_CODE).respond(StatusCode::NOT_FOUND);
    };
    guard.codes.forgive(operator);
    let page = ConfirmPage {
        visit: &visit,
        operator,
        factory: &site.factory,
        known: store.name_of(&grant.client_id).await?,
        grant,
    };
    page.respond(StatusCode::OK)
}

fn login_page<'a>(visit: &'a Visit, user_code: &str, problem: &'static str) -> LoginPage<'a> {
    LoginPage {
        visit,
        name: "",
        // What cannot be a code is not carried along.
        user_code: read_user_code(user_code).unwrap_or_default(),
        problem,
    }
}

fn code_page<'a>(visit: &'a Visit, operator: &'a str, problem: &'static str) -> CodePage<'a> {
    CodePage {
        visit,
        operator,
        problem,
    }
}

const UNKNOWN_CODE: &str = "No device waits with this code. Compare it with the device; if it is the \
     same, it has expired, and the device must ask again.";

#[derive(Deserialize)]
pub(super) struct LoginForm {
    csrf: String,
    name: String,
    password: String,
    #[serde(default)]
    user_code: String,
}

impl Fields for LoginForm {
    fn token(&self) -> &str {
        &self.csrf
    }
}

pub(super) async fn login(
    State(store): State<Store>,
    State(guard): State<Arc<Guard>>,
    Extension(PeerAddress(peer)): Extension<PeerAddress>,
    Sent { visit, form }: Sent<LoginForm>,
) -> Result<Response, ErrorPage> {
    let LoginForm {
        name,
        password,
        user_code,
        csrf: _,
    } = form;
    let password = Password::new(password);
    let network = network(peer);
    // Both count, whatever the first one says.
    let allowed = [guard.networks.allows(network), guard.names.allows(&name)];
    if allowed.contains(&false) {
        tracing::warn!(%network, "too many logins");
        return Err(ErrorPage::slow_down());
    }
    let hash = store.password_hash(&name).await?;
    if !guard.verifier.verify(password, hash).await {
        tracing::warn!(%network, "login failed");
        let page = LoginPage {
            name: &name,
            ..login_page(&visit, &user_code, "The name or the password is wrong.")
        };
        return page.respond(StatusCode::FORBIDDEN);
    }
    guard.networks.forgive(network);
    guard.names.forgive(&name);
    tracing::info!(operator = name, "logged in");
    // A new secret: the one from before the login may be known to somebody else.
    let session = visit.renewed()?;
    store
        .begin_session(&session.secret, &name, Timestamp::now(), SESSION)
        .await?;
    let code = read_user_code(&user_code);
    let query = code.map_or(String::new(), |code| format!("?user_code={code}"));
    session.redirect(&format!("/activate/{query}"))
}

#[derive(Deserialize)]
pub(super) struct DecisionForm {
    csrf: String,
    user_code: String,
    decision: Decision,
}

impl Fields for DecisionForm {
    fn token(&self) -> &str {
        &self.csrf
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

pub(super) async fn decide(
    State(store): State<Store>,
    State(guard): State<Arc<Guard>>,
    Sent {
        visit,
        form:
            DecisionForm {
                user_code,
                decision,
                csrf: _,
            },
    }: Sent<DecisionForm>,
) -> Result<Response, ErrorPage> {
    let Some(operator) = &visit.operator else {
        let page = login_page(&visit, &user_code, "Your session is over. Sign in again.");
        return page.respond(StatusCode::FORBIDDEN);
    };
    if !guard.codes.allows(operator) {
        return Err(ErrorPage::slow_down());
    }
    let approved = decision == Decision::Approve;
    let decided = match read_user_code(&user_code) {
        Some(code) => {
            let now = Timestamp::now();
            store.decide_grant(&code, approved, operator, now).await?
        }
        None => false,
    };
    if !decided {
        return code_page(&visit, operator, UNKNOWN_CODE).respond(StatusCode::NOT_FOUND);
    }
    guard.codes.forgive(operator);
    tracing::info!(operator, ?decision, "decided on a device");
    let page = DonePage {
        visit: &visit,
        operator,
        approved,
    };
    page.respond(StatusCode::OK)
}

#[derive(Deserialize)]
pub(super) struct LogoutForm {
    csrf: String,
}

impl Fields for LogoutForm {
    fn token(&self) -> &str {
        &self.csrf
    }
}

pub(super) async fn logout(
    State(store): State<Store>,
    Sent { visit, .. }: Sent<LogoutForm>,
) -> Result<Response, ErrorPage> {
    store.end_session(&visit.secret).await?;
    visit.renewed()?.redirect("/activate/")
}
