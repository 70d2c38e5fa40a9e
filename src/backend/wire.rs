//! The wire types of the registration API, and the words of its errors. Never judges them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::censor::Censor;
use crate::report::shortened;

/// Body of `POST {DEVICE_API}`. Every value is a string, the boolean too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RegistrationRequest {
    /// `"true"` or `"false"`.
    pub use_ostree_server: String,
    /// The directory as given.
    pub sota_config_dir: String,
    /// Hardware id.
    pub hardware_id: String,
    /// Device name.
    pub name: String,
    /// Device UUID, the CSR's CN.
    pub uuid: String,
    /// PKCS#10, PEM.
    pub csr: String,
    /// Section to key to TOML source of the value.
    pub overrides: BTreeMap<String, BTreeMap<String, String>>,
    /// Device group.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group: Option<String>,
}

/// A text as a TOML basic string (TOML 1.0, "String"): JSON's escapes are among TOML's, and DEL
/// is the one character that only TOML wants escaped.
#[must_use]
pub(crate) fn toml_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\x7f', "\\u007f")
}

/// What a backend says about a failure, on one line: `message`, `errors`, `error_description` or
/// `error` of a JSON object, a bare JSON string, the title of an HTML page, or plain text.
#[must_use]
pub fn backend_words(body: &[u8]) -> String {
    words(body, &Censor::default())
}

fn words(body: &[u8], censor: &Censor) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let words = match serde_json::from_str(text) {
        Ok(serde_json::Value::String(words)) => words,
        Ok(serde_json::Value::Object(fields)) => {
            object_words(&fields).unwrap_or_else(|| text.to_owned())
        }
        Ok(_) => text.to_owned(),
        Err(_) => html_title(text).unwrap_or_else(|| text.to_owned()),
    };
    // Before it is cut: the half of a secret is one.
    shortened(censor.clean(&words.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// The line of an error about such an answer, without what the censor knows.
#[must_use]
pub(crate) fn answered(server: &str, status: u16, body: &[u8], censor: &Censor) -> String {
    with_words(format!("the {server} answered {status}"), body, censor)
}

/// The same after a line of the caller's own.
#[must_use]
pub(crate) fn with_words(line: String, body: &[u8], censor: &Censor) -> String {
    match words(body, censor) {
        words if words.is_empty() => line,
        words => format!("{line}: {words}"),
    }
}

fn object_words(fields: &serde_json::Map<String, serde_json::Value>) -> Option<String> {
    let parts: Vec<String> = ["message", "error", "error_description", "detail"]
        .into_iter()
        .filter_map(|name| fields.get(name).and_then(|value| value.as_str()))
        .map(str::to_owned)
        .chain(fields.get("errors").map(error_words))
        .filter(|words| !words.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// `{"errors": {"field": "words"}}` and its relatives.
fn error_words(errors: &serde_json::Value) -> String {
    use serde_json::Value;
    match errors {
        Value::String(words) => words.clone(),
        Value::Object(fields) => fields
            .iter()
            .map(|(field, words)| format!("{field}: {}", error_words(words)))
            .collect::<Vec<_>>()
            .join("; "),
        Value::Array(items) => items.iter().map(error_words).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The title of an HTML page; of a page without one, nothing but the fact.
fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if !(lower.starts_with('<') && (lower.contains("<html") || lower.starts_with("<!doctype"))) {
        return None;
    }
    let title = lower.find("<title").and_then(|start| {
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        Some(text[start..end].trim().to_owned())
    });
    Some(
        title
            .filter(|title| !title.is_empty())
            .unwrap_or_else(|| "an HTML page".to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::WORDS_LIMIT;

    #[test]
    fn words_of_every_kind_of_answer() {
        for (body, words) in [
            (
                r#"{"message":"Device already exists"}"#,
                "Device already exists",
            ),
            (
                r#"{"errors":{"csr":"bad","uuid":["a","b"]}}"#,
                "csr: bad; uuid: a, b",
            ),
            (
                r#"{"error":"invalid","error_description":"the why"}"#,
                "invalid: the why",
            ),
            (r#""a bare string""#, "a bare string"),
            ("plain\n text ", "plain text"),
            (
                "<html><head><TITLE>502 Bad\nGateway</TITLE></head>",
                "502 Bad Gateway",
            ),
            ("<!DOCTYPE html><body>x</body>", "an HTML page"),
            (r#"{"unknown":1}"#, r#"{"unknown":1}"#),
            ("", ""),
            ("\u{ff}", "\u{ff}"),
        ] {
            assert_eq!(backend_words(body.as_bytes()), words, "{body}");
        }
        assert_eq!(backend_words(&b"x".repeat(100_000)).len(), WORDS_LIMIT + 3);
        assert_eq!(
            backend_words("é".repeat(1000).as_bytes()).chars().count(),
            WORDS_LIMIT + 3
        );
    }

    #[test]
    fn toml_strings_read_back() {
        for text in ["main", "a\"b", "line\nbreak", "\\", "\u{7f}\u{1}", "ü", "'"] {
            let source = format!("v = {}", toml_string(text));
            let read = source.parse::<toml_edit::DocumentMut>();
            let read = read.map(|document| document["v"].as_str().map(str::to_owned));
            assert_eq!(read.ok().flatten().as_deref(), Some(text), "{source}");
        }
    }
}
