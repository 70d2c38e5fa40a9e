//! The one HTTP client: connections, time and size limits. Blocks whoever asks; the runtime that it
//! needs for that is seen by nobody else. Never decides what an answer means: who asks does.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::Instant;
use tower::util::MapFutureLayer;

use crate::board::clock;
use crate::error::{Error, Kind, Result};

mod failure;
mod proxy;
mod retry_after;
mod timing;
mod tls;
mod trust;
mod verifier;

use proxy::Proxies;
use timing::Turn;

pub(crate) use failure::{NoAnswer, TlsFailure, shown};
pub(crate) use timing::Timeouts;
pub(crate) use tls::ClientIdentity;
pub(crate) use trust::Trust;

/// A request.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// `POST`, `GET`, ...
    pub method: Method,
    /// Used verbatim.
    pub url: &'a Url,
    /// Headers; secrets among them are marked sensitive.
    pub headers: HeaderMap,
    /// Body, if there is one.
    pub body: Option<Vec<u8>>,
    /// The most bytes of the answer's body that are read.
    pub limit: usize,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// How long the server asks to wait, if it does.
    pub pause: Option<Duration>,
    /// `Location`, as sent.
    pub location: Option<String>,
    /// At most `limit` bytes of the body.
    pub body: Vec<u8>,
    /// There was more.
    pub truncated: bool,
}

/// The client. It keeps connections open between requests.
#[derive(Debug)]
pub(crate) struct Client {
    connections: reqwest::Client,
    turn: Turn,
    timeouts: Timeouts,
    proxies: Proxies,
    // Runs on the thread that asks; there until it is dropped.
    runtime: Option<Runtime>,
}

impl Client {
    /// A client that talks to the servers of `urls`.
    ///
    /// # Errors
    /// [`Kind::Configuration`] if there is nobody to trust.
    pub(crate) fn new(
        urls: &[&Url],
        trust: &Trust,
        identity: Option<ClientIdentity>,
        timeouts: Timeouts,
    ) -> Result<Self> {
        let turn = Turn::default();
        let servers_turn = turn.clone();
        let proxies = Proxies::of_environment();
        let may_speak_tls = urls.iter().any(|url| url.scheme() == "https") || proxies.speak_tls();
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::configure(may_speak_tls, trust, identity)?)
            .no_proxy();
        let connections = proxies
            .rules()
            .fold(builder, reqwest::ClientBuilder::proxy)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeouts.connect)
            .connector_layer(MapFutureLayer::new(move |connecting| {
                servers_turn.clone().after(connecting)
            }))
            .user_agent(concat!("lmp-device-register/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| {
                Error::setting("the HTTP client could not be set up")
                    .because(cause)
                    .hint("look at https_proxy, http_proxy and no_proxy")
            })?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| {
                Error::new(Kind::Temporary, "the HTTP client could not be started").because(cause)
            })?;
        Ok(Self {
            connections,
            turn,
            timeouts,
            proxies,
            runtime: Some(runtime),
        })
    }

    /// Sends a request and reads its answer within the limits.
    ///
    /// # Errors
    /// [`NoAnswer`] if there was none, or it did not end in time.
    pub(crate) fn send(&self, request: Request<'_>) -> std::result::Result<Answer, NoAnswer> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(self.exchange(request)),
            None => Err(NoAnswer {
                error: Error::bug("the HTTP client is gone"),
                may_have_arrived: false,
                tls: None,
            }),
        }
    }

    async fn exchange(&self, request: Request<'_>) -> std::result::Result<Answer, NoAnswer> {
        let Request {
            method,
            url,
            headers,
            body,
            limit,
        } = request;
        let Timeouts {
            connect: _,
            read,
            request: whole,
        } = self.timeouts;
        let deadline = Instant::now() + whole;
        // Connections slept since the last request: in the first round they learn what happened, in the
        // second one that the server closed goes, before it is used again.
        for _ in 0..2 {
            yield_now().await;
        }
        let mut builder = self.connections.request(method, url.clone());
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let mut response = self
            .turn
            .wait(read, deadline, builder.headers(headers).send())
            .await
            .map_err(|late| NoAnswer::late(url, late))?
            .map_err(|cause| NoAnswer::failed(url, cause, self.proxies.on_the_way(url)))?;
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            pause: text(RETRY_AFTER).and_then(|text| retry_after::parse(&text, clock::now())),
            location: text(LOCATION),
            body: Vec::new(),
            truncated: false,
        };
        loop {
            let chunk = self
                .turn
                .wait(read, deadline, response.chunk())
                .await
                .map_err(|late| NoAnswer::half_late(url, late, whole))?
                .map_err(|cause| NoAnswer::half(url, cause))?;
            let Some(chunk) = chunk else {
                return Ok(answer);
            };
            let room = limit - answer.body.len();
            let kept = &chunk[..chunk.len().min(room)];
            answer.body.extend_from_slice(kept);
            if chunk.len() > room {
                answer.truncated = true;
                return Ok(answer);
            }
        }
    }
}

/// What is sent there can be read, and changed, by everybody on the way.
pub(crate) fn can_be_overheard(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    let is_loopback = address.map_or_else(
        |_| host == "localhost" || host.ends_with(".localhost"),
        |address: IpAddr| address.is_loopback(),
    );
    url.scheme() == "http" && !is_loopback
}

impl Drop for Client {
    /// Does not wait for a name that is still being looked up.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
