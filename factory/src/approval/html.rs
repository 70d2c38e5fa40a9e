//! A page as HTML, with the headers that keep it to itself.

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

use crate::error::Error;

/// In every page's head; the policy below allows this style and nothing else.
pub(super) const STYLE: &str = include_str!("../../templates/style.css");

/// No script, no frame, no foreign form; the one style by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

pub(super) fn html(status: StatusCode, text: String) -> Response {
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

/// Something is wrong that no form can mend.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(super) struct ErrorPage {
    status: StatusCode,
    title: &'static str,
    text: &'static str,
}

impl ErrorPage {
    pub(super) const SLOW_DOWN: Self = Self {
        status: StatusCode::TOO_MANY_REQUESTS,
        title: "Too many attempts",
        text: "Wait ten minutes, then try again.",
    };

    pub(super) const STALE_FORM: Self = Self {
        status: StatusCode::FORBIDDEN,
        title: "This form is out of date",
        text: "Open the page again. If this repeats, the browser refuses our cookie.",
    };

    pub(super) const BROKEN: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "The server failed",
        text: "Nothing was changed. Try again later.",
    };
}

impl From<Error> for ErrorPage {
    fn from(error: Error) -> Self {
        error.log();
        Self::BROKEN
    }
}

impl IntoResponse for ErrorPage {
    fn into_response(self) -> Response {
        let text = self.render().unwrap_or_else(|_| self.title.into());
        html(self.status, text)
    }
}
