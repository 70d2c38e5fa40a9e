//! Gets the header that allows a registration: the API token's, or one that a person approves. Never
//! shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::grant::DeviceGrant;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// How the backend learns that this registration is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authorisation {
    /// An API token in a header of its own.
    ApiToken {
        /// The header's name.
        header: String,
        /// The token.
        token: Secret,
    },
    /// A person approves it: the device grant of RFC 8628.
    DeviceGrant {
        /// Base URL of the authorisation server.
        base: Url,
    },
}

/// The header that allows `uuid` to be registered; waits for a person if there is no API token.
///
/// # Errors
/// [`crate::error::Kind::Unauthorised`] if the person denies it or nobody comes, and whatever
/// keeps the authorisation server from answering.
pub(crate) fn authorise<'a>(
    authorisation: &'a Authorisation,
    grant: impl FnOnce(&'a Url) -> DeviceGrant<'a>,
) -> Result<HeaderMap> {
    let (name, value) = match authorisation {
        Authorisation::ApiToken { header, token } => (header.as_str(), token.clone()),
        Authorisation::DeviceGrant { base } => {
            (AUTHORIZATION.as_str(), bearer(&grant(base).obtain()?))
        }
    };
    let unusable = || Error::setting("the token or the name of its header cannot be sent in HTTP");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_tokens_are_encoded_once_more() {
        assert_eq!(bearer(&Secret::from("abc?>")).expose(), "Bearer YWJjPz4=");
    }
}
