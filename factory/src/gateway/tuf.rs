//! The first TUF root metadata (TUF specification 1.0, 4.3): what a device pins at its first check-in.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use x509_cert::der::DateTime;
use zeroize::Zeroizing;

use crate::data_dir::{LockedDir, files};
use crate::error::Error;
use crate::secret::hex;

/// Ten years: a root that nobody rotates must outlive the tests and trials that it is for.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What can be wrong with the files.
#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error("not text")]
    Text,
    #[error("the key cannot be made")]
    Unmade,
    #[error("not an Ed25519 key")]
    Key,
}

/// Version 1 of the root metadata, signed with a key of its own: reads it, or makes it with its key.
pub(crate) fn open(locked: &LockedDir) -> Result<String, Error> {
    let dir = locked.private("tuf")?;
    let path = dir.join("1.root.json");
    if let Some(bytes) = files::read_if_present(&path)? {
        let json = String::from_utf8(bytes).map_err(|_| Flaw::Text);
        return json.map_err(Error::unusable(path));
    }
    let json = signed(&open_key(&dir.join("root.key"))?)?;
    files::write(&path, json.as_bytes(), files::PUBLIC)?;
    Ok(json)
}

/// The key in PKCS#8 DER, the form that ring makes and reads.
fn open_key(path: &Path) -> Result<Ed25519KeyPair, Error> {
    let pkcs8 = if let Some(pkcs8) = files::read_private(path)? {
        pkcs8
    } else {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| Flaw::Unmade)
            .map_err(Error::unusable(path))?;
        files::write(path, made.as_ref(), files::PRIVATE)?;
        Zeroizing::new(made.as_ref().to_vec())
    };
    let key = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| Flaw::Key);
    key.map_err(Error::unusable(path))
}

fn signed(key: &Ed25519KeyPair) -> Result<String, Error> {
    let public = json!({
        "keytype": "ED25519",
        "keyval": { "public": hex(key.public_key().as_ref()) },
    });
    let key_id = hex(&Sha256::digest(canonical(&public)));
    let role = json!({ "keyids": [key_id], "threshold": 1 });
    let expires = DateTime::from_system_time(SystemTime::now() + LIFETIME)?;
    let signed = json!({
        "_type": "Root",
        "consistent_snapshot": false,
        "expires": expires.to_string(),
        "keys": { &key_id: public },
        "roles": { "root": role, "snapshot": role, "targets": role, "timestamp": role },
        "version": 1,
    });
    let signature = hex(key.sign(canonical(&signed).as_bytes()).as_ref());
    let root = json!({
        "signatures": [{ "keyid": key_id, "method": "ed25519", "sig": signature }],
        "signed": signed,
    });
    Ok(canonical(&root))
}

/// Canonical JSON: keys in order, no space, and nothing here needs an escape. `serde_json` keeps keys in
/// order too, until some crate switches its `preserve_order` on.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().collect::<BTreeMap<_, _>>().into_iter();
            let field = |(name, value)| format!("\"{name}\":{}", canonical(value));
            format!("{{{}}}", fields.map(field).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;
    use crate::data_dir::DataDir;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    /// The text that TUF 1.0, 4.3 wants, written here, and the signature over it checked by ring.
    #[test]
    fn is_signed_by_the_key_that_it_names_and_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let locked = DataDir::new(dir.path()).lock().unwrap();
        let root = open(&locked).unwrap();
        let read: Value = serde_json::from_str(&root).unwrap();
        let text = |pointer: &str| read.pointer(pointer).unwrap().as_str().unwrap();
        let key_id = text("/signed/roles/root/keyids/0");
        let public = text(&format!("/signed/keys/{key_id}/keyval/public"));
        let (expires, signature) = (text("/signed/expires"), text("/signatures/0/sig"));

        let key = format!(r#"{{"keytype":"ED25519","keyval":{{"public":"{public}"}}}}"#);
        assert_eq!(key_id, hex(&Sha256::digest(&key)));
        let role = format!(r#"{{"keyids":["{key_id}"],"threshold":1}}"#);
        let signed = format!(
            r#"{{"_type":"Root","consistent_snapshot":false,"expires":"{expires}","keys":{{"{key_id}":{key}}},"roles":{{"root":{role},"snapshot":{role},"targets":{role},"timestamp":{role}}},"version":1}}"#
        );
        let verified = UnparsedPublicKey::new(&ED25519, unhex(public))
            .verify(signed.as_bytes(), &unhex(signature));
        verified.unwrap();
        let by = format!(r#"{{"keyid":"{key_id}","method":"ed25519","sig":"{signature}"}}"#);
        let whole = format!(r#"{{"signatures":[{by}],"signed":{signed}}}"#);
        assert_eq!(root, whole);
        assert_eq!(open(&locked).unwrap(), root);
    }
}
