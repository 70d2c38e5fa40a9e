//! Who is calling: the API token in `OSF-TOKEN`, or a bearer token, which clients of this API encode
//! in base64 once more.

use std::fmt;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::reply::Reply;
use crate::secret::Secret;
use crate::store::Store;
use crate::time::Timestamp;

const API_TOKEN: &str = "OSF-TOKEN";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Somebody with a valid token.
#[derive(Debug)]
pub(crate) enum Caller {
    /// With an API token, by the name that it was created with.
    ApiToken { name: String },
    /// A device that a person approved. Its access token is for one UUID and to register only.
    Device { uuid: String },
}

impl<S> FromRequestParts<S> for Caller
where
    Store: FromRef<S>,
    S: Sync,
{
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reply> {
        let denied = || Reply::message(StatusCode::UNAUTHORIZED, "a valid API token is needed");
        let store = Store::from_ref(state);
        let token = presented(&parts.headers).ok_or_else(denied)?;
        if let Some(name) = store.token_name(&token).await? {
            return Ok(Self::ApiToken { name });
        }
        let client = store.access_token_client(&token, Timestamp::now()).await?;
        client.map(|uuid| Self::Device { uuid }).ok_or_else(denied)
    }
}

impl Caller {
    /// Whether the caller may register a UUID.
    pub(crate) fn may_register(&self, wanted: &str) -> Result<(), Reply> {
        match self {
            Self::Device { uuid } if uuid != wanted => Err(Reply::message(
                StatusCode::FORBIDDEN,
                "this token is for another device",
            )),
            Self::Device { .. } | Self::ApiToken { .. } => Ok(()),
        }
    }
}

/// Somebody who may list devices: whoever has an API token.
#[derive(Debug)]
pub(crate) struct Lister;

impl<S> FromRequestParts<S> for Lister
where
    Store: FromRef<S>,
    S: Sync,
{
    type Rejection = Reply;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Reply> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::ApiToken { .. } => Ok(Self),
            Caller::Device { .. } => Err(Reply::message(
                StatusCode::FORBIDDEN,
                "this token cannot list devices",
            )),
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
