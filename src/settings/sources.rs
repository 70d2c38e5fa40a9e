//! Reads what settings are made of: variables, files, credentials. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::args::RegisterArgs;
use super::layers::{self, Layer, Layers};
use super::os_release::OsRelease;
use super::{FoundSecret, OS_RELEASE, Origin, module_uri};
use crate::board::process::{HSM_PIN_VARIABLE, HSM_SO_PIN_VARIABLE};
use crate::error::{Error, Result};
use crate::key::pkcs11::UriPin;
use crate::secret::Secret;
use crate::sota::directory::{Directory, is_there, read_text};

/// The variables that mean something to us.
const VARIABLES: [&str; 4] = ["DEVICE_FACTORY", "PRODUCTION", "OAUTH_BASE", "DEVICE_API"];
/// The most bytes of a file with settings or a secret.
const TEXT_LIMIT: usize = 64 * 1024;

/// The variables of this process that mean something to us.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if one of them is not UTF-8.
pub(crate) fn environment() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            let value = value.into_string().map_err(|value| {
                Error::setting(format!("the variable {name} is not UTF-8: {value:?}"))
            })?;
            found.insert(name.to_owned(), value);
        }
    }
    Ok(found)
}

/// Reads os-release; a device without one has no defaults, which is no error by itself.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if it is there and unreadable, or was asked for and is not there.
pub(crate) fn os_release(path: Option<&Path>) -> Result<OsRelease> {
    let default = Path::new(OS_RELEASE);
    if path.is_none() && !default.exists() {
        return Ok(OsRelease::default());
    }
    read_text(path.unwrap_or(default), TEXT_LIMIT).map(|text| OsRelease::parse(&text))
}

/// The API token from `--api-token-file`, if that is given: its first line.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if the file is unreadable or its first line empty.
pub(crate) fn api_token(args: &RegisterArgs) -> Result<Option<FoundSecret>> {
    let Some(path) = &args.api_token_file else {
        return Ok(None);
    };
    let (token, origin) = secret_file(path)
        .map_err(|error| error.hint("write the API token into its first line, alone"))?;
    // White space around a token is never part of it.
    Ok(Some((Secret::from(token.expose().trim()), origin)))
}

/// The API token that systemd hands over as a credential, as a layer of settings: it counts for
/// more than the files that `auto` knows.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a directory whose name is not UTF-8.
pub(crate) fn credentials() -> Result<Option<Layer>> {
    const API_TOKEN: &str = "api-token";
    let Some(path) = credential_path(API_TOKEN) else {
        return Ok(None);
    };
    let file = path.to_str().ok_or_else(|| {
        Error::setting(format!("CREDENTIALS_DIRECTORY is no UTF-8 path: {path:?}"))
    })?;
    Ok(Some(Layer {
        origin: Origin::Credential(API_TOKEN),
        values: BTreeMap::from([("api-token-file".to_owned(), file.into())]),
    }))
}

/// The token's user PIN from `--hsm-pin-file`, the URI, `LMP_HSM_PIN` or the credential `hsm-pin`.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if a file is unreadable or its first line empty, or a PIN is there twice.
pub(crate) fn hsm_pin(args: &RegisterArgs) -> Result<Option<FoundSecret>> {
    let in_uri = module_uri(args)?.and_then(|uri| uri.pin);
    if in_uri.is_some() && (args.hsm_pin.is_some() || args.hsm_pin_file.is_some()) {
        return Err(Error::setting(
            "the URI of --hsm-module has a PIN, and an option gives one too",
        )
        .hint("leave one of them out"));
    }
    match (&args.hsm_pin, &args.hsm_pin_file, in_uri) {
        (Some(_), ..) => Ok(None),
        (_, Some(path), _) => secret_file(path).map(Some),
        (.., Some(UriPin::Value(pin))) => Ok(Some((pin, Origin::CommandLine))),
        (.., Some(UriPin::File(path))) => secret_file(&path).map(Some),
        (None, None, None) => variable_or_credential(HSM_PIN_VARIABLE, "hsm-pin"),
    }
}

/// The security officer PIN from `--hsm-so-pin-file`, `LMP_HSM_SO_PIN` or the credential
/// `hsm-so-pin`.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if a file is unreadable or its first line empty.
pub(crate) fn hsm_so_pin(args: &RegisterArgs) -> Result<Option<FoundSecret>> {
    match (&args.hsm_so_pin, &args.hsm_so_pin_file) {
        (Some(_), _) => Ok(None),
        (None, Some(path)) => secret_file(path).map(Some),
        (None, None) => variable_or_credential(HSM_SO_PIN_VARIABLE, "hsm-so-pin"),
    }
}

/// The token's user PIN from `file`, `LMP_HSM_PIN` or the credential `hsm-pin`.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if the file is unreadable or its first line empty.
pub(crate) fn hsm_pin_of(file: Option<&Path>) -> Result<Option<Secret>> {
    let found = match file {
        Some(path) => Some(secret_file(path)?),
        None => variable_or_credential(HSM_PIN_VARIABLE, "hsm-pin")?,
    };
    Ok(found.map(|(pin, _)| pin))
}

/// An empty variable is one that is not set.
fn variable_or_credential(
    variable: &'static str,
    credential_name: &'static str,
) -> Result<Option<FoundSecret>> {
    let Some(value) = secret_variable(variable) else {
        return credential(credential_name);
    };
    // The value is not quoted: it is a secret, however it is spelt.
    let value = std::str::from_utf8(&value)
        .map_err(|_| Error::setting(format!("the variable {variable} is not UTF-8")))?;
    Ok(Some((Secret::from(value), Origin::Environment(variable))))
}

/// The environment itself stays as it is: to change it takes unsafe code, and the kernel shows what
/// a process was started with in any case. Programs that we start do not get it.
fn secret_variable(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let value = Zeroizing::new(std::env::var_os(name)?.into_encoded_bytes());
    (!value.is_empty()).then_some(value)
}

/// What systemd's `LoadCredential=` hands over.
fn credential(name: &'static str) -> Result<Option<FoundSecret>> {
    let Some(path) = credential_path(name) else {
        return Ok(None);
    };
    first_line(&path).map(|secret| Some((secret, Origin::Credential(name))))
}

fn credential_path(name: &str) -> Option<PathBuf> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty())?;
    Some(Path::new(&directory).join(name)).filter(|path| is_there(path))
}

fn secret_file(path: &Path) -> Result<FoundSecret> {
    first_line(path).map(|secret| (secret, Origin::File(path.to_owned())))
}

/// The first line of a file with a secret, without its end: white space may belong to it.
fn first_line(path: &Path) -> Result<Secret> {
    let text = read_text(path, TEXT_LIMIT)?;
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(Secret::from(line)),
        _ => Err(Error::setting(format!(
            "the first line of {path:?} is empty"
        ))),
    }
}

/// Directory of `config.toml` and `conf.d`.
const CONFIGURATION: &str = "/etc/lmp-device-register";

/// The configuration files: `config.toml`, and above it `conf.d/*.toml` in the order of names,
/// later ones winning.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a file that cannot be read or sets an unknown option, or if a
/// directory was asked for and is not there.
pub(crate) fn configuration(directory: Option<&Path>) -> Result<Layers> {
    let mut layers = Layers::default();
    let typed = directory.is_some();
    let directory = directory.unwrap_or(Path::new(CONFIGURATION));
    if !directory.is_dir() {
        if typed {
            return Err(Error::setting(format!("{directory:?} is no directory"))
                .hint("give --config-dir DIR with the directory of config.toml"));
        }
        return Ok(layers);
    }
    let mut paths = vec![directory.join("config.toml")];
    let parts = directory.join("conf.d");
    if parts.is_dir() {
        let mut names = Directory::open(&parts)?.names()?;
        names.retain(|name| !name.starts_with('.') && name.strip_suffix(".toml").is_some());
        names.sort_unstable();
        paths.extend(names.into_iter().map(|name| parts.join(name)));
    }
    for path in paths.into_iter().filter(|path| is_there(path)) {
        let text = read_text(&path, TEXT_LIMIT)?;
        layers.push_above(layers::parse(&path, &text)?);
    }
    Ok(layers)
}

/// The options that variables of the environment set, so that files do not.
#[must_use]
pub(crate) fn options_of_environment() -> BTreeSet<&'static str> {
    [
        ("DEVICE_FACTORY", "factory"),
        ("PRODUCTION", "production"),
        (HSM_PIN_VARIABLE, "hsm-pin"),
        (HSM_SO_PIN_VARIABLE, "hsm-so-pin"),
    ]
    .into_iter()
    .filter(|(variable, _)| {
        // An empty PIN is one that is not set; the others are then errors.
        if [HSM_PIN_VARIABLE, HSM_SO_PIN_VARIABLE].contains(variable) {
            secret_variable(variable).is_some()
        } else {
            std::env::var_os(variable).is_some()
        }
    })
    .map(|(_, option)| option)
    .collect()
}
