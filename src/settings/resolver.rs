//! Takes the first source that says something, and keeps the record of which one it was.

use std::path::PathBuf;
use std::time::Duration;

use super::options::{Field, Sources};
use super::origin::{FoundSecret, Origin, Provenance};
use crate::secret::Secret;

/// Picks values in the order of precedence. Every pick is recorded, in the order of picking.
pub(super) struct Resolver<'a> {
    pub(super) sources: &'a Sources,
    pub(super) provenance: Vec<Provenance>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            provenance: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, name: &'static str, value: String, origin: &Origin) {
        let origin = origin.clone();
        self.provenance.push(Provenance {
            name,
            value,
            origin,
        });
    }

    /// A text that somebody may have given.
    pub(super) fn optional(&mut self, name: &'static str, field: Field<String>) -> Option<String> {
        let (text, origin) = self.sources.first(field)?;
        self.record(name, text.clone(), origin);
        Some(text.clone())
    }

    /// A text that has a default.
    pub(super) fn text(&mut self, name: &'static str, field: Field<String>) -> String {
        self.optional(name, field).unwrap_or_default()
    }

    pub(super) fn flag(&mut self, name: &'static str, field: Field<bool>) -> bool {
        let Some((on, origin)) = self.sources.first(field) else {
            return false;
        };
        self.record(name, on.to_string(), origin);
        *on
    }

    pub(super) fn seconds(&mut self, name: &'static str, field: Field<u64>) -> Duration {
        let Some((seconds, origin)) = self.sources.first(field) else {
            return Duration::ZERO;
        };
        self.record(name, seconds.to_string(), origin);
        Duration::from_secs(*seconds)
    }

    pub(super) fn path(&mut self, name: &'static str, field: Field<PathBuf>) -> Option<PathBuf> {
        let (path, origin) = self.sources.first(field)?;
        self.record(name, path.display().to_string(), origin);
        Some(path.clone())
    }

    /// Records where a secret came from.
    pub(super) fn secret(&mut self, name: &'static str, (secret, origin): FoundSecret) -> Secret {
        self.record(name, "[secret]".to_owned(), &origin);
        secret
    }
}
