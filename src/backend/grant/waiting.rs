//! Pure: the device grant (RFC 8628) as a state machine. Time is handed in; `grant` does the
//! talking and the waiting.

use std::time::Duration;

use serde::Deserialize;

use super::invitation::Invitation;
use crate::backend::censor::Censor;
use crate::backend::wire::answered;
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// Seconds that `slow_down` adds, for good (RFC 8628 section 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The longest pause after connections that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a poll brought.
#[derive(Debug, Clone, Copy)]
pub(super) enum Poll<'a> {
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
pub(super) enum Next {
    /// Poll after this pause.
    PollAfter(Duration),
    /// The access token.
    Granted(Secret),
}

/// A grant that is being waited for.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    interval: Duration,
    pause: Duration,
    deadline: Duration,
    /// The last poll had no answer, which may have been the token: a code is good for one.
    unanswered: bool,
    censor: Censor,
}

#[derive(Deserialize)]
struct TokenFields {
    access_token: Option<String>,
    error: Option<String>,
}

impl Waiting {
    /// Begins to wait at `now`, a time on any clock that does not jump.
    #[must_use]
    pub(super) fn new(invitation: &Invitation, now: Duration) -> Self {
        Self {
            interval: invitation.interval,
            pause: invitation.interval,
            deadline: now + invitation.expires_in,
            unanswered: false,
            censor: Censor::default().and(&invitation.device_code),
        }
    }

    /// The first pause.
    #[must_use]
    pub(super) fn first_pause(&self) -> Duration {
        self.interval
    }

    /// How long the code still lives.
    #[must_use]
    pub(super) fn left(&self, now: Duration) -> Duration {
        self.deadline.saturating_sub(now)
    }

    /// Takes what a poll brought at `now`.
    ///
    /// # Errors
    /// [`Kind::Unauthorised`] when it was denied or the code expired, [`Kind::Refused`] for every
    /// other error of the server (RFC 8628 section 3.5).
    pub(super) fn take(&mut self, poll: Poll<'_>, now: Duration) -> Result<Next> {
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
            // A person's approval is not lost by a server that stumbles.
            Poll::Answer {
                status: 429 | 500..=599,
                ..
            }
            | Poll::Broken => {
                self.unanswered |= !matches!(poll, Poll::Answer { status: 429, .. });
                self.pause = (self.pause * 2).min(LONGEST_PAUSE).max(self.interval);
            }
            // Another success may hold the token.
            Poll::Answer {
                status: status @ 200..=299,
                ..
            } => return Err(refusal(status, b"", &self.censor)),
            Poll::Answer { status, body } => return Err(refusal(status, body, &self.censor)),
        }
        // A poll after the end could only be told that it is the end.
        if now + self.pause >= self.deadline {
            return Err(self.ended());
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
            Some("expired_token") => return Err(self.ended()),
            Some("invalid_grant") if self.unanswered => return Err(self.ended()),
            _ => return Err(refusal(400, body, &self.censor)),
        }
        self.unanswered = false;
        self.pause = self.interval;
        Ok(())
    }

    /// The code is of no use any more.
    fn ended(&self) -> Error {
        if self.unanswered {
            return Error::new(
                Kind::Temporary,
                "the authorisation server did not answer, and the code is of no use any more",
            )
            .hint("run this again for a new code");
        }
        Error::new(
            Kind::Unauthorised,
            "nobody approved the registration before its code expired",
        )
        .hint("run this again for a new code")
    }
}

/// What the server says if it does not do as it was asked.
pub(super) fn refusal(status: u16, body: &[u8], censor: &Censor) -> Error {
    let kind = match status {
        401 | 403 => Kind::Unauthorised,
        429 | 500.. => Kind::Temporary,
        _ => Kind::Refused,
    };
    Error::new(kind, answered("authorisation server", status, body, censor))
        .hint("check OAUTH_BASE and the factory's name")
}

#[cfg(test)]
mod tests;
