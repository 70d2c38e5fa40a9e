//! The Device Gateway: a request over mTLS, as the update client makes it.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::backend::http::{Client, ClientIdentity, NoAnswer, Request, Timeouts, Trust};
use crate::error::{Error, Kind, Result};
use crate::key::TlsKey;
use crate::sota::files::ANSWER_LIMIT;
use crate::sota::installed::unusable;

/// The path that every device may read (TUF's first root metadata).
const PROBE: &str = "/repo/1.root.json";

pub(super) fn gateway(facts: &mut Facts) -> Result<Outcome> {
    let Some(timeouts) = facts.timeouts else {
        return Ok(Outcome::Skipped("--offline"));
    };
    let configuration = needed(facts.configuration.as_ref())?;
    let identity = ClientIdentity {
        certificate: needed(facts.certificate.as_ref())?.der.clone(),
        key: TlsKey(Arc::clone(needed(facts.key.as_ref())?)),
    };
    // Nobody else: the system's own store does not come into it.
    let trust = Trust::Roots(needed(facts.roots.as_ref())?.clone());
    let server = configuration.gateway().map_err(unusable)?;
    facts.status = Some(probe(server, &trust, identity, timeouts)?);
    Ok(Outcome::Ok)
}

/// A status below 500 proves the handshake.
fn probe(server: &str, trust: &Trust, identity: ClientIdentity, timeouts: Timeouts) -> Result<u16> {
    let url = format!("{}{PROBE}", server.trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|cause| {
        Error::registration(format!("tls.server is {server:?}, which is no URL")).because(cause)
    })?;
    let key = Arc::clone(&identity.key.0);
    let client = Client::new(&[&url], trust, Some(identity), timeouts)?;
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
        status @ (401 | 403) => Err(Error::new(
            Kind::Unauthorised,
            format!("the Device Gateway refuses this device with status {status}"),
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
