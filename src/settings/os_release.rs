//! Pure: the text of `/etc/os-release` (os-release(5)) to its values.

use std::collections::BTreeMap;

use super::checks::not_empty;
use super::options::{FieldMut, Source};
use super::origin::Origin;

/// The assignments of an os-release file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OsRelease(BTreeMap<String, String>);

impl OsRelease {
    /// Reads assignments; lines that are none are passed over, as os-release(5) asks of readers.
    /// The last assignment of a name wins, as in a shell.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let assignments = text.lines().filter_map(|line| {
            let (name, value) = line.trim().split_once('=')?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (!name.is_empty() && name.chars().all(plain))
                .then(|| (name.to_owned(), unquote(value.trim())))
        });
        Self(assignments.collect())
    }

    /// The value of `name`, unquoted.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// What os-release says of settings, one source for each value.
pub(super) fn sources(release: &OsRelease) -> Vec<Source> {
    let texts: [(_, FieldMut<String>); 3] = [
        ("LMP_FACTORY", |o| &mut o.register.factory),
        ("LMP_FACTORY_TAG", |o| &mut o.register.tags),
        ("LMP_MACHINE", |o| &mut o.register.hwid),
    ];
    let sources = texts.into_iter().filter_map(|(name, field)| {
        let text = not_empty(release.value(name).map(str::to_owned));
        Source::one(Origin::OsRelease(name), field, text)
    });
    sources.collect()
}

/// Takes off shell quotes: single quotes keep everything, in double quotes and bare words a
/// backslash keeps the next character.
fn unquote(value: &str) -> String {
    let inside = |quote: char| {
        value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    if let Some(literal) = inside('\'') {
        return literal.to_owned();
    }
    let source = inside('"').unwrap_or(value);
    let mut text = String::with_capacity(source.len());
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            text.extend(characters.next());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_bare_or_in_either_quotes() {
        let text = "# comment\nA=bare\nB=\"dou ble\"\nC='sin gle'\nD=\"a\\\"b\\$c\\\\\"\n\nE=\n\
                    not an assignment\nA B=no\n  F=indented  \r\nG=\"open\nA=last\n";
        let release = OsRelease::parse(text);
        let value = |name| release.value(name);
        assert_eq!(value("A"), Some("last"));
        assert_eq!(value("B"), Some("dou ble"));
        assert_eq!(value("C"), Some("sin gle"));
        assert_eq!(value("D"), Some("a\"b$c\\"));
        assert_eq!(value("E"), Some(""));
        assert_eq!(value("F"), Some("indented"));
        assert_eq!(value("G"), Some("\"open"));
        assert_eq!(value("A B"), None);
        assert_eq!(value("H"), None);
    }

    proptest::proptest! {
        #[test]
        fn parsing_never_panics(text in "(\\PC|[=\"'\\\\\n\r\t\0])*") {
            let _ = OsRelease::parse(&text);
        }

        /// What a shell would read back from either kind of quotes, this reads too.
        #[test]
        fn quoted_values_read_back(value in "[^'\\p{C}]*") {
            let release = OsRelease::parse(&format!("X='{value}'"));
            proptest::prop_assert_eq!(release.value("X"), Some(value.as_str()));
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let release = OsRelease::parse(&format!("X=\"{escaped}\""));
            proptest::prop_assert_eq!(release.value("X"), Some(value.as_str()));
        }
    }
}
