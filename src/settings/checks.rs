//! What a value must be before anything is done with it.

use reqwest::Url;

use super::origin::Origin;
use crate::error::{Error, Result};

/// The most characters that CN and OU may have (RFC 5280 appendix A, ub-common-name and
/// ub-organizational-unit-name).
pub(crate) const NAME_LIMIT: usize = 64;

pub(super) fn not_empty(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

pub(super) fn missing(what: &str, remedy: &'static str) -> Error {
    Error::setting(format!("no {what} is set")).hint(format!("give {remedy}"))
}

pub(super) fn check_factory(factory: Option<String>) -> Result<String> {
    let remedy = "--factory NAME, DEVICE_FACTORY, or LMP_FACTORY in os-release";
    let factory = factory.ok_or_else(|| missing("factory", remedy))?;
    if factory.is_empty() || factory == "lmp" {
        return Err(Error::setting(format!(
            "the factory {factory:?} is none that a device can be registered with"
        ))
        .hint(format!("give {remedy}")));
    }
    check_subject("factory", &factory)?;
    Ok(factory)
}

/// CN and OU must fit RFC 5280's limits, and be text that a person can read.
fn check_subject(what: &str, text: &str) -> Result<()> {
    let length = text.chars().count();
    if length > NAME_LIMIT {
        return Err(Error::setting(format!(
            "the {what} has {length} characters; a certificate holds at most {NAME_LIMIT}"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::setting(format!(
            "the {what} {text:?} has a control character"
        )));
    }
    Ok(())
}

/// Checks a UUID that somebody chose.
///
/// # Errors
/// Empty, too long, with control characters, or (if `strict`) not 8-4-4-4-12 hex digits.
pub(crate) fn check_uuid(uuid: &str, strict: bool) -> Result<()> {
    if uuid.is_empty() {
        return Err(Error::setting("the UUID is empty"));
    }
    check_subject("UUID", uuid)?;
    if strict && !is_uuid(uuid) {
        return Err(Error::setting(format!(
            "{uuid:?} is no UUID: it takes 8-4-4-4-12 hexadecimal digits"
        ))
        .hint("give --validate-uuid 0 if the backend takes other identifiers"));
    }
    Ok(())
}

/// 8-4-4-4-12 hexadecimal digits.
#[must_use]
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// A URL that HTTP can be spoken to.
pub(super) fn check_url(what: &str, origin: &Origin, text: &str) -> Result<Url> {
    // A query may hold a secret.
    let shown = text.split('?').next().unwrap_or_default();
    let wrong = |reason: &str| {
        Error::setting(format!("{what} is {shown:?} ({origin}), which {reason}")).hint(format!(
            "give --{what} URL with an address like https://api.example.com/ota/devices/"
        ))
    };
    let url = Url::parse(text).map_err(|cause| wrong("is no URL").because(cause))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            Error::setting(format!("{what} ({origin}) holds a user name or password"))
                .hint("give the token with --api-token-file"),
        );
    }
    Ok(url)
}
