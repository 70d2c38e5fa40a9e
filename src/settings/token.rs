//! Pure: the options of a PKCS#11 token become [`TokenSettings`].

use super::checks::not_empty;
use super::origin::{FoundSecret, Origin};
use super::resolver::Resolver;
use crate::error::{Error, Result};
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Pkcs11Uri, SCHEME, TokenChoice, TokenSettings};
use crate::secret::Secret;
use crate::sota::sota_toml::suits_both;

/// Bytes of a token's label (PKCS#11 `CK_TOKEN_INFO`).
const LABEL_LIMIT: usize = 32;

/// Where the device's private key lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySetting {
    /// In `pkey.pem`.
    Software,
    /// On a PKCS#11 token.
    Token(TokenSettings),
}

/// The URI of `--hsm-module`, unless that is a path.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if it is a broken URI.
pub(super) fn module_uri(module: &Secret) -> Result<Option<Pkcs11Uri>> {
    let uri = Some(module.expose()).filter(|module| module.starts_with(SCHEME));
    uri.map(Pkcs11Uri::parse)
        .transpose()
        .map_err(Error::setting)
}

pub(super) fn key_setting(
    r: &mut Resolver<'_>,
    pin: Option<FoundSecret>,
    so_pin: Option<FoundSecret>,
) -> Result<KeySetting> {
    let module = r.sources.first(|o| &o.register.hsm_module);
    let Some((module, origin)) = module.filter(|(module, _)| !module.expose().is_empty()) else {
        return without_module(r, pin.is_some() || so_pin.is_some());
    };
    let uri = module_uri(module)?;
    let module = match &uri {
        None => module.expose().to_owned(),
        Some(uri) => uri.module_path.clone().ok_or_else(|| {
            Error::setting("the PKCS#11 URI of --hsm-module has no module-path")
                .hint("end it with ?module-path=/path/of/the/library.so")
        })?,
    };
    // Only the path: the rest of a URI may hold the PIN.
    r.record("hsm-module", module.clone(), origin);
    let module = check_module(module)?;
    let uri = uri.unwrap_or_default();
    let label = token_label(r, uri.token, origin)?;
    let pin = pin.ok_or_else(|| {
        Error::setting("the token's user PIN is missing")
            .hint("give --hsm-pin-file FILE, LMP_HSM_PIN, the credential hsm-pin, or --hsm-pin PIN")
    })?;
    Ok(KeySetting::Token(TokenSettings {
        module,
        choice: TokenChoice {
            label,
            serial: uri.serial,
            manufacturer: uri.manufacturer,
            model: uri.model,
            slot_id: uri.slot_id,
        },
        allow_final_try: r.value("hsm-allow-final-try", |o| &o.register.hsm_allow_final_try),
        pin: check_pin(r.secret("hsm-pin", pin))?,
        so_pin: so_pin
            .map(|pin| check_so_pin(r.secret("hsm-so-pin", pin)))
            .transpose()?,
    }))
}

/// Settings of a token without a library never mean a software key.
fn without_module(r: &Resolver<'_>, has_pin: bool) -> Result<KeySetting> {
    let label = r.sources.first(|o| &o.register.hsm_token_label);
    let what = if has_pin {
        "a PIN is given"
    } else if label.is_some() || r.sources.is_on(|o| &o.register.hsm_allow_final_try) {
        "an option of a token is given"
    } else {
        return Ok(KeySetting::Software);
    };
    Err(Error::setting(format!("{what}, but no PKCS#11 library"))
        .hint("give --hsm-module PATH too, or leave PINs and token options out for a software key"))
}

fn check_module(module: String) -> Result<String> {
    if !module.starts_with('/') {
        return Err(Error::setting(format!(
            "the PKCS#11 library {module:?} is not given by an absolute path"
        ))
        .hint("give --hsm-module /path/of/the/library.so"));
    }
    if !fits_configuration(&module) {
        return Err(Error::setting(format!(
            "the path of the PKCS#11 library {module:?} cannot be written to sota.toml: the update \
             client and fioconfig would read it differently"
        ))
        .hint("use a path without quotes, backslashes and control characters"));
    }
    Ok(module)
}

/// `uri` is where `in_uri` came from.
fn token_label(r: &mut Resolver<'_>, in_uri: Option<String>, uri: &Origin) -> Result<String> {
    let option = r.sources.first(|o| &o.register.hsm_token_label);
    if let (Some((option, _)), Some(uri)) = (option, &in_uri)
        && option != uri
    {
        return Err(Error::setting(format!(
            "--hsm-token-label is {option:?}, but the URI of --hsm-module says token={uri:?}"
        ))
        .hint("leave one of them out"));
    }
    let (label, origin) = option
        .filter(|(label, _)| !label.is_empty())
        .map(|(label, origin)| (label.clone(), origin))
        .or_else(|| not_empty(in_uri).map(|label| (label, uri)))
        .unwrap_or_else(|| (DEFAULT_TOKEN_LABEL.to_owned(), &Origin::Default));
    r.record("hsm-token-label", label.clone(), origin);
    if label.len() > LABEL_LIMIT || !fits_configuration(&label) {
        return Err(Error::setting(format!(
            "{label:?} cannot be a token's label here"
        ))
        .hint(
            "a label has at most 32 bytes and no quote, backslash, control character or space at \
             its ends",
        ));
    }
    Ok(label)
}

/// The INI reader drops white space at the ends of a value, too.
fn fits_configuration(value: &str) -> bool {
    suits_both(value) && value.trim() == value
}

fn check_pin(pin: Secret) -> Result<Secret> {
    if fits_configuration(pin.expose()) {
        return Ok(pin);
    }
    Err(Error::setting(
        "the user PIN cannot be written to sota.toml: the update client and fioconfig would read \
         it differently",
    )
    .hint("use a PIN without quotes, backslashes, control characters and white space at its ends"))
}

fn check_so_pin(pin: Secret) -> Result<Secret> {
    if pin.expose().is_empty() || pin.expose().chars().any(char::is_control) {
        return Err(Error::setting(
            "the security officer PIN is empty or has a control character",
        ));
    }
    Ok(pin)
}
