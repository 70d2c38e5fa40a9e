//! The page where a person logs in, sees which device asks, and approves or denies it. Plain HTML
//! without scripts; every POST carries a token that only our own page can know.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::html::ErrorPage;
use super::page::{CodePage, ConfirmPage, DonePage, LoginPage};
use super::password::Password;
use super::state::Approval;
use super::user_code::normalise as read_user_code;
use super::visit::{SESSION, Sent, Visit};
use crate::http::listener::Peer;
use crate::http::throttle::network;
use crate::time::Timestamp;

#[derive(Debug, Deserialize)]
pub(super) struct CodeQuery {
    #[serde(default)]
    user_code: String,
}

/// The first page: log in, enter a code, or decide on the one in the address.
pub(super) async fn show(
    State(approval): State<Arc<Approval>>,
    visit: Visit,
    Query(CodeQuery { user_code }): Query<CodeQuery>,
) -> Result<Response, ErrorPage> {
    let store = &approval.store;
    let Some(operator) = &visit.operator else {
        return visit.respond(StatusCode::OK, &login_page(&visit, &user_code, ""));
    };
    if user_code.is_empty() {
        return visit.respond(StatusCode::OK, &code_page(&visit, ""));
    }
    if !approval.codes.allows(operator) {
        return Err(ErrorPage::SLOW_DOWN);
    }
    let grant = match read_user_code(&user_code) {
        Some(code) => store.pending_grant(&code, Timestamp::now()).await?,
        None => None,
    };
    let Some(grant) = grant else {
        return visit.respond(StatusCode::NOT_FOUND, &code_page(&visit, UNKNOWN_CODE));
    };
    approval.codes.forgive(operator);
    let page = ConfirmPage {
        visit: &visit,
        factory: &approval.site.factory,
        known: store.name_of(&grant.client_id).await?,
        grant,
    };
    visit.respond(StatusCode::OK, &page)
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

fn code_page<'a>(visit: &'a Visit, problem: &'static str) -> CodePage<'a> {
    CodePage { visit, problem }
}

const UNKNOWN_CODE: &str = "No device waits with this code. Compare it with the device; if it is the \
     same, it has expired, and the device must ask again.";

#[derive(Deserialize)]
pub(super) struct LoginForm {
    name: String,
    password: String,
    #[serde(default)]
    user_code: String,
}

pub(super) async fn login(
    State(approval): State<Arc<Approval>>,
    Extension(peer): Extension<Peer>,
    Sent { visit, fields }: Sent<LoginForm>,
) -> Result<Response, ErrorPage> {
    let network = network(peer.address);
    // What is refused for its network does not count for the name, or a stranger could lock it.
    if !(approval.networks.allows(network) && approval.names.allows(&fields.name)) {
        tracing::warn!(%network, "too many logins");
        return Err(ErrorPage::SLOW_DOWN);
    }
    let store = &approval.store;
    let hash = store.password_hash(&fields.name).await?;
    if !approval
        .verifier
        .verify(Password::new(fields.password), hash)
        .await
    {
        tracing::warn!(%network, "login failed");
        let page = LoginPage {
            name: &fields.name,
            ..login_page(
                &visit,
                &fields.user_code,
                "The name or the password is wrong.",
            )
        };
        return visit.respond(StatusCode::FORBIDDEN, &page);
    }
    approval.networks.forgive(network);
    approval.names.forgive(&fields.name);
    tracing::info!(operator = fields.name, "logged in");
    // A new secret: the one from before the login may be known to somebody else.
    let session = Visit::anonymous(visit.secure)?;
    let now = Timestamp::now();
    let begun = store.begin_session(&session.secret, &fields.name, now, SESSION);
    begun.await?;
    let code = read_user_code(&fields.user_code);
    let query = code.map_or(String::new(), |code| format!("?user_code={code}"));
    session.redirect(&format!("/activate/{query}"))
}

#[derive(Deserialize)]
pub(super) struct DecisionForm {
    user_code: String,
    decision: Decision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approve,
    Deny,
}

pub(super) async fn decide(
    State(approval): State<Arc<Approval>>,
    Sent { visit, fields }: Sent<DecisionForm>,
) -> Result<Response, ErrorPage> {
    let DecisionForm {
        user_code,
        decision,
    } = fields;
    let Some(operator) = &visit.operator else {
        let page = login_page(&visit, &user_code, "Your session is over. Sign in again.");
        return visit.respond(StatusCode::FORBIDDEN, &page);
    };
    if !approval.codes.allows(operator) {
        return Err(ErrorPage::SLOW_DOWN);
    }
    let approved = decision == Decision::Approve;
    let decided = match read_user_code(&user_code) {
        Some(code) => {
            let now = Timestamp::now();
            approval
                .store
                .decide_grant(&code, approved, operator, now)
                .await?
        }
        None => false,
    };
    if !decided {
        return visit.respond(StatusCode::NOT_FOUND, &code_page(&visit, UNKNOWN_CODE));
    }
    approval.codes.forgive(operator);
    tracing::info!(operator, ?decision, "decided on a device");
    let page = DonePage {
        visit: &visit,
        approved,
    };
    visit.respond(StatusCode::OK, &page)
}

pub(super) async fn logout(
    State(approval): State<Arc<Approval>>,
    Sent { visit, .. }: Sent<()>,
) -> Result<Response, ErrorPage> {
    approval.store.end_session(&visit.secret).await?;
    Visit::anonymous(visit.secure)?.redirect("/activate/")
}
