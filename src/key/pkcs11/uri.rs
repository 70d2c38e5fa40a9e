//! Pure: reads a PKCS#11 URI (RFC 7512), as `p11tool --list-tokens` prints it, into the attributes
//! that choose a token.
//!
//! What is not understood is refused: an attribute that is ignored would choose more tokens than
//! its writer meant.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::error::{Flaw, Result};
use crate::secret::Secret;

/// How every PKCS#11 URI begins.
pub(crate) const SCHEME: &str = "pkcs11:";

/// The attributes of a URI; `None` means not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    /// `module-path`: path of the library.
    pub module_path: Option<String>,
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `serial`: the token's serial number.
    pub serial: Option<String>,
    /// `manufacturer` of the token.
    pub manufacturer: Option<String>,
    /// `model` of the token.
    pub model: Option<String>,
    /// `slot-id`, decimal.
    pub slot_id: Option<u64>,
    /// `pin-value` or `pin-source`.
    pub pin: Option<UriPin>,
}

/// The user PIN of a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UriPin {
    /// `pin-value`
    Value(Secret),
    /// `pin-source=file:...`
    File(PathBuf),
}

impl Pkcs11Uri {
    /// Reads a URI. It may hold a PIN, so that errors quote the names of attributes only.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong("does not begin with pkcs11:"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        for (name, value) in attributes(path, ';')? {
            let text = || decoded_text(name, value);
            match name {
                "token" => once(&mut uri.token, name, text()?)?,
                "serial" => once(&mut uri.serial, name, text()?)?,
                "manufacturer" => once(&mut uri.manufacturer, name, text()?)?,
                "model" => once(&mut uri.model, name, text()?)?,
                "slot-id" => {
                    let id = text()?.parse();
                    let id = id.map_err(|_| wrong("has a slot-id that is no decimal number"))?;
                    once(&mut uri.slot_id, name, id)?;
                }
                "object" | "id" | "type" => {
                    return Err(wrong(&format!(
                        "names an object with {name:?}; it may name a token only"
                    )));
                }
                _ => return Err(unknown(name)),
            }
        }
        for (name, value) in attributes(query, '&')? {
            match name {
                "module-path" => once(&mut uri.module_path, name, decoded_text(name, value)?)?,
                "pin-value" => {
                    let pin = Secret::from(decoded_text(name, value)?);
                    one_pin(&mut uri.pin, UriPin::Value(pin))?;
                }
                "pin-source" => {
                    let file = UriPin::File(pin_file(&decoded_text(name, value)?)?);
                    one_pin(&mut uri.pin, file)?;
                }
                _ => return Err(unknown(name)),
            }
        }
        Ok(uri)
    }
}

fn wrong(reason: &str) -> Flaw {
    Flaw::new(format!("the PKCS#11 URI of --hsm-module {reason}")).hint(
        "write it like pkcs11:token=aktualizr;serial=0123?module-path=/usr/lib/libpkcs11.so\
         &pin-source=file:/etc/sota/pin",
    )
}

fn unknown(name: &str) -> Flaw {
    wrong(&format!(
        "has an attribute {name:?}, which has no meaning here"
    ))
}

fn attributes(part: &str, separator: char) -> Result<Vec<(&str, &str)>, Flaw> {
    part.split(separator)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            pair.split_once('=')
                .ok_or_else(|| wrong("has an attribute without a value"))
        })
        .collect()
}

/// RFC 7512 section 2.3: no attribute stands twice.
fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), Flaw> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong(&format!("says {name:?} twice"))),
    }
}

/// RFC 7512 section 2.4: `pin-value` and `pin-source` together are to be refused.
fn one_pin(place: &mut Option<UriPin>, pin: UriPin) -> Result<(), Flaw> {
    match place.replace(pin) {
        None => Ok(()),
        Some(_) => Err(wrong("has more than one pin-value or pin-source")),
    }
}

/// A program as source (`|command`) is refused: a setting must not run what it names.
fn pin_file(source: &str) -> Result<PathBuf, Flaw> {
    let path = source.strip_prefix("file:").map(|path| {
        // RFC 8089: file:/a and file:///a are the same file of this machine.
        path.strip_prefix("//").unwrap_or(path)
    });
    match path {
        Some(path) if path.starts_with('/') => Ok(PathBuf::from(path)),
        _ => Err(wrong(
            "has a pin-source that is no file:/absolute/path; commands are not run",
        )),
    }
}

/// Percent-decoding (RFC 3986 section 2.1) to UTF-8.
fn decoded_text(name: &str, value: &str) -> Result<String, Flaw> {
    let damaged = || wrong(&format!("has a damaged percent-encoding in {name:?}"));
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (&[high, low], after) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = digit(high)
            .zip(digit(low))
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(byte.ok_or_else(damaged)?);
        rest = after;
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged())?;
    if text.contains('\0') {
        return Err(damaged());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
