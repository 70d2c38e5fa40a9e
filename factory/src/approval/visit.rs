//! The cookie of a visitor, logged in or not, and the form token that belongs to it.

use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::page::{ErrorPage, Page};
use crate::app::Factory;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::now_millis;

/// An hour: enough to bring up a box of boards.
const SESSION_SECONDS: i64 = 60 * 60;
pub(super) const SESSION_MILLIS: i64 = SESSION_SECONDS * 1000;
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
}

impl Visit {
    /// A visitor without a session. They too have a secret: without it, a strange page could log
    /// somebody in under another name.
    pub(super) fn anonymous() -> Result<Self, Error> {
        Ok(Self {
            secret: Secret::generate()?,
            operator: None,
            new: true,
        })
    }

    pub(super) async fn read(factory: &Factory, headers: &HeaderMap) -> Result<Self, Error> {
        let Some(secret) = cookie(headers) else {
            return Self::anonymous();
        };
        let operator = factory
            .database
            .session_operator(&secret, now_millis())
            .await?;
        Ok(Self {
            secret,
            operator,
            new: false,
        })
    }

    /// The token in our forms: it follows from the cookie, and the cookie does not follow from it.
    pub(super) fn form_token(&self) -> String {
        Secret::presented(format!("form:{}", self.secret.expose())).digest()
    }

    /// Refuses a form that did not come from a page that we gave to this visitor.
    pub(super) fn check(&self, token: &str) -> Result<(), ErrorPage> {
        let ours = self.form_token();
        if !self.new && bool::from(ours.as_bytes().ct_eq(token.as_bytes())) {
            return Ok(());
        }
        Err(ErrorPage::stale_form())
    }

    /// A page, with the cookie if the browser needs it.
    pub(super) fn respond(
        &self,
        factory: &Factory,
        status: StatusCode,
        page: &impl Page,
    ) -> Result<Response, ErrorPage> {
        let mut response = page.respond(status)?;
        if self.new {
            let cookie = self.set_cookie(factory)?;
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// Sends the browser on, with this visit's cookie.
    pub(super) fn redirect(&self, factory: &Factory, path: &str) -> Result<Response, ErrorPage> {
        let mut response = (StatusCode::SEE_OTHER, [(LOCATION, path)]).into_response();
        let cookie = self.set_cookie(factory)?;
        response.headers_mut().insert(SET_COOKIE, cookie);
        Ok(response)
    }

    fn set_cookie(&self, factory: &Factory) -> Result<axum::http::HeaderValue, ErrorPage> {
        let secure = if factory.urls.api.starts_with("https:") {
            "; Secure"
        } else {
            ""
        };
        let secret = self.secret.expose();
        format!(
            "{COOKIE_NAME}={secret}; Path=/activate; Max-Age={SESSION_SECONDS}; HttpOnly; \
             SameSite=Strict{secure}"
        )
        .parse()
        .map_err(|_| ErrorPage::broken())
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
            ..Visit::anonymous().unwrap()
        };
        let (one, two) = (visit(false), visit(false));
        assert!(one.check(&one.form_token()).is_ok());
        assert!(one.check(&two.form_token()).is_err());
        assert!(one.check("").is_err());
        let new = visit(true);
        assert!(new.check(&new.form_token()).is_err());
    }
}
