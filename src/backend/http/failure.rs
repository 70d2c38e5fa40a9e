//! No answer: why, in words for people, and whether the request may have arrived all the same. Never
//! shows a URL's query, which may be secret.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::Url;

use super::timing::Late;
use crate::error::{Error, Kind};
use crate::report::shortened;

mod tls;

pub(crate) use tls::TlsFailure;

/// What an operation comes to that its limit ended.
const TIMED_OUT: &str = "operation timed out";

/// No answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    /// What went wrong, as shown if nobody tries again.
    pub error: Error,
    /// The request may have reached the server.
    pub may_have_arrived: bool,
    /// What TLS said, where it is about a certificate.
    pub tls: Option<TlsFailure>,
}

impl NoAnswer {
    /// The client failed before an answer began, perhaps on the way through `proxy`.
    pub(super) fn failed(url: &Url, cause: reqwest::Error, proxy: Option<String>) -> Self {
        let found = find_tls_error(&cause);
        let tls = found.and_then(tls::whose);
        if !(cause.is_connect() || cause.is_builder()) {
            let (late, cause) = (cause.is_timeout(), innermost(cause));
            return Self {
                tls,
                ..Self::unanswered(url, true, late, cause)
            };
        }
        if let Some(trouble) = found.and_then(tls::explain) {
            let tls::Trouble { kind, words, hint } = trouble;
            let error = Error::new(kind, format!("cannot connect to {}", shown(url)))
                .because(words.unwrap_or_else(|| innermost(cause)))
                .hint(hint);
            return Self {
                error,
                may_have_arrived: false,
                tls,
            };
        }
        let Some(proxy) = proxy.filter(|_| found.is_none()) else {
            return Self {
                tls,
                ..Self::unanswered(url, false, false, innermost(cause))
            };
        };
        let way = format!(
            "cannot connect to {} through the proxy {proxy:?}",
            shown(url)
        );
        let hint = "check the proxy, and which one https_proxy, http_proxy or all_proxy names";
        Self {
            error: temporary(way).because(innermost(cause)).hint(hint),
            may_have_arrived: false,
            tls: None,
        }
    }

    /// No answer began in time.
    pub(super) fn late(url: &Url, late: Late) -> Self {
        Self::unanswered(url, late != Late::Connection, true, TIMED_OUT.to_owned())
    }

    fn unanswered(url: &Url, connected: bool, late: bool, cause: String) -> Self {
        let url = shown(url);
        let message = match (connected, late) {
            (false, _) => format!("cannot connect to {url}"),
            (true, true) => format!("no answer from {url} in time"),
            (true, false) => format!("the connection to {url} broke before an answer came"),
        };
        Self {
            error: temporary(message)
                .because(cause)
                .hint("check the network, DEVICE_API and https_proxy, then run this again"),
            may_have_arrived: connected,
            tls: None,
        }
    }

    /// An answer began and broke off.
    pub(super) fn half(url: &Url, cause: reqwest::Error) -> Self {
        Self::broken_off(url, innermost(cause))
    }

    /// An answer began and did not end in time.
    pub(super) fn half_late(url: &Url, late: Late, limit: Duration) -> Self {
        if late != Late::Request {
            return Self::broken_off(url, TIMED_OUT.to_owned());
        }
        let (url, seconds) = (shown(url), limit.as_secs());
        let message = format!("the answer of {url} did not end within {seconds} s");
        Self {
            error: temporary(message)
                .hint("give --request-timeout SECS if the connection is that slow"),
            may_have_arrived: true,
            tls: None,
        }
    }

    fn broken_off(url: &Url, cause: String) -> Self {
        let message = format!("the answer of {} broke off", shown(url));
        Self {
            error: temporary(message).because(cause).hint("run this again"),
            may_have_arrived: true,
            tls: None,
        }
    }
}

fn temporary(message: String) -> Error {
    Error::new(Kind::Temporary, message)
}

/// A URL without what may be secret in it.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    format!("{:?}", url.as_str())
}

/// The innermost two causes: reqwest's and hyper's own layers say nothing that helps.
fn innermost(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words: Vec<String> = Vec::new();
    let mut next: Option<&dyn StdError> = Some(&error);
    while let Some(error) = next {
        let text = error.to_string();
        words.retain(|word| !word.contains(&text) && !text.contains(word.as_str()));
        words.push(text);
        next = error.source();
    }
    let skip = words.len().saturating_sub(2);
    // A certificate's names may be among them, however many it has.
    shortened(words.split_off(skip).join(": "))
}

fn find_tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // io::Error hides what it wraps from source().
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(|error| error.get_ref());
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}
