//! The pages as HTML, with the headers that keep them to themselves.

use std::sync::LazyLock;

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::user_code::normalise as read_user_code;
use super::visit::Visit;
use crate::error::Error;
use crate::store::{KnownName, PendingGrant};

/// In every page's head; the policy below allows this style and nothing else.
const STYLE: &str = include_str!("../../templates/style.css");

/// No script, no frame, no foreign form; the one style by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// A page that can be answered.
pub(super) trait Page: Template {
    fn respond(&self, status: StatusCode) -> Result<Response, ErrorPage> {
        Ok(html(
            status,
            self.render().map_err(|_| ErrorPage::broken())?,
        ))
    }
}

fn html(status: StatusCode, text: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    (status, headers, text).into_response()
}

/// Who are you?
#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    form_token: String,
    name: String,
    user_code: String,
    problem: &'static str,
}

impl LoginPage {
    pub(super) fn new(visit: &Visit, user_code: &str, problem: &'static str) -> Self {
        Self {
            form_token: visit.form_token(),
            name: String::new(),
            // What cannot be a code is not carried along.
            user_code: read_user_code(user_code).unwrap_or_default(),
            problem,
        }
    }

    /// With the name filled in, so that only the password is to be typed again.
    pub(super) fn for_name(self, name: String) -> Self {
        Self { name, ..self }
    }
}

/// Which code does the device show?
#[derive(Template)]
#[template(path = "code.html")]
pub(super) struct CodePage {
    form_token: String,
    operator: String,
    problem: &'static str,
}

impl CodePage {
    pub(super) fn new(visit: &Visit, operator: &str, problem: &'static str) -> Self {
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            problem,
        }
    }
}

/// This device asks: approve it?
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage {
    form_token: String,
    operator: String,
    factory: String,
    uuid: String,
    user_code: String,
    name: Option<String>,
    deleted: bool,
}

impl ConfirmPage {
    pub(super) fn new(
        visit: &Visit,
        operator: &str,
        factory: &str,
        grant: &PendingGrant,
        known: Option<&KnownName>,
    ) -> Self {
        let PendingGrant {
            client_id,
            user_code,
        } = grant;
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            factory: factory.into(),
            uuid: client_id.clone(),
            user_code: user_code.clone(),
            name: known
                .map(|known| known.name.clone())
                .filter(|name| name != client_id),
            deleted: known.is_some_and(|known| known.deleted),
        }
    }
}

/// The decision is made.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage {
    form_token: String,
    operator: String,
    approved: bool,
}

impl DonePage {
    pub(super) fn new(visit: &Visit, operator: &str, approved: bool) -> Self {
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            approved,
        }
    }
}

/// Something is wrong that no form can mend.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    status: StatusCode,
    title: &'static str,
    text: &'static str,
}

impl ErrorPage {
    pub(super) fn slow_down() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            title: "Too many attempts",
            text: "Wait ten minutes, then try again.",
        }
    }

    pub(super) fn stale_form() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "This form is out of date",
            text: "Open the page again. If this repeats, the browser refuses our cookie.",
        }
    }

    pub(super) fn broken() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            title: "The server failed",
            text: "Nothing was changed. Try again later.",
        }
    }
}

impl From<Error> for ErrorPage {
    fn from(error: Error) -> Self {
        crate::report::failure(&error);
        Self::broken()
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        let text = self.render().unwrap_or_else(|_| self.title.into());
        html(self.status, text)
    }
}

impl Page for LoginPage {}
impl Page for CodePage {}
impl Page for ConfirmPage {}
impl Page for DonePage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_of_itself_is_escaped() {
        let visit = Visit::anonymous().unwrap();
        let grant = PendingGrant {
            client_id: "<b>&\"".into(),
            user_code: "BCDF-GHJK".into(),
        };
        let known = KnownName {
            name: "<script>".into(),
            deleted: false,
        };
        let page = ConfirmPage::new(&visit, "ann", "acme", &grant, Some(&known));
        let text = page.render().unwrap();
        assert!(
            !text.contains("<script>") && !text.contains("<b>&"),
            "{text}"
        );
        assert!(text.contains("BCDF-GHJK") && text.contains("acme"));
    }
}
