//! The body of a registration, as it is on the wire. Nothing passes that is not understood: a field
//! that only the other side knows is a disagreement to settle, not to ignore.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::sota_toml::{Overrides, PlainText, ValueError, Wanted};
use crate::pki::{CsrError, DeviceCsr};
use crate::site::is_identifier;

/// A registration whose CSR is verified and belongs to its UUID and to this factory: there is no other
/// way to one than [`Registration::read`].
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) uuid: String,
    pub(super) name: String,
    pub(super) group: Option<String>,
    pub(super) csr: DeviceCsr,
    pub(super) wanted: Wanted,
}

/// What is wrong, by field.
pub(crate) type FieldErrors = BTreeMap<String, FieldError>;

/// What is wrong with a field, as the device is told.
#[derive(thiserror::Error)]
pub(crate) enum FieldError {
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("missing")]
    Missing,
    #[error("not {0}")]
    Not(&'static str),
    #[error("not 1 to {0} bytes")]
    Length(usize),
    #[error("control characters are not possible")]
    Control,
    #[error("neither \"true\" nor \"false\"")]
    Boolean,
    #[error("the subject's CN is not the uuid")]
    OtherUuid,
    #[error("the subject's OU is not the factory '{0}'")]
    OtherFactory(String),
    #[error(transparent)]
    Csr(#[from] CsrError),
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The log has the words that the device is told.
impl fmt::Debug for FieldError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.to_string())
    }
}

impl Serialize for FieldError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Registration {
    /// Reads the body of a POST to a factory.
    pub(crate) fn read(body: &[u8], factory: &str) -> Result<Self, FieldErrors> {
        let body = match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(one("body", FieldError::Not("a JSON object"))),
            Err(error) => return Err(one("body", FieldError::NotJson(error))),
        };
        let mut form = Form {
            fields: body,
            errors: FieldErrors::new(),
        };
        let uuid = form.required("uuid", identifier);
        let hardware_id = form.required("hardware-id", plain);
        let sota_dir = form.required("sota-config-dir", plain);
        let csr = form.required("csr", DeviceCsr::read);
        let name = form.optional("name", label);
        let group = form.optional("group", label);
        let use_ostree_server = form.optional("use-ostree-server", boolean);
        let overrides = form.overrides();
        form.refuse_the_rest();
        if let (Some(uuid), Some(csr)) = (&uuid, &csr) {
            form.check_subject(uuid, factory, csr);
        }
        match (uuid, hardware_id, sota_dir, csr) {
            (Some(uuid), Some(hardware_id), Some(sota_dir), Some(csr))
                if form.errors.is_empty() =>
            {
                Ok(Self {
                    name: name.unwrap_or_else(|| uuid.clone()),
                    uuid,
                    group,
                    csr,
                    wanted: Wanted {
                        sota_dir,
                        hardware_id,
                        use_ostree_server: use_ostree_server.unwrap_or(true),
                        overrides,
                    },
                })
            }
            _ => Err(form.errors),
        }
    }
}

/// The fields not yet read, and what was wrong with those that were.
struct Form {
    fields: Map<String, Value>,
    errors: FieldErrors,
}

impl Form {
    fn refuse(&mut self, field: &str, error: impl Into<FieldError>) {
        self.errors.insert(field.into(), error.into());
    }

    fn required<T, E: Into<FieldError>>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if !self.fields.contains_key(field) {
            self.refuse(field, FieldError::Missing);
        }
        self.optional(field, parse)
    }

    fn optional<T, E: Into<FieldError>>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = match self.fields.remove(field)? {
            Value::String(text) => parse(&text).map_err(Into::into),
            _ => Err(FieldError::Not("a string")),
        };
        parsed.map_err(|error| self.refuse(field, error)).ok()
    }

    fn overrides(&mut self) -> Overrides {
        let mut overrides = Overrides::default();
        let sections = match self.fields.remove("overrides") {
            None => return overrides,
            Some(Value::Object(sections)) => sections,
            Some(_) => {
                self.refuse("overrides", FieldError::Not("an object"));
                return overrides;
            }
        };
        for (section, keys) in sections {
            let path = format!("overrides.{section}");
            let Value::Object(keys) = keys else {
                self.refuse(&path, FieldError::Not("an object of strings"));
                continue;
            };
            if let Err(error) = overrides.add_section(&section) {
                self.refuse(&path, error);
                continue;
            }
            for (key, value) in keys {
                let added = match value {
                    Value::String(source) => {
                        let added = overrides.add(&section, &key, &source);
                        added.map_err(FieldError::from)
                    }
                    _ => Err(FieldError::Not("a string")),
                };
                if let Err(error) = added {
                    self.refuse(&format!("{path}.{key}"), error);
                }
            }
        }
        overrides
    }

    fn check_subject(&mut self, uuid: &str, factory: &str, csr: &DeviceCsr) {
        if csr.subject.common_name != uuid {
            self.refuse("csr", FieldError::OtherUuid);
        } else if csr.subject.factory != factory {
            self.refuse("csr", FieldError::OtherFactory(factory.into()));
        }
    }

    fn refuse_the_rest(&mut self) {
        for (field, _) in std::mem::take(&mut self.fields) {
            self.refuse(&field, FieldError::Not("a field of a registration"));
        }
    }
}

fn one(field: &str, error: FieldError) -> FieldErrors {
    FieldErrors::from([(field.to_owned(), error)])
}

fn identifier(text: &str) -> Result<String, FieldError> {
    if is_identifier(text) {
        return Ok(text.into());
    }
    let what = "1 to 64 letters, digits, '-', '_', '.' or ':', a letter or digit first";
    Err(FieldError::Not(what))
}

fn bounded(text: &str, longest: usize) -> Result<&str, FieldError> {
    if text.is_empty() || text.len() > longest {
        return Err(FieldError::Length(longest));
    }
    Ok(text)
}

fn plain(text: &str) -> Result<PlainText, FieldError> {
    Ok(PlainText::parse(bounded(text, 1024)?)?)
}

/// A name that people read: no control character may reach their terminal.
fn label(text: &str) -> Result<String, FieldError> {
    if bounded(text, 255)?.chars().any(char::is_control) {
        return Err(FieldError::Control);
    }
    Ok(text.into())
}

fn boolean(text: &str) -> Result<bool, FieldError> {
    text.parse().map_err(|_| FieldError::Boolean)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pki::{Key, Subject, csr};

    fn body() -> Value {
        let key = Key::generate().unwrap();
        json!({
            "use-ostree-server": "true",
            "sota-config-dir": "/var/sota",
            "hardware-id": "raspberrypi4-64",
            "name": "board 7",
            "uuid": "some-uuid",
            "csr": csr(&key, &Subject::new("some-uuid", "acme")),
            "overrides": { "pacman": { "tags": "\"main\"", "reset_apps": "" }, "tls": {} },
            "group": "lab",
        })
    }

    fn errors(body: &Value) -> Vec<String> {
        let read = Registration::read(body.to_string().as_bytes(), "acme");
        read.unwrap_err().into_keys().collect()
    }

    #[test]
    fn reads_every_field() {
        let body = body();
        let read = Registration::read(body.to_string().as_bytes(), "acme").unwrap();
        assert_eq!(
            (read.uuid.as_str(), read.name.as_str()),
            ("some-uuid", "board 7")
        );
        assert_eq!(read.group.as_deref(), Some("lab"));
        assert!(read.wanted.use_ostree_server);
    }

    #[test]
    fn tells_every_field_that_is_wrong() {
        let mut wrong = body();
        wrong["use-ostree-server"] = json!(true);
        wrong["sota-config-dir"] = json!("/var\n/sota");
        wrong["name"] = json!("");
        wrong["overrides"] = json!({ "pacman": { "tags": "main", "n": 1 }, "tls": "x" });
        wrong["extra"] = json!("1");
        wrong.as_object_mut().unwrap().remove("hardware-id");
        assert_eq!(
            errors(&wrong),
            [
                "extra",
                "hardware-id",
                "name",
                "overrides.pacman.n",
                "overrides.pacman.tags",
                "overrides.tls",
                "sota-config-dir",
                "use-ostree-server"
            ]
        );
    }

    #[test]
    fn the_csr_belongs_to_uuid_and_factory() {
        let mut other = body();
        other["uuid"] = json!("another");
        assert_eq!(errors(&other), ["csr"]);
        let read = Registration::read(body().to_string().as_bytes(), "other");
        assert!(read.unwrap_err()["csr"].to_string().contains("OU"));
        let mut unsafe_name = body();
        unsafe_name["uuid"] = json!("../some-uuid");
        assert_eq!(errors(&unsafe_name), ["uuid"]);
    }

    #[test]
    fn refuses_what_is_not_an_object() {
        for text in ["", "[]", "\"x\"", "{", &"[".repeat(100_000)] {
            let read = Registration::read(text.as_bytes(), "acme").unwrap_err();
            assert_eq!(read.into_keys().collect::<Vec<_>>(), ["body"]);
        }
    }
}
