//! `check`: do key, certificate and configuration fit together, and does the Device Gateway take
//! them? Changes nothing.

use std::path::Path;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::certificate::{self, DeviceCertificate};
use crate::error::{Error, Kind, Result};
use crate::host;
use crate::http::{Client, ClientIdentity, NoAnswer, Request, Trust};
use crate::journal;
use crate::key::{DeviceKey, SoftwareKey, TlsKey};
use crate::response::{ANSWER_LIMIT, CERTIFICATE, CONFIGURATION, PRIVATE_KEY, ROOT};
use crate::settings::Timeouts;
use crate::sota_toml::SotaToml;
use crate::store::Directory;

/// What `check` found on a device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// CN.
    pub uuid: String,
    /// OU.
    pub factory: String,
    /// URL of the Device Gateway.
    pub gateway: String,
    /// Certificate valid from, RFC 3339.
    pub not_before: String,
    /// Certificate valid until, RFC 3339.
    pub not_after: String,
    /// HTTP status of the gateway, unless offline.
    pub status: Option<u16>,
    /// What does not stop the device from talking.
    pub warnings: Vec<String>,
}

/// The path that every device may read (TUF's first root metadata).
const PROBE: &str = "/repo/1.root.json";

/// Checks the registration in `sota_dir`.
///
/// # Errors
/// [`Kind::Configuration`] if the files do not make a registration, [`Kind::Temporary`] or
/// [`Kind::Unauthorised`] if the gateway does not take it.
pub fn check(sota_dir: &Path, offline: bool, timeouts: Timeouts) -> Result<Health> {
    let sota = Directory::open(sota_dir)?;
    let text = |name: &str| read(&sota, name);
    let configuration = SotaToml::parse(&text(CONFIGURATION)?).map_err(unregistered)?;
    configuration.check_complete().map_err(unregistered)?;
    let certificate = DeviceCertificate::from_pem(&text(CERTIFICATE)?).map_err(unregistered)?;
    let key = DeviceKey::software(SoftwareKey::from_pem(&zeroize::Zeroizing::new(text(
        PRIVATE_KEY,
    )?))?);
    certificate
        .check_key(&key.public_key_info())
        .map_err(unregistered)?;
    let mut warnings: Vec<String> = certificate
        .check_validity(host::now())
        .map_err(unregistered)?
        .into_iter()
        .collect();
    let roots = certificate::check_roots(&text(ROOT)?).map_err(unregistered)?;
    if sota.has(journal::DIRECTORY)? {
        warnings.push(
            "an interrupted registration waits to be finished: run lmp-device-register".into(),
        );
    }
    let gateway = configuration.gateway().map_err(unregistered)?.to_owned();
    let mut health = Health {
        uuid: certificate.uuid,
        factory: certificate.factory,
        gateway,
        not_before: certificate.not_before_text,
        not_after: certificate.not_after_text,
        status: None,
        warnings,
    };
    if !offline {
        let identity = ClientIdentity {
            certificate: certificate.der,
            key: TlsKey(Arc::new(key)),
        };
        health.status = Some(probe(&health.gateway, roots, identity, timeouts)?);
    }
    Ok(health)
}

fn read(sota: &Directory, name: &str) -> Result<String> {
    let bytes = sota.read(name, ANSWER_LIMIT)?.ok_or_else(|| {
        Error::configuration(format!(
            "this device is not registered: {:?} does not exist",
            sota.path().join(name)
        ))
        .hint("register it: lmp-device-register")
    })?;
    String::from_utf8(bytes).map_err(|_| Error::configuration(format!("{name} is not UTF-8 text")))
}

/// On the disk, what would make an answer unacceptable makes a registration unusable.
fn unregistered(error: Error) -> Error {
    Error::configuration(format!(
        "the registration is unusable: {}",
        error.full_message()
    ))
    .hint("register again: lmp-device-register --force 1")
}

/// A request over mTLS that trusts only `roots`; a status below 500 proves the handshake.
fn probe(
    gateway: &str,
    roots: Vec<rustls::pki_types::CertificateDer<'static>>,
    identity: ClientIdentity,
    timeouts: Timeouts,
) -> Result<u16> {
    let url = format!("{}{PROBE}", gateway.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|cause| {
        Error::configuration(format!("tls.server is {gateway:?}, which is no URL")).because(cause)
    })?;
    let key = Arc::clone(&identity.key.0);
    let client = Client::new(&[&url], &Trust::Roots(roots), Some(identity), timeouts)?;
    let answer = client
        .send(Request {
            method: Method::GET,
            url: &url,
            headers: HeaderMap::new(),
            body: None,
            limit: ANSWER_LIMIT,
        })
        .map_err(|NoAnswer { error, .. }| key.take_error().unwrap_or(error))?;
    match answer.status {
        401 | 403 => Err(Error::new(
            Kind::Unauthorised,
            format!(
                "the Device Gateway refuses this device with status {}",
                answer.status
            ),
        )
        .hint("look the device up on the backend: it may have been deleted or denied")),
        status @ 500.. => Err(Error::new(
            Kind::Temporary,
            format!("the Device Gateway answered {status}"),
        )
        .hint("run this again later")),
        status => Ok(status),
    }
}
