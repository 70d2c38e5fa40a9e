//! The body of a registration, as it is on the wire. Nothing passes that is not understood: a field
//! that only the other side knows is a disagreement to settle, not to ignore.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::sota_toml::{Overrides, PlainText};
use crate::pki::DeviceCsr;
use crate::site::is_identifier;

/// A registration whose CSR is verified and belongs to its UUID and to this factory.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) uuid: String,
    pub(crate) name: String,
    pub(crate) group: Option<String>,
    pub(crate) hardware_id: PlainText,
    pub(crate) sota_dir: PlainText,
    pub(crate) use_ostree_server: bool,
    pub(crate) csr: DeviceCsr,
    pub(crate) overrides: Overrides,
}

/// What is wrong, by field.
pub(crate) type FieldErrors = BTreeMap<String, String>;

impl Registration {
    /// Reads the body of a POST to a factory.
    pub(crate) fn read(body: &[u8], factory: &str) -> Result<Self, FieldErrors> {
        let body = match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(one("body", "not a JSON object")),
            Err(error) => return Err(one("body", &format!("not JSON: {error}"))),
        };
        let mut form = Form {
            fields: body,
            errors: FieldErrors::new(),
        };
        let uuid = form.required("uuid", identifier);
        let hardware_id = form.required("hardware-id", plain);
        let sota_dir = form.required("sota-config-dir", plain);
        let csr = form.required("csr", |pem| {
            DeviceCsr::read(pem).map_err(|error| error.to_string())
        });
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
                    hardware_id,
                    sota_dir,
                    use_ostree_server: use_ostree_server.unwrap_or(true),
                    csr,
                    overrides,
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
    fn required<T>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        if !self.fields.contains_key(field) {
            self.errors.insert(field.into(), "missing".into());
        }
        self.optional(field, parse)
    }

    fn optional<T>(
        &mut self,
        field: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = match self.fields.remove(field)? {
            Value::String(text) => parse(&text),
            _ => Err("not a string".into()),
        };
        parsed
            .map_err(|error| self.errors.insert(field.into(), error))
            .ok()
    }

    fn overrides(&mut self) -> Overrides {
        let mut overrides = Overrides::default();
        let sections = match self.fields.remove("overrides") {
            None => return overrides,
            Some(Value::Object(sections)) => sections,
            Some(_) => {
                self.errors
                    .insert("overrides".into(), "not an object".into());
                return overrides;
            }
        };
        for (section, keys) in sections {
            let path = format!("overrides.{section}");
            let Value::Object(keys) = keys else {
                self.errors.insert(path, "not an object of strings".into());
                continue;
            };
            if let Err(error) = overrides.add_section(&section) {
                self.errors.insert(path, error);
                continue;
            }
            for (key, value) in keys {
                let added = match value {
                    Value::String(source) => overrides.add(&section, &key, &source),
                    _ => Err("not a string".into()),
                };
                if let Err(error) = added {
                    self.errors.insert(format!("{path}.{key}"), error);
                }
            }
        }
        overrides
    }

    fn check_subject(&mut self, uuid: &str, factory: &str, csr: &DeviceCsr) {
        if csr.subject.common_name != uuid {
            self.errors
                .insert("csr".into(), "the subject's CN is not the uuid".into());
        } else if csr.subject.factory != factory {
            let error = format!("the subject's OU is not the factory '{factory}'");
            self.errors.insert("csr".into(), error);
        }
    }

    fn refuse_the_rest(&mut self) {
        for field in std::mem::take(&mut self.fields)
            .into_iter()
            .map(|(key, _)| key)
        {
            self.errors
                .insert(field, "not a field of a registration".into());
        }
    }
}

fn one(field: &str, error: &str) -> FieldErrors {
    FieldErrors::from([(field.to_owned(), error.to_owned())])
}

fn identifier(text: &str) -> Result<String, String> {
    if is_identifier(text) {
        return Ok(text.into());
    }
    Err("not 1 to 64 letters, digits, '-', '_', '.' or ':', a letter or digit first".into())
}

fn plain(text: &str) -> Result<PlainText, String> {
    if text.is_empty() || text.len() > 1024 {
        return Err("not 1 to 1024 bytes".into());
    }
    PlainText::parse(text)
}

/// A name that people read: no control character may reach their terminal.
fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 255 {
        return Err("not 1 to 255 bytes".into());
    }
    if text.chars().any(char::is_control) {
        return Err("control characters are not possible".into());
    }
    Ok(text.into())
}

fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("neither \"true\" nor \"false\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pki::{csr::tests::csr, key::Key, subject::Subject};

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
        assert!(read.use_ostree_server);
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
        assert!(read.unwrap_err()["csr"].contains("OU"));
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
