//! Pure: the device grant (RFC 8628) as a state machine. Time is handed in; `authorise` does the
//! talking and the waiting.

use std::time::Duration;

use serde::Deserialize;

use crate::device_api::backend_words;
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// Seconds between two polls if the server names none (RFC 8628 section 3.2).
const INTERVAL: u64 = 5;
/// Seconds that `slow_down` adds, for good (RFC 8628 section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest pause after connections that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Seconds that a code lives if the server does not say; the field is required.
const LIFETIME: u64 = 900;
/// The longest life of a code that we believe: a year would be a hang.
const LONGEST_LIFETIME: u64 = 24 * 3600;

/// The answer of the device authorisation endpoint (RFC 8628 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What we poll with.
    pub device_code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where the person types it.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// How long the code lives.
    pub expires_in: Duration,
    /// Between two polls, at least.
    pub interval: Duration,
}

#[derive(Deserialize)]
struct InvitationFields {
    device_code: Option<String>,
    user_code: Option<String>,
    verification_uri: Option<String>,
    // Some servers still use the draft's name.
    verification_url: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<f64>,
    interval: Option<f64>,
}

impl Invitation {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`Kind::Unauthorised`] for 401 and 403, [`Kind::Temporary`] for 5xx, else
    /// [`Kind::Refused`].
    pub fn read(status: u16, body: &[u8]) -> Result<Self> {
        if status != 200 {
            return Err(refusal(status, body));
        }
        let strange = |what: &str| {
            Error::new(
                Kind::Refused,
                format!("the authorisation server's answer {what}"),
            )
            .hint("check OAUTH_BASE")
        };
        let fields: InvitationFields = serde_json::from_slice(body)
            .map_err(|cause| strange("is not the JSON of RFC 8628").because(cause))?;
        let text = |value: Option<String>, name: &str| {
            value
                .filter(|text| !text.is_empty())
                .ok_or_else(|| strange(&format!("lacks {name}")))
        };
        // Out of range is as good as absent; fractions are rounded up.
        let seconds = |value: Option<f64>, default: u64, limit: u64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "in range"
            )]
            let whole = value
                .filter(|value| *value >= 0.0)
                .map_or(default, |value| value.min(1e9).ceil() as u64);
            Duration::from_secs(whole.clamp(1, limit))
        };
        Ok(Self {
            device_code: Secret::from(text(fields.device_code, "device_code")?),
            user_code: text(fields.user_code, "user_code")?,
            verification_uri: text(
                fields.verification_uri.or(fields.verification_url),
                "verification_uri",
            )?,
            verification_uri_complete: fields
                .verification_uri_complete
                .filter(|address| !address.is_empty()),
            expires_in: seconds(fields.expires_in, LIFETIME, LONGEST_LIFETIME),
            interval: seconds(fields.interval, INTERVAL, LONGEST_LIFETIME),
        })
    }

    /// The address that a QR code should lead to.
    #[must_use]
    pub fn address(&self) -> &str {
        self.verification_uri_complete
            .as_deref()
            .unwrap_or(&self.verification_uri)
    }
}

/// What a poll brought.
#[derive(Debug, Clone, Copy)]
pub enum Poll<'a> {
    /// An answer of the token endpoint.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body.
        body: &'a [u8],
    },
    /// No answer.
    Broken,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Poll after this pause.
    PollAfter(Duration),
    /// The access token.
    Granted(Secret),
}

/// A grant that is being waited for.
#[derive(Debug, Clone)]
pub struct Waiting {
    interval: Duration,
    pause: Duration,
    deadline: Duration,
}

#[derive(Deserialize)]
struct TokenFields {
    access_token: Option<String>,
    error: Option<String>,
}

impl Waiting {
    /// Begins to wait at `now`, a time on any clock that does not jump.
    #[must_use]
    pub fn new(invitation: &Invitation, now: Duration) -> Self {
        Self {
            interval: invitation.interval,
            pause: invitation.interval,
            deadline: now + invitation.expires_in,
        }
    }

    /// The first pause.
    #[must_use]
    pub fn first_pause(&self) -> Duration {
        self.interval
    }

    /// How long the code still lives.
    #[must_use]
    pub fn left(&self, now: Duration) -> Duration {
        self.deadline.saturating_sub(now)
    }

    /// Takes what a poll brought at `now`.
    ///
    /// # Errors
    /// [`Kind::Unauthorised`] when it was denied or the code expired, [`Kind::Refused`] for every
    /// other error of the server (RFC 8628 section 3.5).
    pub fn take(&mut self, poll: Poll<'_>, now: Duration) -> Result<Next> {
        match poll {
            Poll::Answer { status: 200, body } => {
                let fields = serde_json::from_slice::<TokenFields>(body).ok();
                return match fields.and_then(|fields| fields.access_token) {
                    Some(token) if !token.is_empty() => Ok(Next::Granted(Secret::from(token))),
                    _ => Err(Error::new(
                        Kind::Refused,
                        "the authorisation server approved, but its answer lacks access_token",
                    )
                    .hint("check OAUTH_BASE")),
                };
            }
            Poll::Answer { status: 400, body } => self.take_error(body)?,
            // The same statuses as everywhere else are worth another try.
            Poll::Answer {
                status: 429 | 502..=504,
                ..
            }
            | Poll::Broken => {
                self.pause = (self.pause * 2).min(LONGEST_PAUSE).max(self.interval);
            }
            Poll::Answer { status, body } => return Err(refusal(status, body)),
        }
        // A poll after the end could only be told that it is the end.
        if now + self.pause >= self.deadline {
            return Err(expired());
        }
        Ok(Next::PollAfter(self.pause))
    }

    fn take_error(&mut self, body: &[u8]) -> Result<()> {
        let fields = serde_json::from_slice::<TokenFields>(body).ok();
        match fields.and_then(|fields| fields.error).as_deref() {
            Some("authorization_pending") => {}
            Some("slow_down") => self.interval += SLOW_DOWN,
            Some("access_denied") => {
                return Err(
                    Error::new(Kind::Unauthorised, "the registration was denied")
                        .hint("run this again and approve the new code"),
                );
            }
            Some("expired_token") => return Err(expired()),
            _ => return Err(refusal(400, body)),
        }
        self.pause = self.interval;
        Ok(())
    }
}

fn expired() -> Error {
    Error::new(
        Kind::Unauthorised,
        "nobody approved the registration before its code expired",
    )
    .hint("run this again for a new code")
}

fn refusal(status: u16, body: &[u8]) -> Error {
    let words = backend_words(body);
    let kind = match status {
        401 | 403 => Kind::Unauthorised,
        429 | 500.. => Kind::Temporary,
        _ => Kind::Refused,
    };
    let said = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    Error::new(
        kind,
        format!("the authorisation server answered {status}{said}"),
    )
    .hint("check OAUTH_BASE and the factory's name")
}

#[cfg(test)]
#[path = "oauth/tests.rs"]
mod tests;
