//! Pure: the answer of the device authorisation endpoint.

use std::time::Duration;

use serde::Deserialize;

use crate::backend::wire::backend_words;
use crate::error::{Error, Kind, Result};
use crate::secret::Secret;

/// Seconds between two polls if the server names none (RFC 8628 section 3.2).
const INTERVAL: u64 = 5;
/// Seconds that a code lives if the server does not say; the field is required.
const LIFETIME: u64 = 900;
/// The longest life of a code that we believe: a year would be a hang.
const LONGEST_LIFETIME: u64 = 24 * 3600;

/// The answer of the device authorisation endpoint (RFC 8628 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Invitation {
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
    pub(super) fn read(status: u16, body: &[u8]) -> Result<Self> {
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
    pub(super) fn address(&self) -> &str {
        self.verification_uri_complete
            .as_deref()
            .unwrap_or(&self.verification_uri)
    }
}

/// What the server says if it does not do as it was asked.
pub(super) fn refusal(status: u16, body: &[u8]) -> Error {
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
