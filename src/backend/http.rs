//! The one HTTP client: trust, proxy, time and size limits. Who asks decides what an answer means.

use std::error::Error as StdError;
use std::io::Read as _;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::blocking::Client as Connections;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::retry;
use crate::board::clock;
use crate::error::{Error, Kind, Result};
use crate::key::{TlsKey, certificate};
use crate::sota::directory::read_text;

/// The most bytes of a file of CA certificates.
const CA_FILE_LIMIT: usize = 4 * 1024 * 1024;

/// Limits in time of the HTTP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For TCP and TLS together.
    pub connect: Duration,
    /// Between two reads.
    pub read: Duration,
    /// From the first byte sent to the last byte read.
    pub request: Duration,
}

/// Whom to trust as a server.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// The device's own store, or `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// The CAs in this file, and no others.
    File(PathBuf),
    /// These CAs, and no others.
    Roots(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// What to verify servers with.
    ///
    /// # Errors
    /// [`Kind::Configuration`] if a file is unreadable, or nobody is trusted.
    pub(crate) fn roots(&self) -> Result<RootCertStore> {
        let mut store = RootCertStore::empty();
        let hint = "give --ca-file FILE, or set SSL_CERT_FILE";
        match self {
            Trust::System => {
                let found = rustls_native_certs::load_native_certs();
                let (added, _) = store.add_parsable_certificates(found.certs);
                if added == 0 {
                    let error = Error::setting("this device has no CA certificates to trust");
                    return Err(match found.errors.into_iter().next() {
                        Some(cause) => error.because(cause),
                        None => error,
                    }
                    .hint(hint));
                }
            }
            Trust::File(path) => {
                for root in read_roots(path)? {
                    store.add(root).map_err(|cause| {
                        Error::setting(format!("{path:?} holds a damaged certificate"))
                            .because(cause)
                    })?;
                }
            }
            Trust::Roots(roots) => {
                for root in roots {
                    store.add(root.clone()).map_err(|cause| {
                        Error::setting("root.crt holds a damaged certificate").because(cause)
                    })?;
                }
            }
        }
        Ok(store)
    }
}

/// The device's certificate and key, for mTLS.
#[derive(Debug, Clone)]
pub(crate) struct ClientIdentity {
    /// The leaf alone: EST servers refuse more.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: TlsKey,
}

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
    /// `Retry-After`, as sent.
    pub retry_after: Option<String>,
    /// `Location`, as sent.
    pub location: Option<String>,
    /// At most `limit` bytes of the body.
    pub body: Vec<u8>,
    /// There was more.
    pub truncated: bool,
}

impl Answer {
    /// How long the server asks to wait, if it does.
    #[must_use]
    pub(crate) fn pause(&self) -> Option<Duration> {
        let text = self.retry_after.as_deref()?;
        retry::parse_retry_after(text, clock::now())
    }
}

/// No answer.
#[derive(Debug)]
pub(crate) struct NoAnswer {
    /// What went wrong, as shown if nobody tries again.
    pub error: Error,
    /// The request may have reached the server.
    pub may_have_arrived: bool,
}

/// The client. It keeps connections open between requests.
#[derive(Debug)]
pub(crate) struct Client {
    // Dropping it would wait for a name that is still being looked up; the process ends anyway.
    connections: ManuallyDrop<Connections>,
    timeouts: Timeouts,
}

impl Client {
    /// A client that talks to the servers of `urls`. The system's trust store is read only if TLS may
    /// be spoken; a file that somebody named is read always, so that a wrong one is noticed.
    ///
    /// # Errors
    /// [`Kind::Configuration`] if there is nobody to trust.
    pub(crate) fn new(
        urls: &[&Url],
        trust: &Trust,
        identity: Option<ClientIdentity>,
        timeouts: Timeouts,
    ) -> Result<Self> {
        let may_speak_tls = || urls.iter().any(|url| url.scheme() == "https") || has_tls_proxy();
        let roots = match trust {
            Trust::System if !may_speak_tls() => RootCertStore::empty(),
            _ => trust.roots()?,
        };
        let tls = tls_configuration(roots, identity)?;
        let connections = Connections::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(timeouts.connect)
            .timeout((timeouts.connect + timeouts.read).min(timeouts.request))
            .user_agent(concat!("lmp-device-register/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| {
                Error::setting("the HTTP client could not be set up")
                    .because(cause)
                    .hint("look at https_proxy, http_proxy and no_proxy")
            })?;
        Ok(Self {
            connections: ManuallyDrop::new(connections),
            timeouts,
        })
    }

    /// Sends a request and reads its answer within the limits.
    ///
    /// # Errors
    /// [`NoAnswer`] if there was none, or it did not end in time.
    pub(crate) fn send(&self, request: Request<'_>) -> std::result::Result<Answer, NoAnswer> {
        let Request {
            method,
            url,
            headers,
            body,
            limit,
        } = request;
        let deadline = Instant::now() + self.timeouts.request;
        let mut builder = self
            .connections
            .request(method, url.clone())
            .headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let mut response = builder.send().map_err(|cause| no_answer(url, cause))?;
        let text = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: text(RETRY_AFTER),
            location: text(LOCATION),
            body: Vec::new(),
            truncated: false,
        };
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = response
                .read(&mut chunk)
                .map_err(|cause| broken_off(url, cause))?;
            if read == 0 {
                return Ok(answer);
            }
            let room = limit - answer.body.len();
            answer.body.extend_from_slice(&chunk[..read.min(room)]);
            if read > room {
                answer.truncated = true;
                return Ok(answer);
            }
            if Instant::now() > deadline {
                let seconds = self.timeouts.request.as_secs();
                return Err(NoAnswer {
                    error: Error::new(
                        Kind::Temporary,
                        format!(
                            "the answer of {} did not end within {seconds} s",
                            shown(url)
                        ),
                    )
                    .hint("give --request-timeout SECS if the connection is that slow"),
                    may_have_arrived: true,
                });
            }
        }
    }
}

/// A URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    format!("{:?}", url.as_str())
}

fn no_answer(url: &Url, cause: reqwest::Error) -> NoAnswer {
    let may_have_arrived = !(cause.is_connect() || cause.is_builder());
    let hint = tls_hint(&cause);
    let message = if cause.is_timeout() && may_have_arrived {
        format!("no answer from {} in time", shown(url))
    } else if may_have_arrived {
        format!(
            "the connection to {} broke before an answer came",
            shown(url)
        )
    } else {
        format!("cannot connect to {}", shown(url))
    };
    let error = Error::new(Kind::Temporary, message).because(Causes::of(&cause));
    let error = match hint {
        Some(hint) => error.hint(hint),
        None => error.hint("check the network, DEVICE_API and https_proxy, then run this again"),
    };
    NoAnswer {
        error,
        may_have_arrived,
    }
}

fn broken_off(url: &Url, cause: std::io::Error) -> NoAnswer {
    NoAnswer {
        error: Error::new(
            Kind::Temporary,
            format!("the answer of {} broke off", shown(url)),
        )
        .because(Causes::of(&cause))
        .hint("run this again"),
        may_have_arrived: true,
    }
}

/// The innermost two causes: reqwest's and hyper's own layers say nothing that helps.
#[derive(Debug)]
struct Causes(String);

impl Causes {
    fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            words.retain(|word| !word.contains(&text) && !text.contains(word.as_str()));
            words.push(text);
            next = error.source();
        }
        let skip = words.len().saturating_sub(2);
        Self(words.split_off(skip).join(": "))
    }
}

impl std::fmt::Display for Causes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl StdError for Causes {}

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

fn has_tls_proxy() -> bool {
    ["http_proxy", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .filter_map(std::env::var_os)
        .any(|value| value.to_string_lossy().starts_with("https:"))
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read_text(path, CA_FILE_LIMIT)?;
    let roots = certificate::certificates(&text)
        .map_err(|flaw| Error::setting(flaw).context(format_args!("{path:?}")))?;
    if roots.is_empty() {
        return Err(Error::setting(format!(
            "{path:?} holds no certificate in PEM"
        )));
    }
    Ok(roots)
}

fn tls_configuration(
    roots: RootCertStore,
    identity: Option<ClientIdentity>,
) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::bug("TLS could not be set up").because(cause))?
        .with_root_certificates(roots);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { certificate, key }) => {
            let certified = CertifiedKey::new(vec![certificate], Arc::new(key));
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    })
}
