//! A CA on the fly. It shares no code with the agent, so that the two cannot be wrong together.

use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rcgen::string::PrintableString;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PublicKeyData, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use x509_cert::der::{DecodePem as _, Encode as _};
use x509_cert::request::CertReq;

/// A key pair, EC P-256.
pub struct KeyPair {
    secret: SecretKey,
    public: PublicKey,
}

impl KeyPair {
    /// A new pair.
    pub fn new() -> Self {
        let secret = SecretKey::generate();
        let point = secret.public_key().to_sec1_point(false);
        let public = PublicKey(point.as_bytes().to_vec());
        Self { secret, public }
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// SEC1 PEM.
    pub fn pem(&self) -> String {
        let pem = self.secret.to_sec1_pem(p256::pkcs8::LineEnding::LF);
        pem.unwrap().to_string()
    }
}

impl PublicKeyData for KeyPair {
    fn der_bytes(&self) -> &[u8] {
        &self.public.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for KeyPair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = SigningKey::from(&self.secret).sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

/// The public half: an uncompressed point.
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// The key that a CSR is for.
    pub fn of_request(pem: &str) -> Self {
        let request = CertReq::from_pem(pem).unwrap();
        Self(
            request
                .info
                .public_key
                .subject_public_key
                .raw_bytes()
                .to_vec(),
        )
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn info(&self) -> Vec<u8> {
        self.subject_public_key_info()
    }
}

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// A CA with a self-signed certificate.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Ca {
    /// One whose CN is `name`.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::new();
        let mut params = params(subject(&[(DnType::CommonName, name.into())]));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// Its own certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A certificate for `key`, PEM.
    pub fn sign(&self, key: &PublicKey, params: &CertificateParams) -> String {
        params.signed_by(key, &self.issuer).unwrap().pem()
    }
}

/// A name of these attributes in this order.
pub fn subject(attributes: &[(DnType, DnValue)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in attributes {
        name.push(kind.clone(), value.clone());
    }
    name
}

fn params(subject: DistinguishedName) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from_slice(uuid::Uuid::new_v4().as_bytes()));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

/// What a good device certificate says.
pub fn device_params(uuid: &str, factory: &str) -> CertificateParams {
    let mut params = params(subject(&[
        (DnType::CommonName, uuid.into()),
        (DnType::OrganizationalUnitName, factory.into()),
    ]));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// The subject as update-server encodes it: OU first, `PrintableString`.
pub fn printable_subject(uuid: &str, factory: &str) -> DistinguishedName {
    let printable = |text: &str| DnValue::PrintableString(PrintableString::try_from(text).unwrap());
    subject(&[
        (DnType::OrganizationalUnitName, printable(factory)),
        (DnType::CommonName, printable(uuid)),
    ])
}

/// The PEM of a certificate as DER.
pub fn der(pem: &str) -> Vec<u8> {
    let certificate = x509_cert::Certificate::from_pem(pem).unwrap();
    certificate.to_der().unwrap()
}
