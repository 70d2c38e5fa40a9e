//! Writes a device's `sota.toml`. aktualizr reads it as INI and fioconfig as TOML, so only what both
//! take is written: one line per key, no comment behind a value, no key or section twice.

use std::collections::{BTreeMap, btree_map::Entry};
use std::fmt::Write as _;

use toml_edit::Value;

/// What a device asks for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Where the device keeps its keys and certificates, as it said.
    pub(super) sota_dir: PlainText,
    pub(super) hardware_id: PlainText,
    pub(super) use_ostree_server: bool,
    pub(super) overrides: Overrides,
}

/// Why a value cannot be written so that both read the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("section and key can hold only letters, digits, '_' and '-'")]
    Key,
    #[error("a section can hold only letters, digits, '_' and '-'")]
    Section,
    #[error("given twice")]
    Twice,
    #[error("not exactly one TOML value")]
    Syntax,
    #[error("aktualizr reads one plain value per key, not a list or table")]
    Nested,
    #[error("quotes, backslashes and control characters are not possible")]
    Quoting,
}

/// The values that a device asked for, by section and key; `None` leaves the key out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides(BTreeMap<String, BTreeMap<String, Option<String>>>);

impl Overrides {
    /// Adds a value in TOML source; empty source leaves the key out.
    pub(super) fn add(&mut self, section: &str, key: &str, source: &str) -> Result<(), ValueError> {
        if !is_bare_key(section) || !is_bare_key(key) {
            return Err(ValueError::Key);
        }
        let value = if source.is_empty() {
            None
        } else {
            Some(parse_value(source)?)
        };
        match self.0.entry(section.into()).or_default().entry(key.into()) {
            Entry::Occupied(_) => Err(ValueError::Twice),
            Entry::Vacant(slot) => {
                slot.insert(value);
                Ok(())
            }
        }
    }

    /// Accepts a section without keys.
    pub(super) fn add_section(&mut self, section: &str) -> Result<(), ValueError> {
        if !is_bare_key(section) {
            return Err(ValueError::Section);
        }
        self.0.entry(section.into()).or_default();
        Ok(())
    }
}

fn is_bare_key(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Exactly one TOML value, on one line and without a comment.
fn parse_value(source: &str) -> Result<String, ValueError> {
    let value = source.trim_matches([' ', '\t']).parse();
    let value: Value = value.map_err(|_| ValueError::Syntax)?;
    match value {
        Value::String(text) => PlainText::parse(text.value()).map(|text| format!("\"{text}\"")),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Ok(value.decorated("", "").to_string())
        }
        Value::Array(_) | Value::InlineTable(_) => Err(ValueError::Nested),
    }
}

/// Text that both readers take for the same in double quotes: aktualizr drops every quote and keeps
/// backslashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlainText(String);

impl PlainText {
    pub(super) fn parse(text: &str) -> Result<Self, ValueError> {
        if text
            .chars()
            .any(|c| c == '"' || c == '\\' || c.is_control())
        {
            return Err(ValueError::Quoting);
        }
        Ok(Self(text.into()))
    }
}

impl std::fmt::Display for PlainText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Sections with their keys, in the order of the file; a key without a value is left out.
type Sections<'a> = Vec<(&'a str, Vec<(&'a str, Option<String>)>)>;

/// The file's text; the Device Gateway is `https://host:port`.
pub(super) fn render(gateway_url: &str, wanted: &Wanted) -> String {
    let mut sections = Sections::new();
    for (name, key, value) in defaults(gateway_url, wanted) {
        keys_of(&mut sections, name).push((key, value));
    }
    for (name, overrides) in &wanted.overrides.0 {
        let keys = keys_of(&mut sections, name);
        for (key, value) in overrides {
            match keys.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.clone_from(value),
                None => keys.push((key, value.clone())),
            }
        }
    }
    let mut text = String::new();
    for (name, keys) in sections {
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{gap}[{name}]");
        for (key, value) in keys {
            let _ = match value {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} is not set"),
            };
        }
    }
    text
}

/// The keys of a section, which comes last if it is new.
fn keys_of<'s, 'a>(
    sections: &'s mut Sections<'a>,
    name: &'a str,
) -> &'s mut Vec<(&'a str, Option<String>)> {
    let known = sections.iter().position(|(known, _)| *known == name);
    let at = known.unwrap_or(sections.len());
    if at == sections.len() {
        sections.push((name, Vec::new()));
    }
    &mut sections[at].1
}

/// Section, key and value in the order in which the backend that devices know writes them.
fn defaults(
    gateway_url: &str,
    wanted: &Wanted,
) -> [(&'static str, &'static str, Option<String>); 15] {
    // Facts are plain text or a URL of ours, so quotes around them are all that TOML needs.
    let set = |value: &str| Some(format!("\"{value}\""));
    let at = |path: &str| set(&format!("{gateway_url}{path}"));
    let below = |file: &str| set(&format!("{}/{file}", wanted.sota_dir));
    let ostree = wanted.use_ostree_server.then(|| at("/ostree")).flatten();
    [
        ("tls", "server", at("")),
        ("tls", "ca_source", set("file")),
        ("tls", "pkey_source", set("file")),
        ("tls", "cert_source", set("file")),
        ("provision", "server", at("")),
        (
            "provision",
            "primary_ecu_hardware_id",
            set(&wanted.hardware_id.0),
        ),
        ("uptane", "repo_server", at("/repo")),
        ("uptane", "key_source", set("file")),
        ("pacman", "type", set("ostree")),
        ("pacman", "ostree_server", ostree),
        ("storage", "type", set("sqlite")),
        ("storage", "path", below("")),
        ("import", "tls_cacert_path", below("root.crt")),
        ("import", "tls_pkey_path", below("pkey.pem")),
        ("import", "tls_clientcert_path", below("client.pem")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_with(use_ostree_server: bool, overrides: Overrides) -> String {
        let wanted = Wanted {
            sota_dir: PlainText::parse("/var/sota").unwrap(),
            hardware_id: PlainText::parse("raspberrypi4-64").unwrap(),
            use_ostree_server,
            overrides,
        };
        render("https://gw:8443", &wanted)
    }

    #[test]
    fn writes_the_defaults_in_order() {
        let text = render_with(true, Overrides::default());
        assert_eq!(
            text,
            "[tls]\nserver = \"https://gw:8443\"\nca_source = \"file\"\npkey_source = \"file\"\n\
             cert_source = \"file\"\n\n[provision]\nserver = \"https://gw:8443\"\n\
             primary_ecu_hardware_id = \"raspberrypi4-64\"\n\n[uptane]\n\
             repo_server = \"https://gw:8443/repo\"\nkey_source = \"file\"\n\n[pacman]\n\
             type = \"ostree\"\nostree_server = \"https://gw:8443/ostree\"\n\n[storage]\n\
             type = \"sqlite\"\npath = \"/var/sota/\"\n\n[import]\n\
             tls_cacert_path = \"/var/sota/root.crt\"\ntls_pkey_path = \"/var/sota/pkey.pem\"\n\
             tls_clientcert_path = \"/var/sota/client.pem\"\n"
        );
    }

    #[test]
    fn merges_the_overrides_of_a_token_registration() {
        let mut overrides = Overrides::default();
        for (section, key, source) in [
            ("tls", "pkey_source", "\"pkcs11\""),
            ("import", "tls_pkey_path", ""),
            ("storage", "tls_pkey_path", ""),
            ("pacman", "type", "\"ostree+compose_apps\""),
            ("pacman", "reset_apps", "\" \""),
            ("extra", "polling", " 300"),
        ] {
            overrides.add(section, key, source).unwrap();
        }
        let text = render_with(false, overrides);
        for line in [
            "pkey_source = \"pkcs11\"",
            "# tls_pkey_path is not set",
            "type = \"ostree+compose_apps\"\n# ostree_server is not set\nreset_apps = \" \"\n",
            "path = \"/var/sota/\"\n# tls_pkey_path is not set\n",
            "\n[extra]\npolling = 300\n",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        assert!(!text.contains("\"ostree\"\n"));
        text.parse::<toml_edit::DocumentMut>().unwrap();
    }

    #[test]
    fn refuses_what_the_two_readers_would_read_differently() {
        let add =
            |section: &str, key: &str, source: &str| Overrides::default().add(section, key, source);
        for source in [
            "main",
            "300 # seconds",
            "\"a\"\nb = \"c\"",
            "\"a\", \"b\"",
            "\"a\\\"b\"",
            "'back\\slash'",
            "\"\"\"a\nb\"\"\"",
            "[\"a\"]",
            "{ a = 1 }",
            " ",
        ] {
            assert!(add("pacman", "tags", source).is_err(), "{source}");
        }
        assert!(add("pacman]\n[tls", "tags", "1").is_err());
        assert!(add("pacman", "a = 1\nb", "1").is_err());
        assert!(add("pacman", "tags", "'single'").is_ok());
    }
}
