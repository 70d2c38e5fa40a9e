//! Gets an access token by the device grant (RFC 8628): asks for a code, shows it to a person, and
//! polls until it is approved, denied, or too old. Never says the token.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use zeroize::Zeroizing;

use super::censor::Censor;
use super::http::{Answer, Client, NoAnswer, Request};
use super::retry::{Attempt, Retry};
use crate::error::{Error, Kind, Result};
use crate::report::Reporter;
use crate::secret::Secret;

mod invitation;
mod view;
mod waiting;

use invitation::Invitation;
use view::InvitationView;
use waiting::{Next, Poll, Waiting, refusal};

/// The grant's name in a token request (RFC 8628 section 3.4).
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The most bytes of an answer of the authorisation server.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A grant that a device asks for.
#[derive(Debug)]
pub(crate) struct DeviceGrant<'a> {
    /// Base URL of the authorisation server.
    pub base: &'a Url,
    /// The factory that the device will belong to.
    pub factory: &'a str,
    /// The device; it is the client.
    pub uuid: &'a str,
    /// How long to try again until there is a code.
    pub retry_for: Duration,
    /// Who talks to the server.
    pub client: &'a Client,
    /// Who shows the code to a person.
    pub reporter: &'a Reporter,
}

impl DeviceGrant<'_> {
    /// Asks for a code, shows it, and polls until it is approved, denied, or too old.
    ///
    /// # Errors
    /// [`crate::error::Kind::Unauthorised`] if the person denies it or nobody comes, and whatever
    /// keeps the authorisation server from answering.
    pub(crate) fn obtain(&self) -> Result<Secret> {
        let scope = format!("{}:devices:create", self.factory);
        let invitation = self.invite(&scope)?;
        let started = Instant::now();
        let mut waiting = Waiting::new(&invitation, Duration::ZERO);
        let mut view = InvitationView::open(
            &invitation,
            self.reporter.clone(),
            std::io::stderr().is_terminal(),
        );
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
        Retry::new(self.retry_for, self.reporter).persist(|| {
            let answer = match self.post(&url, &form) {
                Ok(answer) => answer,
                Err(nobody) => return nobody.into(),
            };
            let error = || refusal(answer.status, &answer.body, &Censor::default());
            match answer.status {
                200 => invitation(&answer.body).map_or_else(Attempt::Failed, Attempt::Done),
                429 | 502..=504 => Attempt::Again(error(), answer.pause),
                _ => Attempt::Failed(error()),
            }
        })
    }

    fn post(&self, url: &Url, form: &str) -> std::result::Result<Answer, NoAnswer> {
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
            Error::setting(format!("{text:?} is no URL"))
                .because(cause)
                .hint("check OAUTH_BASE")
        })
    }
}

fn invitation(body: &[u8]) -> Result<Invitation> {
    Invitation::parse(body).map_err(|strange| {
        Error::new(
            Kind::Refused,
            format!("the authorisation server's answer {strange}"),
        )
        .because(strange)
        .hint("check OAUTH_BASE")
    })
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
}
