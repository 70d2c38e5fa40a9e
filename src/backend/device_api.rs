//! The registration API: is it there, and will it sign this request? What a server says comes out
//! without the token. Never keeps anything, and never decides what a refusal means for a device.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use super::answer::Untrusted;
use super::censor::Censor;
use super::http::{Answer, Client, NoAnswer, Request, shown};
use super::retry::{Attempt, Retry};
use super::wire::{RegistrationRequest, answered};
use crate::error::{Error, Kind, Result};
use crate::report::Reporter;
use crate::sota::files::ANSWER_LIMIT;

/// Where registrations are asked for, and what allows them.
#[derive(Debug)]
pub(crate) struct DeviceApi<'a> {
    /// Who talks.
    pub client: &'a Client,
    /// Used verbatim.
    pub url: &'a Url,
    /// What allows it; sent with a registration only.
    pub headers: HeaderMap,
    /// How long to try again.
    pub retry_for: Duration,
    /// Who hears of failed attempts.
    pub reporter: &'a Reporter,
}

/// What asking came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was signed.
    Signed(Untrusted),
    /// The backend knows that UUID already, perhaps from an attempt that seemed to fail.
    Exists(Failure),
    /// It was not signed as far as we know.
    Failed(Failure),
}

/// Not signed, and whether the backend may know the device all the same.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Why.
    pub error: Error,
    /// A request may have arrived, and no answer said that nothing came of it.
    pub backend_may_know: bool,
}

impl DeviceApi<'_> {
    /// Makes sure that the backend answers before a key is made on a token: every status below 500
    /// does (401 and 405 are normal). The connection is used again for the request.
    ///
    /// # Errors
    /// [`Kind::Temporary`].
    pub(crate) fn reach(&self) -> Result<()> {
        Retry::new(self.retry_for, self.reporter).persist(|| {
            match self.send(Method::HEAD, HeaderMap::new(), None) {
                Ok(answer) if answer.status < 500 => Attempt::Done(()),
                Ok(answer) => Attempt::Again(
                    Error::new(
                        Kind::Temporary,
                        format!("the backend answered {}", answer.status),
                    )
                    .hint("run this again later"),
                    answer.pause,
                ),
                Err(nobody) => nobody.into(),
            }
        })
    }

    /// Asks until it is signed, refused, or the time is over. The backend `may_know` the device from
    /// an earlier run.
    pub(crate) fn register(&self, request: &RegistrationRequest, may_know: bool) -> Outcome {
        let mut backend_may_know = may_know;
        let asked = serde_json::to_vec(request)
            .map_err(|cause| Error::bug("the request could not be encoded").because(cause))
            .and_then(|body| {
                Retry::new(self.retry_for, self.reporter)
                    .persist(|| self.attempt(&body, &mut backend_may_know))
            });
        asked.unwrap_or_else(|error| {
            Outcome::Failed(Failure {
                error,
                backend_may_know,
            })
        })
    }

    fn attempt(&self, body: &[u8], backend_may_know: &mut bool) -> Attempt<Outcome> {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.send(Method::POST, headers, Some(body.to_vec())) {
            Ok(answer) => {
                // Success or failure, it may have signed before it said so.
                *backend_may_know |= matches!(answer.status, 200..=299 | 500..=599);
                self.judge(answer, *backend_may_know)
            }
            Err(nobody) => {
                *backend_may_know |= nobody.may_have_arrived;
                nobody.into()
            }
        }
    }

    fn send(
        &self,
        method: Method,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> std::result::Result<Answer, NoAnswer> {
        self.client.send(Request {
            method,
            url: self.url,
            headers,
            body,
            limit: ANSWER_LIMIT,
        })
    }

    /// What a status means.
    fn judge(&self, answer: Answer, backend_may_know: bool) -> Attempt<Outcome> {
        let Answer {
            status,
            pause,
            location,
            body,
            truncated,
        } = answer;
        let censor = Censor::of_headers(&self.headers);
        let error = |kind| Error::new(kind, answered("backend", status, &body, &censor));
        match status {
            201 if truncated => {
                Attempt::Failed(Error::answer("the backend's answer is larger than 1 MiB"))
            }
            201 => Attempt::Done(Outcome::Signed(Untrusted::new(body, censor))),
            200..=299 => Attempt::Failed(
                error(Kind::Answer)
                    .hint("201 was expected: check DEVICE_API and any proxy or portal"),
            ),
            300..=399 => Attempt::Failed(error(Kind::Refused).hint(match location {
                Some(location) => format!(
                    "the token is not sent elsewhere; if {:?} is right, set DEVICE_API to it",
                    censor.clean(&location)
                ),
                None => "check DEVICE_API".to_owned(),
            })),
            401 | 403 => {
                Attempt::Failed(error(Kind::Unauthorised).hint(
                    "check the API token: it must be valid and have the scope devices:create",
                ))
            }
            404 => Attempt::Failed(error(Kind::Refused).hint(format!(
                "check DEVICE_API, which is used verbatim: {}",
                shown(self.url)
            ))),
            409 => Attempt::Done(Outcome::Exists(Failure {
                error: error(Kind::Refused),
                backend_may_know,
            })),
            429 => Attempt::Again(error(Kind::Temporary), pause),
            502..=504 => Attempt::Again(error(Kind::Temporary).hint("run this again later"), pause),
            500..=599 => Attempt::Failed(error(Kind::Temporary).hint("run this again later")),
            _ => Attempt::Failed(error(Kind::Refused)),
        }
    }
}
