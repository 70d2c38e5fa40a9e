//! The cookie of a visitor, logged in or not, and the form token that belongs to it.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq as _;

use super::html::{ErrorPage, html};
use super::state::Approval;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::Timestamp;

/// An hour: enough to bring up a box of boards.
pub(super) const SESSION: Duration = Duration::from_secs(60 * 60);
const COOKIE_NAME: &str = "activate";
/// Our own are 43 characters; nothing longer needs to be hashed.
const COOKIE_LIMIT: usize = 64;

/// Somebody with a cookie of ours, or a new one for them.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) secret: Secret,
    /// Who logged in.
    pub(super) operator: Option<String>,
    /// The browser does not have this secret yet.
    new: bool,
    /// The cookie is for HTTPS only.
    pub(super) secure: bool,
}

impl FromRequestParts<Arc<Approval>> for Visit {
    type Rejection = ErrorPage;

    async fn from_request_parts(
        parts: &mut Parts,
        approval: &Arc<Approval>,
    ) -> Result<Self, ErrorPage> {
        let secure = approval.site.urls.api.starts_with("https:");
        let Some(secret) = cookie(&parts.headers) else {
            return Ok(Self::anonymous(secure)?);
        };
        let operator = approval.store.session_operator(&secret, Timestamp::now());
        Ok(Self {
            operator: operator.await?,
            secret,
            new: false,
            secure,
        })
    }
}

impl Visit {
    /// A visitor without a session. They too have a secret: without it, a strange page could log
    /// somebody in under another name.
    pub(super) fn anonymous(secure: bool) -> Result<Self, Error> {
        Ok(Self {
            secret: Secret::generate()?,
            operator: None,
            new: true,
            secure,
        })
    }

    /// The token in our forms: it follows from the cookie, and the cookie does not follow from it.
    pub(super) fn form_token(&self) -> String {
        Secret::presented(format!("form:{}", self.secret.expose())).digest()
    }

    /// Refuses a form that did not come from a page that we gave to this visitor.
    fn check(&self, token: &str) -> Result<(), ErrorPage> {
        let ours = self.form_token();
        if !self.new && bool::from(ours.as_bytes().ct_eq(token.as_bytes())) {
            return Ok(());
        }
        Err(ErrorPage::STALE_FORM)
    }

    /// A page, with the cookie if the browser needs it.
    pub(super) fn respond(
        &self,
        status: StatusCode,
        page: &impl Template,
    ) -> Result<Response, ErrorPage> {
        let response = html(status, page.render().map_err(|_| ErrorPage::BROKEN)?);
        if self.new {
            return self.with_cookie(response);
        }
        Ok(response)
    }

    /// Sends the browser on, with this visit's cookie.
    pub(super) fn redirect(&self, path: &str) -> Result<Response, ErrorPage> {
        self.with_cookie((StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response())
    }

    fn with_cookie(&self, mut response: Response) -> Result<Response, ErrorPage> {
        let secure = if self.secure { "; Secure" } else { "" };
        let seconds = SESSION.as_secs();
        let secret = self.secret.expose();
        let cookie = format!(
            "{COOKIE_NAME}={secret}; Path=/activate; Max-Age={seconds}; HttpOnly; \
             SameSite=Lax{secure}"
        );
        let cookie = cookie.parse().map_err(|_| ErrorPage::BROKEN)?;
        response.headers_mut().insert(SET_COOKIE, cookie);
        Ok(response)
    }
}

fn cookie(headers: &HeaderMap) -> Option<Secret> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
        .find(|secret| !secret.is_empty() && secret.len() <= COOKIE_LIMIT)
        .map(|secret| Secret::presented(secret.into()))
}

/// A form from a page that we gave to this visitor.
pub(super) struct Sent<F> {
    pub(super) visit: Visit,
    pub(super) fields: F,
}

#[derive(Deserialize)]
struct Protected<F> {
    csrf: String,
    #[serde(flatten)]
    fields: F,
}

impl<F: DeserializeOwned> FromRequest<Arc<Approval>> for Sent<F> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Arc<Approval>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await;
        let form = Form::from_request(Request::from_parts(parts, body), state).await;
        let Form(Protected { csrf, fields }) = form.map_err(IntoResponse::into_response)?;
        let checked = visit.and_then(|visit| visit.check(&csrf).map(|()| visit));
        let visit = checked.map_err(IntoResponse::into_response)?;
        Ok(Self { visit, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(COOKIE, value.parse().unwrap())]);
        cookie(&headers).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn finds_its_cookie_among_others() {
        assert_eq!(read("a=b; activate=xyz; c=d").as_deref(), Some("xyz"));
        assert_eq!(read("activated=xyz"), None);
        assert_eq!(read("activate="), None);
        assert_eq!(read(&format!("activate={}", "x".repeat(65))), None);
    }

    #[test]
    fn a_form_belongs_to_one_visitor() {
        let visit = |new| Visit {
            new,
            ..Visit::anonymous(true).unwrap()
        };
        let (one, two) = (visit(false), visit(false));
        assert!(one.check(&one.form_token()).is_ok());
        assert!(one.check(&two.form_token()).is_err());
        assert!(one.check("").is_err());
        let new = visit(true);
        assert!(new.check(&new.form_token()).is_err());
    }
}
