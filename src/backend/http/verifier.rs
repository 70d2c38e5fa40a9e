//! Verifies a server's certificate: webpki's judgement, after which those that it cannot know or does
//! not take are looked at once more. Never trusts what no file or store of this device holds.

use std::fmt;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::trust::Trust;

const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// A server is who it says if webpki verifies it with the store that was read first. If that is not
/// enough, everything that is trusted is read: a server is also good if it has exactly one of these
/// certificates (one that `openssl req -x509` made is a CA's, which webpki takes from no server), or
/// if a CA that lies only in a directory has signed it.
pub(super) struct Verifier {
    /// What was read first.
    pub roots: RootCertStore,
    /// Where everything is.
    pub trust: Trust,
    /// What signatures may be made with.
    pub algorithms: WebPkiSupportedAlgorithms,
}

// rustls wants it; derived, it would bring the words of half of rustls.
impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Verifier")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        der: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(der)?;
        let judge = |roots: &RootCertStore| {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, chain, now, algorithms)
        };
        match judge(&self.roots) {
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) => {
                let trusted = self.trust.certificates().unwrap_or_default();
                if trusted.contains(der) {
                    check_alone(der, now)?;
                } else {
                    let mut roots = RootCertStore::empty();
                    roots.add_parsable_certificates(trusted);
                    judge(&roots)?;
                }
            }
            judged => judged?,
        }
        verify_server_name(&certificate, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate that is trusted itself needs nobody who signed it, but its purpose and dates hold.
fn check_alone(der: &CertificateDer<'_>, time: UnixTime) -> Result<(), Error> {
    let damaged = |_| CertificateError::BadEncoding;
    let certificate = Certificate::from_der(der).map_err(damaged)?;
    let content = certificate.tbs_certificate();
    let purposes = content
        .get_extension::<ExtendedKeyUsage>()
        .map_err(damaged)?;
    let serves = |purpose: &ObjectIdentifier| [SERVER_AUTH, ANY_PURPOSE].contains(purpose);
    if purposes.is_some_and(|(_, purposes)| !purposes.0.iter().any(serves)) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    let at = |limit: x509_cert::time::Time| {
        UnixTime::since_unix_epoch(Duration::from_secs(limit.to_unix_duration().as_secs()))
    };
    let validity = content.validity();
    let (not_before, not_after) = (at(validity.not_before), at(validity.not_after));
    if time < not_before {
        return Err(CertificateError::NotValidYetContext { time, not_before }.into());
    }
    if not_after < time {
        return Err(CertificateError::ExpiredContext { time, not_after }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lmp_test_support::pki::{self, KeyPair};
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, date_time_ymd,
    };

    use super::*;

    /// The judgement at that time on a CA's certificate for localhost until 2030 that is trusted itself.
    fn judged(
        name: &'static str,
        time: u64,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<ServerCertVerified, Error> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.serial_number = Some(1.into());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        change(&mut params);
        let pem = params.self_signed(&KeyPair::new()).unwrap().pem();
        let der = CertificateDer::from(pki::der(&pem));
        let verifier = Verifier {
            roots: RootCertStore::empty(),
            trust: Trust::Roots(vec![der.clone()]),
            algorithms: rustls::crypto::ring::default_provider().signature_verification_algorithms,
        };
        let name = ServerName::try_from(name).unwrap();
        let time = UnixTime::since_unix_epoch(Duration::from_secs(time));
        verifier.verify_server_cert(&der, &[], &name, &[], time)
    }

    #[test]
    fn a_certificate_that_is_trusted_itself() {
        const IN_2026: u64 = 1_767_225_600;
        let error = |name, time, purpose: Option<ExtendedKeyUsagePurpose>| {
            let change =
                |params: &mut CertificateParams| params.extended_key_usages.extend(purpose);
            match judged(name, time, change) {
                Err(Error::InvalidCertificate(reason)) => format!("{reason:?}"),
                other => format!("{other:?}"),
            }
        };
        let good = "Ok(ServerCertVerified(()))";
        assert_eq!(error("localhost", IN_2026, None), good);
        for (purpose, begin) in [
            (ExtendedKeyUsagePurpose::ServerAuth, good),
            (ExtendedKeyUsagePurpose::Any, good),
            (ExtendedKeyUsagePurpose::ClientAuth, "InvalidPurpose"),
        ] {
            assert_eq!(error("localhost", IN_2026, Some(purpose)), begin);
        }
        for (name, time, begin) in [
            ("elsewhere", IN_2026, "NotValidForNameContext"),
            ("localhost", 0, "NotValidYetContext"),
            ("localhost", 2 * IN_2026, "ExpiredContext"),
        ] {
            let said = error(name, time, None);
            assert!(said.starts_with(begin), "{said}");
        }
    }
}
