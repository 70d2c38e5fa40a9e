//! The first TUF root metadata (TUF specification 1.0, 4.3): what a device pins at its first check-in.

use std::path::Path;
use std::time::{Duration, SystemTime};

use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use x509_cert::der::DateTime;
use zeroize::Zeroizing;

use crate::data_dir::files;
use crate::error::Error;
use crate::secret::hex;

/// Ten years: a root that nobody rotates must outlive the tests and trials that it is for.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Version 1 of the root metadata, signed with a key of its own.
#[derive(Debug)]
pub(crate) struct TufRoot {
    json: String,
}

impl TufRoot {
    /// Reads the metadata, or makes it with its key. The caller holds the data directory's lock.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, Error> {
        let dir = data_dir.join("tuf");
        files::create_private_dir(&dir)?;
        let path = dir.join("1.root.json");
        if let Some(bytes) = files::read_if_present(&path)? {
            let json = String::from_utf8(bytes).map_err(|_| unusable(&path, "not text"))?;
            return Ok(Self { json });
        }
        let key = open_key(&dir.join("root.key"))?;
        let json = signed(&key)?;
        files::write(&path, json.as_bytes(), files::PUBLIC)?;
        Ok(Self { json })
    }

    pub(crate) fn json(&self) -> &str {
        &self.json
    }
}

/// The key in PKCS#8 DER, the form that ring makes and reads.
fn open_key(path: &Path) -> Result<Ed25519KeyPair, Error> {
    let pkcs8 = if let Some(pkcs8) = files::read_if_present(path)?.map(Zeroizing::new) {
        pkcs8
    } else {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| unusable(path, "the key cannot be made"))?;
        files::write(path, made.as_ref(), files::PRIVATE)?;
        Zeroizing::new(made.as_ref().to_vec())
    };
    Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| unusable(path, "not an Ed25519 key"))
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

/// Canonical JSON: `serde_json` sorts keys and adds no space, and nothing here needs an escape.
fn canonical(value: &Value) -> String {
    value.to_string()
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Pki {
        path: path.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn is_signed_by_the_key_that_it_names_and_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let root = TufRoot::open(dir.path()).unwrap();
        let read: Value = serde_json::from_str(root.json()).unwrap();
        let key_id = read["signed"]["roles"]["root"]["keyids"][0]
            .as_str()
            .unwrap();
        let public = &read["signed"]["keys"][key_id]["keyval"]["public"];
        let signature = read["signatures"][0]["sig"].as_str().unwrap();
        UnparsedPublicKey::new(&ED25519, unhex(public.as_str().unwrap()))
            .verify(canonical(&read["signed"]).as_bytes(), &unhex(signature))
            .unwrap();
        assert_eq!(TufRoot::open(dir.path()).unwrap().json(), root.json());
    }
}
