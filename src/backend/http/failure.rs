//! No answer: why, in words for people, and whether the request may have arrived all the same. Never
//! shows a URL's query, which may be secret.

use std::error::Error as StdError;
use std::time::Duration;

use reqwest::Url;
use rustls::AlertDescription as Alert;

use super::timing::Late;
use crate::board::clock;
use crate::error::{Error, Kind};

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

impl NoAnswer {
    /// The client failed before an answer began.
    pub(super) fn failed(url: &Url, cause: reqwest::Error) -> Self {
        let connected = !(cause.is_connect() || cause.is_builder());
        let (late, hint) = (cause.is_timeout(), tls_hint(&cause));
        let tls = tls_failure(&cause);
        Self {
            tls,
            ..Self::unanswered(url, connected, late, innermost(cause), hint)
        }
    }

    /// No answer began in time.
    pub(super) fn late(url: &Url, late: Late) -> Self {
        let cause = TIMED_OUT.to_owned();
        Self::unanswered(url, late != Late::Connection, true, cause, None)
    }

    fn unanswered(
        url: &Url,
        connected: bool,
        late: bool,
        cause: String,
        hint: Option<String>,
    ) -> Self {
        let url = shown(url);
        let message = match (connected, late) {
            (false, _) => format!("cannot connect to {url}"),
            (true, true) => format!("no answer from {url} in time"),
            (true, false) => format!("the connection to {url} broke before an answer came"),
        };
        let hint = hint.unwrap_or_else(|| {
            "check the network, DEVICE_API and https_proxy, then run this again".to_owned()
        });
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
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
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
    words.split_off(skip).join(": ")
}

/// What to do about a server's certificate that is not trusted.
fn tls_hint(error: &reqwest::Error) -> Option<String> {
    use rustls::CertificateError as Reason;
    let rustls::Error::InvalidCertificate(reason) = find_tls_error(error)? else {
        return None;
    };
    Some(match reason {
        Reason::Expired
        | Reason::ExpiredContext { .. }
        | Reason::NotValidYet
        | Reason::NotValidYetContext { .. } => clock::doubt_now().unwrap_or_else(|| {
            "the device's clock may be wrong: compare it with date -u".to_owned()
        }),
        Reason::UnknownIssuer => {
            "give --ca-file FILE with the CA that signed the server's certificate, or set \
             SSL_CERT_FILE"
                .to_owned()
        }
        _ => "the server is not the one that the address names, or its certificate is not for it"
            .to_owned(),
    })
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
