//! Takes the first source that says something, and keeps the record of which one it was.

use std::path::PathBuf;

use super::options::{Field, Sources};
use super::origin::{FoundSecret, Origin, Provenance};
use crate::secret::Secret;

/// Picks values in the order of precedence, and records every pick in the order of picking.
pub(super) struct Resolver<'a> {
    pub(super) sources: &'a Sources,
    pub(super) provenance: Vec<Provenance>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        let provenance = Vec::new();
        Self {
            sources,
            provenance,
        }
    }

    pub(super) fn record(&mut self, name: &'static str, mut value: String, origin: &Origin) {
        // A URL's query may be secret.
        if let (true, Some(query)) = (value.contains("://"), value.find(['?', '#'])) {
            value.replace_range(query.., "?...");
        }
        let origin = origin.clone();
        self.provenance.push(Provenance {
            name,
            value,
            origin,
        });
    }

    /// A value that somebody may have given.
    pub(super) fn optional<T: Clone + ToString>(
        &mut self,
        name: &'static str,
        field: Field<T>,
    ) -> Option<T> {
        let (value, origin) = self.sources.first(field)?;
        self.record(name, value.to_string(), origin);
        Some(value.clone())
    }

    /// A value that has a default.
    pub(super) fn value<T: Clone + ToString + Default>(
        &mut self,
        name: &'static str,
        field: Field<T>,
    ) -> T {
        self.optional(name, field).unwrap_or_default()
    }

    /// A path that has a default.
    pub(super) fn path(&mut self, name: &'static str, field: Field<PathBuf>) -> PathBuf {
        let Some((path, origin)) = self.sources.first(field) else {
            return PathBuf::default();
        };
        self.record(name, path.display().to_string(), origin);
        path.clone()
    }

    /// Records where a secret came from.
    pub(super) fn secret(&mut self, name: &'static str, (secret, origin): FoundSecret) -> Secret {
        self.record(name, "[secret]".to_owned(), &origin);
        secret
    }
}
