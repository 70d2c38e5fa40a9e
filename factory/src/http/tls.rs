//! TLS configurations of the two ports.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_cert::Certificate;
use x509_cert::der::Encode as _;

use crate::error::Error;
use crate::pki::Identity;

/// HTTPS for anybody.
pub(crate) fn public(identity: &Identity) -> Result<TlsAcceptor, Error> {
    acceptor(identity, None)
}

/// HTTPS for those who prove a certificate that one of the CAs signed for TLS clients.
pub(crate) fn mutual(
    identity: &Identity,
    client_cas: &[&Certificate],
) -> Result<TlsAcceptor, Error> {
    acceptor(identity, Some(client_cas))
}

fn acceptor(
    identity: &Identity,
    client_cas: Option<&[&Certificate]>,
) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match client_cas {
        None => builder.with_no_client_auth(),
        Some(cas) => {
            let mut roots = RootCertStore::empty();
            for ca in cas {
                roots.add(der(ca)?)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(vec![der(&identity.certificate)?], identity.key.for_tls()?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn der(certificate: &Certificate) -> Result<CertificateDer<'static>, Error> {
    Ok(CertificateDer::from(certificate.to_der()?))
}
