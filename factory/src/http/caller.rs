//! Who is calling: the API token in `OSF-TOKEN`, or a bearer token, which clients of this API encode
//! in base64 once more.

use std::fmt;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::reply::Reply;
use crate::app::Factory;
use crate::secret::Secret;
use crate::time::now_millis;

const API_TOKEN: &str = "OSF-TOKEN";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The caller, or the 401 to answer.
pub(crate) async fn authorise(factory: &Factory, headers: &HeaderMap) -> Result<Caller, Reply> {
    let denied = || Reply::message(StatusCode::UNAUTHORIZED, "a valid API token is needed");
    let token = presented(headers).ok_or_else(denied)?;
    if let Some(name) = factory.database.token_name(&token).await? {
        return Ok(Caller::ApiToken { name });
    }
    let client = factory.database.access_token_client(&token, now_millis());
    match client.await? {
        Some(uuid) => Ok(Caller::Device { uuid }),
        None => Err(denied()),
    }
}

/// Somebody with a valid token.
#[derive(Debug)]
pub(crate) enum Caller {
    /// With an API token, by the name that it was created with.
    ApiToken { name: String },
    /// A device that a person approved. Its access token is for one UUID and to register only.
    Device { uuid: String },
}

impl Caller {
    /// Whether the caller may list devices.
    pub(crate) fn may_list(&self) -> Result<(), Reply> {
        match self {
            Self::ApiToken { .. } => Ok(()),
            Self::Device { .. } => Err(out_of_scope("this token cannot list devices")),
        }
    }

    /// Whether the caller may register a UUID.
    pub(crate) fn may_register(&self, wanted: &str) -> Result<(), Reply> {
        match self {
            Self::Device { uuid } if uuid != wanted => {
                Err(out_of_scope("this token is for another device"))
            }
            Self::Device { .. } | Self::ApiToken { .. } => Ok(()),
        }
    }
}

/// Fit for a log.
impl fmt::Display for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiToken { name } => write!(formatter, "API token '{name}'"),
            Self::Device { .. } => formatter.write_str("device grant"),
        }
    }
}

fn out_of_scope(why: &str) -> Reply {
    Reply::message(StatusCode::FORBIDDEN, why)
}

fn presented(headers: &HeaderMap) -> Option<Secret> {
    if let Some(value) = headers.get(API_TOKEN) {
        return Some(Secret::presented(value.to_str().ok()?.into()));
    }
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let token = BASE64.decode(encoded.trim()).ok()?;
    String::from_utf8(token).ok().map(Secret::presented)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        presented(&headers).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn both_headers_carry_the_token() {
        assert_eq!(token("osf-token", "abc").as_deref(), Some("abc"));
        assert_eq!(
            token("authorization", "Bearer YWJjZA==").as_deref(),
            Some("abcd")
        );
        assert_eq!(
            token("authorization", "bearer YWJjZA").as_deref(),
            Some("abcd")
        );
        assert_eq!(token("authorization", "Bearer %%%"), None);
        assert_eq!(token("authorization", "Basic YWJjZA=="), None);
        assert_eq!(token("authorization", "Bearer"), None);
    }
}
