//! Which way a request goes: through the proxy that the environment names, as curl reads it, but never
//! to loopback: a proxy elsewhere would be asked for what is its own machine.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{NoProxy, Proxy, Url};

/// What no proxy is asked for, beside `no_proxy`.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// The proxies of the environment.
#[derive(Debug)]
pub(super) struct Proxies {
    http: String,
    https: String,
    all: String,
    none: String,
}

impl Proxies {
    pub(super) fn of_environment() -> Self {
        let first = |names: [&str; 2]| {
            let mut values = names
                .into_iter()
                .filter_map(|name| std::env::var(name).ok());
            values.next().unwrap_or_default()
        };
        Self {
            http: first(["HTTP_PROXY", "http_proxy"]),
            https: first(["HTTPS_PROXY", "https_proxy"]),
            all: first(["ALL_PROXY", "all_proxy"]),
            none: format!("{LOOPBACK},{}", first(["NO_PROXY", "no_proxy"])),
        }
    }

    /// One of them is spoken to in TLS.
    pub(super) fn speak_tls(&self) -> bool {
        [&self.http, &self.https, &self.all]
            .iter()
            .any(|proxy| proxy.starts_with("https:"))
    }

    /// The same for reqwest; what is no address of a proxy is none.
    pub(super) fn rules(&self) -> impl Iterator<Item = Proxy> {
        let rules = [
            Proxy::http(&self.http),
            Proxy::https(&self.https),
            Proxy::all(&self.all),
        ];
        let except = NoProxy::from_string(&self.none);
        rules
            .into_iter()
            .flatten()
            .map(move |rule| rule.no_proxy(except.clone()))
    }

    /// The proxy that requests to `url` go through, without its password.
    pub(super) fn on_the_way(&self, url: &Url) -> Option<String> {
        let matcher = Matcher::builder()
            .http(&self.http)
            .https(&self.https)
            .all(&self.all)
            .no(&self.none)
            .build();
        let proxy = matcher.intercept(&url.as_str().parse().ok()?)?;
        Some(proxy.uri().to_string())
    }
}
