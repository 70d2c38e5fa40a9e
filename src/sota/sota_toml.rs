//! Pure: reads `sota.toml`, merges `[p11]` into it, and stays inside what both of its readers
//! take: the update client, which reads it as INI, and the configuration daemon, which reads TOML.

use toml_edit::{Document, Item, RawString, Value};
use zeroize::Zeroizing;

use crate::error::{Flaw, Result};
use crate::key::pkcs11::Ids;
use crate::secret::Secret;

/// A configuration that both readers take. It may hold a PIN.
#[derive(Debug, Clone)]
pub struct SotaToml {
    text: Secret,
    values: Vec<Entry>,
}

/// A text in a section.
#[derive(Debug, Clone)]
struct Entry {
    section: String,
    key: String,
    value: Secret,
}

/// The section that tells both readers about the token.
#[derive(Debug, Clone, Copy)]
pub struct P11<'a> {
    /// Path of the PKCS#11 library.
    pub module: &'a str,
    /// User PIN.
    pub pin: &'a str,
    /// Token label, if it is not the default one.
    pub label: Option<&'a str>,
    /// Id of the private key, two hex digits.
    pub key_id: &'a str,
    /// Id of the certificate, two hex digits.
    pub certificate_id: &'a str,
}

fn unfit(reason: impl std::fmt::Display) -> Flaw {
    Flaw::new(format!("sota.toml does not suit its readers: {reason}"))
}

impl SotaToml {
    /// Reads a configuration.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        // Borrowed, so that the parser copies nothing but the values, and those are taken from it.
        let document = Document::parse(text).map_err(|cause| unfit(cause.message().to_owned()))?;
        check_ini(text)?;
        let mut values = Vec::new();
        for (section, item) in document.into_table() {
            match item {
                Item::Table(table) if !table.is_dotted() => {
                    for (key, item) in table {
                        let value = plain_text(text, &format!("{section}.{key}"), item)?;
                        values.extend(value.map(|value| Entry {
                            section: section.clone(),
                            key,
                            value,
                        }));
                    }
                }
                Item::Value(_) => drop(plain_text(text, &section, item)?),
                _ => return Err(unfit(format!("{section} is no plain section"))),
            }
        }
        Ok(Self {
            text: text.into(),
            values,
        })
    }

    /// The text to write.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.expose()
    }

    /// The string at `section.key`.
    #[must_use]
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.secret(section, key).map(Secret::expose)
    }

    /// The same without a copy.
    #[must_use]
    pub fn secret(&self, section: &str, key: &str) -> Option<&Secret> {
        let wanted = |entry: &&Entry| entry.section == section && entry.key == key;
        self.values.iter().find(wanted).map(|entry| &entry.value)
    }

    /// Checks that nothing is said of a token: its readers would load the library that is named.
    pub fn check_no_token(&self) -> Result<(), Flaw> {
        if self.text().lines().any(|line| line.trim() == P11_HEADER) {
            return Err(unfit("it has a section [p11], and the key is in a file"));
        }
        Ok(())
    }

    /// The ids of the token's objects, if there are any: two hex digits each.
    #[must_use]
    pub fn token_ids(&self) -> Option<Ids> {
        let id = |key| u8::from_str_radix(self.value("p11", key)?, 16).ok();
        Some(Ids {
            key: id("tls_pkey_id")?,
            certificate: id("tls_clientcert_id")?,
        })
    }

    /// URL of the Device Gateway.
    pub fn gateway(&self) -> Result<&str, Flaw> {
        self.value("tls", "server")
            .filter(|server| server.starts_with("https://"))
            .ok_or_else(|| unfit("tls.server is no https URL"))
    }

    /// Checks that everything is there without which a reader fails.
    pub fn check_complete(&self) -> Result<(), Flaw> {
        self.gateway()?;
        if self.value("tls", "ca_source") != Some("file") {
            return Err(unfit("tls.ca_source is not \"file\""));
        }
        let mut required = vec![
            ("tls", "pkey_source"),
            ("storage", "path"),
            ("import", "tls_cacert_path"),
        ];
        if self.value("p11", "module").is_some() {
            required.extend([("p11", "tls_pkey_id"), ("p11", "tls_clientcert_id")]);
        } else {
            required.extend([
                ("import", "tls_pkey_path"),
                ("import", "tls_clientcert_path"),
            ]);
        }
        for (section, key) in required {
            if self.value(section, key).is_none_or(str::is_empty) {
                return Err(unfit(format!("{section}.{key} is missing")));
            }
        }
        Ok(())
    }

    /// This configuration with the token's section. A section that is there already is kept and
    /// its keys are set: a second one would break both readers.
    pub fn with_p11(&self, p11: P11<'_>) -> Result<Self, Flaw> {
        let P11 {
            module,
            pin,
            label,
            key_id,
            certificate_id,
        } = p11;
        let mut pairs = vec![
            ("module", module),
            ("pass", pin),
            ("tls_pkey_id", key_id),
            ("tls_clientcert_id", certificate_id),
        ];
        pairs.extend(label.map(|label| ("label", label)));
        let text = self.text();
        // Values are checked by `suits_both` before anything is created: they need no escapes.
        let lines = pairs
            .iter()
            .map(|(key, value)| [key, " = \"", value, "\"\n"]);
        let room: usize = lines.clone().flatten().map(str::len).sum();
        // A buffer that grows would leave the PIN behind.
        let mut merged = Zeroizing::new(String::with_capacity(text.len() + room + 16));
        let mut in_section = false;
        let mut found = false;
        for line in text.split_inclusive('\n') {
            let plain = line.trim();
            if plain.starts_with('[') {
                in_section = plain == P11_HEADER;
            }
            let key = plain.split_once('=').map(|(key, _)| key.trim_end());
            // A label of the backend's would send the readers to another token.
            let ours = |key| key == "label" || pairs.iter().any(|(name, _)| *name == key);
            if !(in_section && key.is_some_and(ours)) {
                merged.push_str(line);
            }
            if plain == P11_HEADER {
                found = true;
                if !line.ends_with('\n') {
                    merged.push('\n');
                }
                merged.extend(lines.clone().flatten());
            }
        }
        if !found {
            if !text.is_empty() && !text.ends_with('\n') {
                merged.push('\n');
            }
            merged.extend(["\n", P11_HEADER, "\n"]);
            merged.extend(lines.flatten());
        }
        Self::parse(&merged)
    }
}

/// The line that begins the token's section; `check_ini` takes no other spelling.
const P11_HEADER: &str = "[p11]";

/// Whether a PIN or path reads the same for both: INI drops quotes and keeps backslashes.
#[must_use]
pub fn suits_both(value: &str) -> bool {
    !value.is_empty() && !value.contains(['"', '\\']) && !value.chars().any(char::is_control)
}

/// What aktualizr's INI reader fails on, or reads as something else than TOML does.
fn check_ini(text: &str) -> Result<(), Flaw> {
    if text.starts_with('\u{feff}') {
        return Err(unfit("it begins with a byte order mark"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let strange = |what: &str| unfit(format!("line {number} {what}"));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            if !section.strip_suffix(']').is_some_and(is_bare) {
                return Err(strange("is no plain [section]"));
            }
        } else {
            let Some((key, _)) = line.split_once('=') else {
                return Err(strange("is neither a section nor an assignment"));
            };
            // INI has no quotes for keys: they would become part of the name.
            if !is_bare(key.trim_end()) {
                return Err(strange("has no plain key"));
            }
        }
    }
    Ok(())
}

/// A name that needs no quotes (TOML 1.0, "bare key").
fn is_bare(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(plain)
}

/// A value that INI and TOML read alike, if it is a text. Where it stands in `source` is known.
fn plain_text(source: &str, name: &str, item: Item) -> Result<Option<Secret>, Flaw> {
    let value = item
        .into_value()
        .map_err(|_| unfit(format!("{name} is no plain value")))?;
    let written = |span: Option<std::ops::Range<usize>>| source.get(span?);
    let comment = value.decor().suffix().and_then(RawString::span);
    if written(comment).is_some_and(|text| text.contains('#')) {
        return Err(unfit(format!("{name} has a comment on its line")));
    }
    match value {
        Value::String(string) => {
            let basic = written(string.span()).is_some_and(|source| {
                source.starts_with('"') && !source.starts_with("\"\"\"") && !source.contains('\n')
            });
            if !basic {
                return Err(unfit(format!("{name} is not in plain double quotes")));
            }
            Ok(Some(string.into_value().into()))
        }
        Value::Integer(_) | Value::Boolean(_) | Value::Float(_) => Ok(None),
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => {
            Err(unfit(format!("{name} is neither text, number nor boolean")))
        }
    }
}

#[cfg(test)]
mod tests;
