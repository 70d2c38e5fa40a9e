//! What an error of TLS means to a person. Never lets a wrong certificate through: it only explains.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription as Alert, CertificateError as Reason, Error as TlsError};

use super::Asker;
use crate::board::clock;
use crate::error::Kind;

/// Why a server is none for us.
pub(super) struct Trouble {
    /// [`Kind::Temporary`] if trying again can mend it.
    pub kind: Kind,
    /// The cause where rustls' own words would not be understood.
    pub words: Option<String>,
    /// What to do about it.
    pub hint: String,
}

/// Explains a server's certificate that is not taken, and a handshake that nobody can end.
pub(super) fn explain(error: &TlsError, asker: Asker) -> Option<Trouble> {
    match error {
        TlsError::InvalidCertificate(reason) => Some(certificate(reason, asker)),
        // The server may have nothing to offer now: it is asked again.
        TlsError::PeerIncompatible(_)
        | TlsError::AlertReceived(
            Alert::HandshakeFailure | Alert::ProtocolVersion | Alert::InsufficientSecurity,
        ) => Some(Trouble {
            kind: Kind::Temporary,
            words: None,
            hint: "the server must speak TLS 1.3, or 1.2 with ECDHE and AES-GCM or ChaCha20 (no \
                   CBC, no RSA key exchange), and its key must be RSA, P-256, P-384 or Ed25519 (no \
                   P-521)"
                .to_owned(),
        }),
        _ => None,
    }
}

fn certificate(reason: &Reason, asker: Asker) -> Trouble {
    let final_with = |hint: &str| Trouble {
        kind: Kind::Configuration,
        words: None,
        hint: hint.to_owned(),
    };
    let dates = |now: &UnixTime, words: &str, limit: &UnixTime| {
        let date = |time: &UnixTime| clock::date(time.as_secs());
        Some(format!(
            "its certificate {words} {}, and this device's clock says {}",
            date(limit),
            date(now)
        ))
    };
    match reason {
        // A server shows no certificate of the future: it is our clock that lags behind.
        Reason::NotValidYetContext { time, not_before } => Trouble {
            kind: Kind::Temporary,
            words: dates(time, "is valid from", not_before),
            hint: clock_hint(asker),
        },
        Reason::ExpiredContext { time, not_after } => Trouble {
            kind: if clock::doubt_now().is_some() {
                Kind::Temporary
            } else {
                Kind::Configuration
            },
            words: dates(time, "expired on", not_after),
            hint: clock_hint(asker),
        },
        Reason::UnknownIssuer => final_with(match asker {
            Asker::Registration => {
                "give --ca-file FILE with the CA that signed the server's certificate, or set \
                 SSL_CERT_FILE"
            }
            Asker::Check => {
                "root.crt must hold the CA that signed the server's certificate: another server \
                 may be in the way, or the device must be registered again (--force 1)"
            }
        }),
        Reason::NotValidForNameContext { presented, .. } if presented.is_empty() => final_with(
            "the server's certificate has a name in its CN only: it must have a subjectAltName",
        ),
        Reason::UnsupportedSignatureAlgorithmContext { .. }
        | Reason::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => final_with(
            "the server's certificate must be signed with RSA, P-256, P-384 or Ed25519, and \
             SHA-256 or better (no P-521, no SHA-1)",
        ),
        _ => final_with(
            "the server is not the one that the address names, or its certificate is not for it",
        ),
    }
}

fn clock_hint(asker: Asker) -> String {
    let doubt = match asker {
        Asker::Registration => clock::doubt_now(),
        Asker::Check => clock::doubt_without_waiting(),
    };
    doubt.unwrap_or_else(|| "the device's clock may be wrong: compare it with date -u".to_owned())
}
