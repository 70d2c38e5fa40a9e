//! Asks the backend: finds it, sends the journal's request, and judges what comes back. An answer
//! leaves this module as [`Untrusted`].

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::request::{body, signing_request};
use crate::backend::http::{Answer, Client, NoAnswer, Request};
use crate::backend::retry::{Attempt, persist};
use crate::backend::wire::backend_words;
use crate::error::{Error, Kind, Result};
use crate::key::DeviceKey;
use crate::report::Reporter;
use crate::settings::Settings;
use crate::sota::files::ANSWER_LIMIT;
use crate::sota::journal::{Identity, Journal, UuidOrigin};

/// Makes sure that the backend answers before a key is made on a token: every status below 500
/// does (401 and 405 are normal). The connection is used again for the request.
pub(super) fn find_backend(
    settings: &Settings,
    client: &Client,
    reporter: &Reporter,
) -> Result<()> {
    persist(settings.retry_for, reporter, || {
        let answer = client.send(Request {
            method: Method::HEAD,
            url: &settings.device_api,
            headers: HeaderMap::new(),
            body: None,
            limit: ANSWER_LIMIT,
        });
        match answer {
            Ok(answer) if answer.status < 500 => Attempt::Done(()),
            Ok(answer) => Attempt::Again(
                Error::new(
                    Kind::Temporary,
                    format!("the backend answered {}", answer.status),
                )
                .hint("run this again later"),
                answer.pause(),
            ),
            Err(NoAnswer { error, .. }) => Attempt::Again(error, None),
        }
    })
}

/// The body of a 201: nobody has looked at it yet.
pub(super) struct Untrusted(pub(super) Vec<u8>);

/// No 201, and whether the device may exist on the backend all the same.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) backend_may_know: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            backend_may_know: true,
        }
    }
}

/// Where a request goes, and what allows it.
pub(super) struct Backend<'a> {
    pub(super) settings: &'a Settings,
    pub(super) client: &'a Client,
    pub(super) headers: HeaderMap,
}

impl Backend<'_> {
    /// What a server said, for people: if it says the token back, that is left out.
    fn without_token(&self, said: &[u8]) -> String {
        // Shorter words of a header are no secret and may be part of any text.
        const SHORTEST: usize = 8;
        let text = String::from_utf8_lossy(said).into_owned();
        self.headers
            .values()
            .filter(|value| value.is_sensitive())
            .filter_map(|value| value.to_str().ok())
            .flat_map(str::split_whitespace)
            .filter(|secret| secret.len() >= SHORTEST)
            .fold(text, |text, secret| text.replace(secret, "[secret]"))
    }
}

/// Sends the journal's request until it is signed, refused, or the deadline has passed.
pub(super) fn ask(
    backend: &Backend<'_>,
    journal: &mut Journal<'_>,
    key: &DeviceKey,
    reporter: &Reporter,
) -> std::result::Result<Untrusted, Failure> {
    let mut may_be_known = journal.record().may_be_known();
    journal.sent()?;
    let asked = persist(backend.settings.retry_for, reporter, || {
        loop {
            let answer = match post(backend, journal) {
                Ok(answer) => answer,
                Err(Unanswered::Ours(error)) => return Attempt::Failed(error),
                Err(Unanswered::Theirs(NoAnswer {
                    error,
                    may_have_arrived,
                })) => {
                    may_be_known |= may_have_arrived;
                    return Attempt::Again(error, None);
                }
            };
            return match judge(backend, answer) {
                Verdict::Signed(body) => Attempt::Done(Untrusted(body)),
                Verdict::Refused(error) => Attempt::Failed(error),
                Verdict::Exists(error) => {
                    let ours = journal.record().plan.identity.uuid_origin == UuidOrigin::Generated;
                    if !(may_be_known && ours) {
                        let uuid = &journal.record().plan.identity.uuid;
                        return Attempt::Failed(error.hint(if may_be_known {
                            format!("delete device {uuid} on the backend and run this again")
                        } else {
                            format!("delete device {uuid} on the backend, or give another --uuid")
                        }));
                    }
                    if let Err(error) = take_new_uuid(journal, key, reporter) {
                        return Attempt::Failed(error);
                    }
                    may_be_known = false;
                    continue;
                }
                Verdict::Busy(error, pause) => Attempt::Again(error, pause),
                Verdict::Unclear(error) => {
                    may_be_known = true;
                    Attempt::Failed(error)
                }
                Verdict::Broken(error, pause) => {
                    may_be_known = true;
                    Attempt::Again(error, pause)
                }
            };
        }
    });
    asked.map_err(|error| Failure {
        error,
        backend_may_know: may_be_known,
    })
}

/// Why there is no answer: we did not ask, or nobody answered.
enum Unanswered {
    Ours(Error),
    Theirs(NoAnswer),
}

fn post(backend: &Backend<'_>, journal: &Journal<'_>) -> std::result::Result<Answer, Unanswered> {
    let body = serde_json::to_vec(&body(journal.record())).map_err(|cause| {
        Unanswered::Ours(Error::bug("the request could not be encoded").because(cause))
    })?;
    let mut headers = backend.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let request = Request {
        method: Method::POST,
        url: &backend.settings.device_api,
        headers,
        body: Some(body),
        limit: ANSWER_LIMIT,
    };
    backend.client.send(request).map_err(Unanswered::Theirs)
}

/// What a status means.
enum Verdict {
    /// 201, and nobody has looked at the body yet.
    Signed(Vec<u8>),
    /// It does not know the device and does not want to.
    Refused(Error),
    /// It knows that UUID already.
    Exists(Error),
    /// It did nothing; later it may.
    Busy(Error, Option<Duration>),
    /// It failed, perhaps after it had signed; another attempt may help.
    Broken(Error, Option<Duration>),
    /// It may have signed, and another attempt would not help.
    Unclear(Error),
}

fn judge(backend: &Backend<'_>, answer: Answer) -> Verdict {
    let pause = answer.pause();
    let Answer {
        status,
        retry_after: _,
        location,
        body,
        truncated,
    } = answer;
    let words = backend_words(backend.without_token(&body).as_bytes());
    let said = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    let error = |kind| Error::new(kind, format!("the backend answered {status}{said}"));
    match status {
        201 if truncated => {
            Verdict::Unclear(Error::answer("the backend's answer is larger than 1 MiB"))
        }
        201 => Verdict::Signed(body),
        200..=299 => Verdict::Unclear(
            error(Kind::Answer).hint("201 was expected: check DEVICE_API and any proxy or portal"),
        ),
        300..=399 => Verdict::Refused(error(Kind::Refused).hint(match location {
            Some(location) => format!(
                "the token is not sent elsewhere; if {:?} is right, set DEVICE_API to it",
                backend.without_token(location.as_bytes())
            ),
            None => "check DEVICE_API".to_owned(),
        })),
        401 | 403 => Verdict::Refused(
            error(Kind::Unauthorised)
                .hint("check the API token: it must be valid and have the scope devices:create"),
        ),
        404 => Verdict::Refused(error(Kind::Refused).hint(format!(
            "check DEVICE_API, which is used verbatim: {:?}",
            backend.settings.device_api.as_str()
        ))),
        409 => Verdict::Exists(error(Kind::Refused)),
        429 => Verdict::Busy(error(Kind::Temporary), pause),
        502..=504 => Verdict::Broken(error(Kind::Temporary).hint("run this again later"), pause),
        500..=599 => Verdict::Unclear(error(Kind::Temporary).hint("run this again later")),
        _ => Verdict::Refused(error(Kind::Refused)),
    }
}

/// The backend knows a UUID that we made up, and will not sign it again: it is given up.
fn take_new_uuid(journal: &mut Journal<'_>, key: &DeviceKey, reporter: &Reporter) -> Result<()> {
    let known = &journal.record().plan.identity;
    let identity = Identity {
        uuid: uuid::Uuid::new_v4().to_string(),
        ..known.clone()
    };
    let csr = signing_request(&identity, key)?;
    let (old, uuid) = (&known.uuid, identity.uuid);
    reporter.warn(&format!(
        "the backend knows device {old} from the interrupted run and does not sign it again: \
         registering as {uuid}; delete {old} on the backend"
    ));
    journal.take_new_uuid(uuid, csr)
}
