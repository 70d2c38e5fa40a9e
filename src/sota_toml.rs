//! Pure: reads `sota.toml`, merges `[p11]` into it, and stays inside what both of its readers
//! take: the update client, which reads it as INI, and the configuration daemon, which reads TOML.

use std::fmt::Write as _;

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::error::{Error, Result};
use crate::key::Ids;

/// A configuration that both readers take.
#[derive(Debug, Clone)]
pub struct SotaToml {
    text: String,
    document: DocumentMut,
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

fn unfit(reason: impl std::fmt::Display) -> Error {
    Error::answer(format!("sota.toml does not suit its readers: {reason}"))
}

impl SotaToml {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`crate::error::Kind::Answer`] if either reader would fail or misread a line.
    pub fn parse(text: &str) -> Result<Self> {
        let document: DocumentMut = text
            .parse()
            .map_err(|cause: toml_edit::TomlError| unfit(cause.message().to_owned()))?;
        check_ini(text)?;
        check_values(document.as_table())?;
        Ok(Self {
            text: text.to_owned(),
            document,
        })
    }

    /// The text to write.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The string at `section.key`.
    #[must_use]
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.document.get(section)?.get(key)?.as_str()
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
    ///
    /// # Errors
    /// [`crate::error::Kind::Answer`] if there is none.
    pub fn gateway(&self) -> Result<&str> {
        self.value("tls", "server")
            .filter(|server| server.starts_with("https://"))
            .ok_or_else(|| unfit("tls.server is no https URL"))
    }

    /// Checks that everything is there without which a reader fails.
    ///
    /// # Errors
    /// [`crate::error::Kind::Answer`] naming the first key that is missing.
    pub fn check_complete(&self) -> Result<()> {
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
    ///
    /// # Errors
    /// [`crate::error::Kind::Answer`] if `p11` is there but no section.
    pub fn with_p11(&self, p11: P11<'_>) -> Result<Self> {
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
        if self.document.contains_key("p11") {
            let mut document = self.document.clone();
            let section = document["p11"]
                .as_table_mut()
                .ok_or_else(|| unfit("p11 is no section"))?;
            // A label of the backend's would send the readers to another token.
            section.remove("label");
            for (key, value) in pairs {
                section.insert(key, toml_edit::value(value));
            }
            return Self::parse(&document.to_string());
        }
        let mut text = self.text.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str("\n[p11]\n");
        for (key, value) in pairs {
            // Values are checked by `suits_both` before anything is created.
            let _ = writeln!(text, "{key} = \"{value}\"");
        }
        Self::parse(&text)
    }
}

/// Whether a PIN or path reads the same for both: INI drops quotes and keeps backslashes.
#[must_use]
pub fn suits_both(value: &str) -> bool {
    !value.is_empty() && !value.contains(['"', '\\']) && !value.chars().any(char::is_control)
}

/// What aktualizr's INI reader fails on, or reads as something else than TOML does.
fn check_ini(text: &str) -> Result<()> {
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

/// Values that INI and TOML read alike.
fn check_values(root: &Table) -> Result<()> {
    for (name, item) in root {
        match item {
            Item::Table(section) if !section.is_dotted() => {
                for (key, item) in section {
                    check_value(&format!("{name}.{key}"), item)?;
                }
            }
            Item::Value(_) => check_value(name, item)?,
            _ => return Err(unfit(format!("{name} is no plain section"))),
        }
    }
    Ok(())
}

fn check_value(name: &str, item: &Item) -> Result<()> {
    let Item::Value(value) = item else {
        return Err(unfit(format!("{name} is no plain value")));
    };
    let comment = value.decor().suffix().and_then(|suffix| suffix.as_str());
    if comment.is_some_and(|text| text.contains('#')) {
        return Err(unfit(format!("{name} has a comment on its line")));
    }
    match value {
        Value::String(string) => {
            let source = string.as_repr().and_then(|repr| repr.as_raw().as_str());
            // No source: the value was set by us, as a basic string.
            let basic = source.is_none_or(|source| {
                source.starts_with('"') && !source.starts_with("\"\"\"") && !source.contains('\n')
            });
            if !basic {
                return Err(unfit(format!("{name} is not in plain double quotes")));
            }
        }
        Value::Integer(_) | Value::Boolean(_) | Value::Float(_) => {}
        Value::Datetime(_) | Value::Array(_) | Value::InlineTable(_) => {
            return Err(unfit(format!("{name} is neither text, number nor boolean")));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "sota_toml/tests.rs"]
mod tests;
