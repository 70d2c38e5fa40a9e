//! Who is at the other end of a TLS connection.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::key::PublicKey;
use super::subject::Subject;

/// The subject and public key of a certificate that a TLS handshake has already verified; `None` if
/// it is not shaped like a device's.
pub(crate) fn read_peer(der: &[u8]) -> Option<(Subject, PublicKey)> {
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let subject = Subject::read(tbs.subject()).ok()?;
    let key = PublicKey::read(tbs.subject_public_key_info())?;
    Some((subject, key))
}
