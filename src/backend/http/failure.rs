//! No answer: why, in words for people, and whether the request may have arrived all the same. Never
//! shows a URL's query, which may be secret.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::Url;
use rustls::AlertDescription as Alert;

use super::timing::Late;
use super::trust::Trust;
use crate::error::{Error, Kind};

mod tls;

/// What an operation comes to that its limit ended.
const TIMED_OUT: &str = "operation timed out";

/// The most characters of a cause: a certificate's names are among them, however many it has.
const CAUSE_LIMIT: usize = 600;

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

/// Whose certificate TLS does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsFailure {
    /// Ours, and why the server says so.
    Ours(&'static str),
    /// The server's, by the clock.
    ServersByClock,
    /// The server's.
    Servers,
}

/// Which command asks: a hint names only what that one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A registration: the backend, or the authorisation server.
    Registration,
    /// `check`: the Device Gateway.
    Check,
}

impl Asker {
    /// Only the gateway is verified by the registration's own roots.
    pub(super) fn who_trusts(trust: &Trust) -> Self {
        match trust {
            Trust::System | Trust::File(_) => Self::Registration,
            Trust::Roots(_) => Self::Check,
        }
    }

    fn network(self) -> &'static str {
        match self {
            Self::Registration => {
                "check the network, DEVICE_API and https_proxy, then run this again"
            }
            Self::Check => "check the network and https_proxy, then run this again",
        }
    }
}

impl NoAnswer {
    /// The client failed before an answer began, perhaps on the way through `proxy`.
    pub(super) fn failed(
        asker: Asker,
        url: &Url,
        cause: reqwest::Error,
        proxy: Option<String>,
    ) -> Self {
        let tls = tls_failure(&cause);
        if !(cause.is_connect() || cause.is_builder()) {
            let (late, cause) = (cause.is_timeout(), innermost(cause));
            return Self {
                tls,
                ..Self::unanswered(url, true, late, cause, asker.network())
            };
        }
        if let Some(trouble) = find_tls_error(&cause).and_then(|error| tls::explain(error, asker)) {
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
        let Some(proxy) = proxy.filter(|_| find_tls_error(&cause).is_none()) else {
            return Self {
                tls,
                ..Self::unanswered(url, false, false, innermost(cause), asker.network())
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
    pub(super) fn late(asker: Asker, url: &Url, late: Late) -> Self {
        let connected = late != Late::Connection;
        Self::unanswered(url, connected, true, TIMED_OUT.to_owned(), asker.network())
    }

    fn unanswered(
        url: &Url,
        connected: bool,
        late: bool,
        cause: String,
        hint: &'static str,
    ) -> Self {
        let url = shown(url);
        let message = match (connected, late) {
            (false, _) => format!("cannot connect to {url}"),
            (true, true) => format!("no answer from {url} in time"),
            (true, false) => format!("the connection to {url} broke before an answer came"),
        };
        Self {
            error: temporary(message).because(cause).hint(hint),
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
    let mut words = words.split_off(skip).join(": ");
    if let Some((end, _)) = words.char_indices().nth(CAUSE_LIMIT) {
        words.truncate(end);
        words.push_str("...");
    }
    words
}

/// With TLS 1.3 a server judges our certificate after we took the handshake for finished.
fn tls_failure(error: &reqwest::Error) -> Option<TlsFailure> {
    use rustls::CertificateError as Reason;
    Some(match find_tls_error(error)? {
        rustls::Error::InvalidCertificate(
            Reason::Expired
            | Reason::ExpiredContext { .. }
            | Reason::NotValidYet
            | Reason::NotValidYetContext { .. },
        ) => TlsFailure::ServersByClock,
        rustls::Error::InvalidCertificate(_) => TlsFailure::Servers,
        rustls::Error::AlertReceived(alert) => TlsFailure::Ours(match alert {
            Alert::UnknownCA => "it does not know the CA that signed it",
            Alert::CertificateExpired => "it says that it is expired",
            Alert::CertificateRevoked => "it says that it is revoked",
            Alert::DecryptError => "it cannot verify a signature",
            Alert::CertificateRequired | Alert::NoCertificate => "it says that it got none",
            Alert::AccessDenied => "it denies access",
            Alert::BadCertificate | Alert::UnsupportedCertificate | Alert::CertificateUnknown => {
                "it finds it bad"
            }
            _ => return None,
        }),
        _ => return None,
    })
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
