//! What variables of the environment say. The environment itself stays as it is: to change it takes
//! unsafe code, and the kernel shows what a process was started with in any case.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::args::RegisterOptions;
use super::options::{FieldMut, Source};
use super::origin::Origin;
use super::words::parse_bool;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The variables that mean something, one source each, where `variable` looks them up. What was
/// `typed` hides a variable, one that makes no sense too.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if one of them is not UTF-8, or `PRODUCTION` is ambiguous.
pub(super) fn sources(
    variable: impl Fn(&'static str) -> Option<OsString>,
    typed: &RegisterOptions,
) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let texts: [(_, FieldMut<String>); 3] = [
        ("DEVICE_FACTORY", |o| &mut o.register.factory),
        ("OAUTH_BASE", |o| &mut o.register.oauth_base),
        ("DEVICE_API", |o| &mut o.register.device_api),
    ];
    for (name, field) in texts {
        let value = text(name, variable(name))?;
        // Empty is not set, but nobody shall meet the vendor's API by an empty variable.
        let value = value.filter(|value| name == "DEVICE_API" || !value.is_empty());
        found.extend(Source::one(Origin::Environment(name), field, value));
    }
    if let Some(value) = text("PRODUCTION", variable("PRODUCTION"))?
        && typed.production.is_none()
    {
        let origin = Origin::Environment("PRODUCTION");
        let field: FieldMut<bool> = |o| &mut o.register.production;
        found.extend(Source::one(origin, field, Some(production(&value)?)));
    }
    if typed.hsm_pin.is_none() && typed.hsm_pin_file.is_none() {
        found.extend(hsm_pin(&variable)?);
    }
    if typed.hsm_so_pin.is_none() && typed.hsm_so_pin_file.is_none() {
        let name = "LMP_HSM_SO_PIN";
        found.extend(secret(name, variable(name), |o| {
            &mut o.register.hsm_so_pin
        })?);
    }
    Ok(found)
}

/// The user PIN of the variable `LMP_HSM_PIN`.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if it is not UTF-8.
pub(super) fn hsm_pin(
    variable: impl Fn(&'static str) -> Option<OsString>,
) -> Result<Option<Source>> {
    let name = "LMP_HSM_PIN";
    secret(name, variable(name), |o| &mut o.register.hsm_pin)
}

/// The text of the variable `name`.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if it is not UTF-8.
pub(super) fn text(name: &str, value: Option<OsString>) -> Result<Option<String>> {
    let text = value.map(OsString::into_string).transpose();
    text.map_err(|value| Error::setting(format!("the variable {name} is not UTF-8: {value:?}")))
}

/// `PRODUCTION` is true when it is set at all; a value that reads as false is refused, since
/// either reading would surprise somebody.
fn production(value: &str) -> Result<bool> {
    if value.is_empty() || parse_bool(value) == Ok(false) {
        return Err(Error::setting(format!(
            "the variable PRODUCTION is set to {value:?}: its presence alone means a production \
             device"
        ))
        .hint("unset PRODUCTION, or say --production 0 or --production 1"));
    }
    Ok(true)
}

/// An empty PIN is one that is not set.
fn secret(
    name: &'static str,
    value: Option<OsString>,
    field: FieldMut<Secret>,
) -> Result<Option<Source>> {
    let value = value.filter(|value| !value.is_empty());
    let text = value.map(OsString::into_string).transpose();
    let text = text.map_err(|value| {
        // The value is not quoted: it is a secret, however it is spelt.
        drop(Zeroizing::new(value.into_encoded_bytes()));
        Error::setting(format!("the variable {name} is not UTF-8"))
    })?;
    let secret = text.map(Secret::from);
    Ok(Source::one(Origin::Environment(name), field, secret))
}
