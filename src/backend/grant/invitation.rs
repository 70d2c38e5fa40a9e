//! Pure: the answer of the device authorisation endpoint.

use std::time::Duration;

use serde::Deserialize;

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

/// Why an answer is no invitation.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoInvitation {
    #[error("is not the JSON of RFC 8628")]
    Json(#[from] serde_json::Error),
    #[error("lacks {0}")]
    Lacks(&'static str),
    #[error("names a code that ends before it may be asked about")]
    TooShort,
}

impl Invitation {
    /// Reads the body of a 200.
    pub(super) fn parse(body: &[u8]) -> Result<Self, NoInvitation> {
        let fields: InvitationFields = serde_json::from_slice(body)?;
        let text = |value: Option<String>, name| {
            value
                .filter(|text| !text.is_empty())
                .ok_or(NoInvitation::Lacks(name))
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
        let expires_in = seconds(fields.expires_in, LIFETIME, LONGEST_LIFETIME);
        let interval = seconds(fields.interval, INTERVAL, LONGEST_LIFETIME);
        if interval >= expires_in {
            return Err(NoInvitation::TooShort);
        }
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
            expires_in,
            interval,
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
