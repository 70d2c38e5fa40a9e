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

/// HTTPS for anybody, or for those who prove a certificate that a CA signed for TLS clients.
pub(crate) fn acceptor(
    identity: &Identity,
    client_ca: Option<&Certificate>,
) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = if let Some(ca) = client_ca {
        let mut roots = RootCertStore::empty();
        roots.add(der(ca)?)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build()?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config =
        builder.with_single_cert(vec![der(&identity.certificate)?], identity.key.for_tls()?)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn der(certificate: &Certificate) -> Result<CertificateDer<'static>, Error> {
    Ok(CertificateDer::from(certificate.to_der()?))
}
