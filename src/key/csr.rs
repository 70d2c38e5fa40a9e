//! Pure: an identity and a key become a certificate signing request (PKCS#10, RFC 2986).

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyUsagePurpose};

use super::device_key::DeviceKey;
use crate::error::{Error, Result};

/// businessCategory (X.520), which marks a production device.
const BUSINESS_CATEGORY: &[u64] = &[2, 5, 4, 15];
/// extendedKeyUsage (RFC 5280 section 4.2.1.12).
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
/// DER of a sequence of the one purpose id-kp-clientAuth, 1.3.6.1.5.5.7.3.2.
const CLIENT_AUTH: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02,
];

/// What the certificate will say of the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// CN.
    pub uuid: &'a str,
    /// OU.
    pub factory: &'a str,
    /// businessCategory = `production`.
    pub production: bool,
}

/// A PEM request for `subject`, signed by `key`: CN, OU and businessCategory in this order as
/// UTF8String; critical digitalSignature and critical clientAuth requested.
pub(crate) fn build(subject: Subject<'_>, key: &DeviceKey) -> Result<String> {
    let Subject {
        uuid,
        factory,
        production,
    } = subject;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name = &mut params.distinguished_name;
    name.push(DnType::CommonName, uuid);
    name.push(DnType::OrganizationalUnitName, factory);
    if production {
        name.push(
            DnType::CustomDnType(BUSINESS_CATEGORY.to_vec()),
            "production",
        );
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // rcgen's own extended key usage is not critical, and backends expect that it is.
    let mut purpose = CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, CLIENT_AUTH.to_vec());
    purpose.set_criticality(true);
    params.custom_extensions = vec![purpose];
    let unsigned = |cause: rcgen::Error| {
        key.take_error()
            .unwrap_or_else(|| Error::bug("the signing request could not be built").because(cause))
    };
    let request = params.serialize_request(key).map_err(unsigned)?;
    // One spelling of line ends, whatever the PEM writer likes.
    request
        .pem()
        .map(|pem| pem.replace("\r\n", "\n"))
        .map_err(unsigned)
}
