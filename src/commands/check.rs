//! `check`: do key, certificate and configuration fit together, and does the Device Gateway take
//! them? Changes nothing.

use std::path::Path;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::backend::http::{Client, ClientIdentity, NoAnswer, Request, Timeouts, Trust};
use crate::board::{clock, process};
use crate::error::{Error, Kind, Result};
use crate::key::certificate::{self, DeviceCertificate};
use crate::key::pkcs11::{Access, Ids, Token};
use crate::key::{DeviceKey, SoftwareKey, TlsKey};
use crate::sota::directory::Directory;
use crate::sota::files::{ANSWER_LIMIT, CERTIFICATE, PRIVATE_KEY, ROOT};
use crate::sota::installed::{Configuration, required_text, token_settings, unusable};
use crate::sota::journal;

/// What `check` found on a device that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
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
pub(crate) fn check(sota_dir: &Path, offline: bool, timeouts: Timeouts) -> Result<Health> {
    let sota = Directory::open(sota_dir)?;
    // Best effort: where it is refused, checking is still worth it.
    let _ = process::lock_memory();
    let text = |name: &str| required_text(&sota, name);
    let configuration = Configuration::required(&sota)?;
    configuration.check_complete().map_err(unusable)?;
    let certificate = DeviceCertificate::from_pem(&text(CERTIFICATE)?).map_err(unusable)?;
    // Closed at the end of this function, when the handshake is done.
    let mut token = None;
    let (key, mut warnings) = if let Some((settings, ids)) = token_settings(&configuration)? {
        let token = token.insert(Token::open(&settings, Access::Read)?);
        let warnings = token.log_in()?;
        (key_on_token(token, ids, &certificate)?, warnings)
    } else {
        let key = DeviceKey::software(SoftwareKey::from_pem(&text(PRIVATE_KEY)?)?);
        (key, Vec::new())
    };
    certificate
        .check_key(&key.public_key_info())
        .map_err(unusable)?;
    warnings.extend(certificate.check_validity(clock::now()).map_err(unusable)?);
    let roots = certificate::check_roots(&text(ROOT)?).map_err(unusable)?;
    if sota.has(journal::DIRECTORY)? {
        warnings.push(
            "an interrupted registration waits to be finished: run lmp-device-register".into(),
        );
    }
    let gateway = configuration.gateway().map_err(unusable)?.to_owned();
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

/// The key, after checking that key and certificate on the token are those of this registration,
/// and that the key can never leave it.
fn key_on_token(token: &Token, ids: Ids, certificate: &DeviceCertificate) -> Result<DeviceKey> {
    let objects = token.objects(ids)?;
    if !objects.sensitive || objects.extractable {
        return Err(unusable(
            "the private key on the token can be read out: it is not SENSITIVE, or EXTRACTABLE",
        ));
    }
    if objects.certificate != certificate.der.as_ref() {
        return Err(unusable(
            "the certificate on the token is another than client.pem",
        ));
    }
    token.find_key(ids).map(DeviceKey::on_token)
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
