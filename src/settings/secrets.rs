//! Secrets: which source of one wins, and the first lines of the files that sources name. Never
//! quotes one.

use std::path::{Path, PathBuf};

use super::files::{TEXT_LIMIT, is_forbidden};
use super::options::{Field, FieldMut, Source, Sources};
use super::origin::{FoundSecret, Origin};
use super::token::module_uri;
use crate::error::{Error, Result};
use crate::key::pkcs11::UriPin;
use crate::secret::Secret;
use crate::sota::directory::{is_there, read_standard_input, read_text};

/// The secrets of a registration, as far as there are any.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    /// The API token.
    pub api_token: Option<FoundSecret>,
    /// The token's user PIN.
    pub hsm_pin: Option<FoundSecret>,
    /// The token's security officer PIN.
    pub hsm_so_pin: Option<FoundSecret>,
}

/// The API token that systemd hands over; it counts for more than any file.
pub(super) fn api_token_credential() -> Option<Source> {
    credential("api-token", |o| &mut o.register.api_token_file)
}

/// The PINs that systemd hands over.
pub(super) fn pin_credentials() -> impl Iterator<Item = Source> {
    let pin = credential("hsm-pin", |o| &mut o.register.hsm_pin_file);
    let so_pin = credential("hsm-so-pin", |o| &mut o.register.hsm_so_pin_file);
    pin.into_iter().chain(so_pin)
}

/// What `LoadCredential=` hands over is a file.
fn credential(name: &'static str, file: FieldMut<PathBuf>) -> Option<Source> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|path| !path.is_empty())?;
    let path = Path::new(&directory).join(name);
    let path = is_there(&path).then_some(path);
    Source::one(Origin::Credential(name), file, path)
}

/// Finds the secrets of a registration.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if a file is unreadable or its first line empty, or a
/// secret is there twice.
pub(super) fn find(sources: &Sources) -> Result<Secrets> {
    let token: Setting = (
        "api-token",
        |o| &o.register.api_token,
        |o| &o.register.api_token_file,
    );
    let so_pin: Setting = (
        "hsm-so-pin",
        |o| &o.register.hsm_so_pin,
        |o| &o.register.hsm_so_pin_file,
    );
    Ok(Secrets {
        api_token: first(sources, token, |path| {
            let line = first_line(path).map_err(|error| {
                error.hint(if is_forbidden(path) {
                    "let this user read it, or run this as one who may"
                } else {
                    "write the API token into its first line, alone"
                })
            })?;
            // White space around a token is never part of it.
            Ok(Secret::from(line.expose().trim()))
        })?,
        hsm_pin: hsm_pin(sources)?,
        hsm_so_pin: first(sources, so_pin, first_line)?
            .map(visible)
            .transpose()?,
    })
}

/// The token's user PIN, which the URI of its library may hold, too.
///
/// # Errors
/// As [`find`].
pub(super) fn hsm_pin(sources: &Sources) -> Result<Option<FoundSecret>> {
    let pin: Setting = (
        "hsm-pin",
        |o| &o.register.hsm_pin,
        |o| &o.register.hsm_pin_file,
    );
    let Some((in_uri, origin)) = uri_pin(sources)? else {
        return first(sources, pin, first_line)?.map(visible).transpose();
    };
    // What nobody wrote down beside the URI gives way to it.
    let passed_on =
        |origin: &Origin| matches!(origin, Origin::Environment(_) | Origin::Credential(_));
    if winner(sources, pin).is_some_and(|source| !passed_on(&source.origin)) {
        return Err(Error::setting(
            "the URI of --hsm-module has a PIN, and an option gives one too",
        )
        .hint("leave one of them out"));
    }
    visible(match in_uri {
        UriPin::Value(pin) => (pin, origin),
        UriPin::File(path) => (first_line(&path)?, Origin::File(path)),
    })
    .map(Some)
}

/// Refuses a PIN with a character that nobody sees, such as an editor's byte order mark: it would
/// spend a try.
fn visible((pin, origin): FoundSecret) -> Result<FoundSecret> {
    let is_invisible = |c: char| {
        let zero_width = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
        zero_width || (c.is_whitespace() && !c.is_ascii())
    };
    if !pin.expose().contains(is_invisible) {
        return Ok((pin, origin));
    }
    Err(Error::setting(format!(
        "the PIN ({origin}) has a byte order mark or another character that nobody sees"
    ))
    .hint("save it as plain text, without such characters"))
}

fn uri_pin(sources: &Sources) -> Result<Option<(UriPin, Origin)>> {
    let Some((module, origin)) = sources.first(|o| &o.register.hsm_module) else {
        return Ok(None);
    };
    let pin = module_uri(module)?.and_then(|uri| uri.pin);
    Ok(pin.map(|pin| (pin, origin.clone())))
}

/// A secret that an option gives, or the file that another option names: its name, both options.
type Setting = (&'static str, Field<Secret>, Field<PathBuf>);

/// The source that wins: to say either is enough.
fn winner(sources: &Sources, (_, value, file): Setting) -> Option<&Source> {
    let says =
        |source: &&Source| value(&source.options).is_some() || file(&source.options).is_some();
    sources.iter().find(says)
}

fn first(
    sources: &Sources,
    setting: Setting,
    read: impl Fn(&Path) -> Result<Secret>,
) -> Result<Option<FoundSecret>> {
    let Some(Source { origin, options }) = winner(sources, setting) else {
        return Ok(None);
    };
    let (name, value, file) = setting;
    match (value(options), file(options)) {
        (None, None) => Ok(None),
        (Some(secret), None) => Ok(Some((secret.clone(), origin.clone()))),
        (None, Some(path)) => {
            // A credential is better known by its name than by the path of the day.
            let origin = match origin {
                Origin::Credential(_) => origin.clone(),
                _ => Origin::File(path.clone()),
            };
            Ok(Some((read(path)?, origin)))
        }
        (Some(_), Some(_)) => Err(Error::setting(format!(
            "{origin} sets both {name} and {name}-file"
        ))
        .hint("leave one of them out")),
    }
}

/// The first line of a file with a secret, or of standard input, without its end: white space may
/// belong to it.
fn first_line(path: &Path) -> Result<Secret> {
    let text = if [Path::new("-"), Path::new("/dev/stdin")].contains(&path) {
        read_standard_input(TEXT_LIMIT)?
    } else {
        read_text(path, TEXT_LIMIT)?
    };
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(Secret::from(line)),
        _ => Err(Error::setting(format!(
            "the first line of {path:?} is empty"
        ))),
    }
}
