//! The Device Gateway: a request over mTLS, as the update client makes it.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::backend::censor::Censor;
use crate::backend::http::{
    Client, ClientIdentity, NoAnswer, Request, Timeouts, TlsFailure, Trust,
};
use crate::backend::wire::{answered, with_words};
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
    let mut headers = HeaderMap::new();
    // By these a gateway knows which metadata the device follows.
    if let Some(tags) = configuration.value("pacman", "tags") {
        let tags = HeaderValue::from_str(tags).map_err(|cause| {
            unusable("pacman.tags cannot be sent to the Device Gateway").because(cause)
        })?;
        headers.insert("x-ats-tags", tags);
    }
    let status = probe(server, headers, &trust, identity, timeouts)?;
    facts.status = Some(status);
    Ok(Outcome::Ok(format!("status {status}")))
}

/// A status below 500 proves the handshake.
fn probe(
    server: &str,
    headers: HeaderMap,
    trust: &Trust,
    identity: ClientIdentity,
    timeouts: Timeouts,
) -> Result<u16> {
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
            headers,
            body: None,
            limit: ANSWER_LIMIT,
        })
        .map_err(|unanswered| key.take_error().unwrap_or_else(|| explained(unanswered)))?;
    match answer.status {
        status @ (401 | 403) => Err(Error::new(
            Kind::Unauthorised,
            with_words(
                format!("the Device Gateway refuses this device with status {status}"),
                &answer.body,
                &Censor::default(),
            ),
        )
        .hint("look the device up on the backend: it may have been deleted or denied")),
        status @ 500.. => Err(Error::new(
            Kind::Temporary,
            answered("Device Gateway", status, &answer.body, &Censor::default()),
        )
        .hint("run this again later")),
        status => Ok(status),
    }
}

/// What no answer means for a device that is registered.
fn explained(NoAnswer { error, tls, .. }: NoAnswer) -> Error {
    match tls {
        Some(TlsFailure::Ours(why)) => Error::new(
            Kind::Unauthorised,
            format!("the Device Gateway does not take this device's certificate: {why}"),
        )
        .because(error)
        .hint(
            "look on the backend whether its gateway trusts the CA of this device, or register \
             again: lmp-device-register --force 1",
        ),
        Some(whose) => Error::answer("root.crt does not verify the Device Gateway")
            .because(error)
            .hint(if whose == TlsFailure::ServersByClock {
                "compare the clock: date -u; if it is right, the gateway needs a new certificate"
            } else {
                "compare tls.server in sota.toml with the gateway's address; if the factory has \
                 another root now, register again: lmp-device-register --force 1"
            }),
        None => error.hint(
            "check the network, https_proxy, and tls.server in sota.toml, then run this again",
        ),
    }
}
