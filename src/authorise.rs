//! Gets the header that allows a registration: the API token's, or one that a person approves.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use crate::attempts::{Attempt, persist};
use crate::error::{Error, Result};
use crate::http::{Client, NoAnswer, Request};
use crate::oauth::{Invitation, Next, Poll, Waiting};
use crate::secret::Secret;
use crate::settings::{Authorisation, Settings};
use crate::ui::Reporter;

/// The grant's name in a token request (RFC 8628 section 3.4).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The most bytes of an answer of the authorisation server.
const ANSWER_LIMIT: usize = 64 * 1024;

/// The header that allows `uuid` to be registered; waits for a person if there is no API token.
///
/// # Errors
/// [`crate::error::Kind::Unauthorised`] if the person denies it or nobody comes, and whatever
/// keeps the authorisation server from answering.
pub fn authorise(
    settings: &Settings,
    uuid: &str,
    client: &Client,
    reporter: &Reporter,
) -> Result<HeaderMap> {
    let (name, value) = match &settings.authorisation {
        Authorisation::ApiToken { header, token } => (header.as_str(), token.clone()),
        Authorisation::DeviceGrant { base } => {
            let grant = DeviceGrant {
                settings,
                base,
                uuid,
                client,
                reporter,
            };
            (AUTHORIZATION.as_str(), bearer(&grant.obtain()?))
        }
    };
    let unusable =
        || Error::configuration("the token or the name of its header cannot be sent in HTTP");
    let name = HeaderName::try_from(name).map_err(|_| unusable())?;
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(name, value)]))
}

/// Backends expect the access token encoded once more.
fn bearer(token: &Secret) -> Secret {
    let encoded = Zeroizing::new(BASE64.encode(token.expose()));
    Secret::from(format!("Bearer {}", encoded.as_str()))
}

struct DeviceGrant<'a> {
    settings: &'a Settings,
    base: &'a Url,
    uuid: &'a str,
    client: &'a Client,
    reporter: &'a Reporter,
}

impl DeviceGrant<'_> {
    /// Asks for a code, shows it, and polls until it is approved, denied, or too old.
    fn obtain(&self) -> Result<Secret> {
        let scope = format!("{}:devices:create", self.settings.factory);
        let invitation = self.invite(&scope)?;
        let started = Instant::now();
        let mut waiting = Waiting::new(&invitation, Duration::ZERO);
        let mut view = self.reporter.invite(&invitation);
        let token_url = self.endpoint("token")?;
        let form = form(&[
            ("grant_type", GRANT_TYPE),
            ("device_code", invitation.device_code.expose()),
            ("client_id", self.uuid),
            ("scope", &scope),
        ]);
        let mut pause = waiting.first_pause();
        loop {
            let poll_at = started.elapsed() + pause;
            while let Some(rest) = poll_at
                .checked_sub(started.elapsed())
                .filter(|rest| !rest.is_zero())
            {
                let tick = view.show_left(waiting.left(started.elapsed()));
                std::thread::sleep(rest.min(tick));
            }
            let answer = self.post(&token_url, &form);
            let poll = match &answer {
                Ok(answer) => Poll::Answer {
                    status: answer.status,
                    body: &answer.body,
                },
                Err(NoAnswer { error, .. }) => {
                    self.reporter.detail(&error.full_message());
                    Poll::Broken
                }
            };
            match waiting.take(poll, started.elapsed()) {
                Ok(Next::PollAfter(next)) => pause = next,
                Ok(Next::Granted(token)) => {
                    view.close();
                    self.reporter.step("The registration is approved");
                    return Ok(token);
                }
                Err(error) => {
                    view.close();
                    return Err(error);
                }
            }
        }
    }

    fn invite(&self, scope: &str) -> Result<Invitation> {
        let url = self.endpoint("authorization/device")?;
        let form = form(&[("client_id", self.uuid), ("scope", scope)]);
        persist(self.settings.retry_for, self.reporter, || {
            match self.post(&url, &form) {
                Ok(answer) => match Invitation::read(answer.status, &answer.body) {
                    Ok(invitation) => Attempt::Done(invitation),
                    Err(error) if matches!(answer.status, 429 | 502..=504) => {
                        Attempt::Again(error, answer.pause())
                    }
                    Err(error) => Attempt::Failed(error),
                },
                Err(NoAnswer { error, .. }) => Attempt::Again(error, None),
            }
        })
    }

    fn post(&self, url: &Url, form: &str) -> std::result::Result<crate::http::Answer, NoAnswer> {
        let encoding = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.client.send(Request {
            method: Method::POST,
            url,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, encoding)]),
            body: Some(form.as_bytes().to_vec()),
            limit: ANSWER_LIMIT,
        })
    }

    fn endpoint(&self, name: &str) -> Result<Url> {
        let text = format!("{}/{name}/", self.base.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|cause| {
            Error::configuration(format!("{text:?} is no URL"))
                .because(cause)
                .hint("check OAUTH_BASE")
        })
    }
}

/// `application/x-www-form-urlencoded`; wiped on drop.
fn form(pairs: &[(&str, &str)]) -> Zeroizing<String> {
    Zeroizing::new(
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_percent_encoded() {
        let encoded = form(&[("client_id", "a&b=c d"), ("scope", "f:devices:create")]);
        assert_eq!(
            encoded.as_str(),
            "client_id=a%26b%3Dc+d&scope=f%3Adevices%3Acreate"
        );
    }

    #[test]
    fn access_tokens_are_encoded_once_more() {
        assert_eq!(bearer(&Secret::from("abc?>")).expose(), "Bearer YWJjPz4=");
    }
}
