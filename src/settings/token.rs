//! Pure: the options of a PKCS#11 token become [`TokenSettings`].

use super::{FoundSecret, KeySetting, Origin, Provenance, Resolver, default, not_empty, typed};
use crate::error::{Error, Result};
use crate::key::pkcs11::{DEFAULT_TOKEN_LABEL, Pkcs11Uri, SCHEME, TokenChoice, TokenSettings};
use crate::secret::Secret;
use crate::settings::args::RegisterArgs;
use crate::sota::sota_toml::suits_both;

/// Bytes of a token's label (PKCS#11 `CK_TOKEN_INFO`).
const LABEL_LIMIT: usize = 32;

/// The URI of `--hsm-module`, unless that is a path.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if it is a broken URI.
pub(crate) fn module_uri(args: &RegisterArgs) -> Result<Option<Pkcs11Uri>> {
    args.hsm_module
        .as_ref()
        .map(Secret::expose)
        .filter(|module| module.starts_with(SCHEME))
        .map(|uri| Pkcs11Uri::parse(uri).map_err(Error::setting))
        .transpose()
}

pub(super) fn key_setting(
    r: &mut Resolver<'_>,
    args: &RegisterArgs,
    found_pin: Option<FoundSecret>,
    found_so_pin: Option<FoundSecret>,
) -> Result<KeySetting> {
    let pin = typed(args.hsm_pin.clone()).or(found_pin);
    let so_pin = typed(args.hsm_so_pin.clone()).or(found_so_pin);
    let Some(module) = args
        .hsm_module
        .as_ref()
        .filter(|module| !module.expose().is_empty())
    else {
        return without_module(args, pin.is_some() || so_pin.is_some());
    };
    let uri = module_uri(args)?;
    let module = match &uri {
        None => module.expose().to_owned(),
        Some(uri) => uri.module_path.clone().ok_or_else(|| {
            Error::setting("the PKCS#11 URI of --hsm-module has no module-path")
                .hint("end it with ?module-path=/path/of/the/library.so")
        })?,
    };
    // Only the path: the rest of a URI may hold the PIN.
    let module = r.first("hsm-module", [typed(Some(module))]);
    let module = check_module(module.unwrap_or_default())?;
    let uri = uri.unwrap_or_default();
    let label = token_label(r, args, uri.token)?;
    let pin = pin.ok_or_else(|| {
        Error::setting("the token's user PIN is missing")
            .hint("give --hsm-pin-file FILE, LMP_HSM_PIN, the credential hsm-pin, or --hsm-pin PIN")
    })?;
    r.first(
        "hsm-allow-final-try",
        [
            typed(args.hsm_allow_final_try.then_some(true)),
            Some((false, Origin::Default)),
        ],
    );
    Ok(KeySetting::Token(TokenSettings {
        module,
        choice: TokenChoice {
            label,
            serial: uri.serial,
            manufacturer: uri.manufacturer,
            model: uri.model,
            slot_id: uri.slot_id,
        },
        pin: check_pin(secret(r, "hsm-pin", pin))?,
        so_pin: so_pin
            .map(|pin| check_so_pin(secret(r, "hsm-so-pin", pin)))
            .transpose()?,
        allow_final_try: args.hsm_allow_final_try,
    }))
}

/// Settings of a token without a library never mean a software key.
fn without_module(args: &RegisterArgs, has_pin: bool) -> Result<KeySetting> {
    let what = if has_pin {
        "a PIN is given"
    } else if args.hsm_token_label.is_some() || args.hsm_allow_final_try {
        "an option of a token is given"
    } else {
        return Ok(KeySetting::Software);
    };
    Err(Error::setting(format!("{what}, but no PKCS#11 library"))
        .hint("give --hsm-module PATH too, or leave PINs and token options out for a software key"))
}

/// Notes where a secret came from.
fn secret(r: &mut Resolver<'_>, name: &'static str, (secret, origin): (Secret, Origin)) -> Secret {
    r.provenance.push(Provenance {
        name,
        value: "[secret]".into(),
        origin,
    });
    secret
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

fn token_label(
    r: &mut Resolver<'_>,
    args: &RegisterArgs,
    in_uri: Option<String>,
) -> Result<String> {
    if let (Some(option), Some(uri)) = (&args.hsm_token_label, &in_uri)
        && option != uri
    {
        return Err(Error::setting(format!(
            "--hsm-token-label is {option:?}, but the URI of --hsm-module says token={uri:?}"
        ))
        .hint("leave one of them out"));
    }
    let label = r.first(
        "hsm-token-label",
        [
            typed(not_empty(args.hsm_token_label.clone())),
            typed(not_empty(in_uri)),
            default(DEFAULT_TOKEN_LABEL),
        ],
    );
    let label = label.unwrap_or_default();
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
