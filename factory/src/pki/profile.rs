//! The shapes of certificates: which extensions, how critical, how long.

use std::net::IpAddr;
use std::time::Duration;

use x509_cert::Certificate;
use x509_cert::TbsCertificate;
use x509_cert::builder::Result;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use crate::site::Host;

pub(super) const DAY: u64 = 24 * 60 * 60;

/// What a certificate is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Profile<'a> {
    /// Root of trust of the factory.
    Root,
    /// Signs devices.
    DeviceCa,
    /// The Device Gateway, under these hosts.
    GatewayTls(&'a [Host]),
    /// A device.
    Device,
    /// Signs the API's certificate.
    ApiCa,
    /// The API, under these hosts.
    ApiTls(&'a [Host]),
}

/// What a profile puts into a certificate.
struct Shape {
    days: u64,
    /// `None` for one that signs no others.
    ca: Option<BasicConstraints>,
    key_usage: KeyUsage,
    /// Extended key usage, and whether it is critical.
    extended: Option<(bool, ExtendedKeyUsage)>,
}

impl Profile<'_> {
    fn shape(self) -> Shape {
        let tls = |days, usage| Shape {
            days,
            ca: None,
            key_usage: KeyUsage(KeyUsages::DigitalSignature.into()),
            extended: Some((true, ExtendedKeyUsage(vec![usage]))),
        };
        let ca = |days, path_len_constraint, usages, extended| Shape {
            days,
            ca: Some(BasicConstraints {
                ca: true,
                path_len_constraint,
            }),
            key_usage: KeyUsage(usages),
            extended,
        };
        match self {
            Self::Root => {
                let usages = ExtendedKeyUsage(vec![ID_KP_SERVER_AUTH, ID_KP_CLIENT_AUTH]);
                let signs = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
                ca(20 * 365, None, signs, Some((false, usages)))
            }
            Self::DeviceCa | Self::ApiCa => {
                ca(10 * 365, Some(0), KeyUsages::KeyCertSign.into(), None)
            }
            Self::GatewayTls(_) => tls(10 * 365, ID_KP_SERVER_AUTH),
            // Browsers and Apple's TLS refuse server certificates of more than 398 days.
            Self::ApiTls(_) => tls(397, ID_KP_SERVER_AUTH),
            Self::Device => tls(20 * 365, ID_KP_CLIENT_AUTH),
        }
    }

    /// Longest lifetime; the issuer's end may cut it short.
    pub(super) fn lifetime(self) -> Duration {
        Duration::from_secs(self.shape().days * DAY)
    }

    fn alternative_names(self) -> Result<Option<SubjectAltName>> {
        let (Self::GatewayTls(hosts) | Self::ApiTls(hosts)) = self else {
            return Ok(None);
        };
        let names = hosts.iter().map(general_name).collect::<Result<_>>()?;
        Ok(Some(SubjectAltName(names)))
    }
}

fn general_name(host: &Host) -> Result<GeneralName> {
    Ok(match host {
        Host::Name(name) => GeneralName::DnsName(Ia5String::new(name)?),
        Host::Address(IpAddr::V4(address)) => {
            GeneralName::IpAddress(OctetString::new(address.octets())?)
        }
        Host::Address(IpAddr::V6(address)) => {
            GeneralName::IpAddress(OctetString::new(address.octets())?)
        }
    })
}

/// Whether a certificate's alternative names hold every host.
pub(super) fn covers(certificate: &Certificate, hosts: &[Host]) -> bool {
    let Ok(Some((_, SubjectAltName(names)))) = certificate.tbs_certificate().get_extension() else {
        return false;
    };
    hosts
        .iter()
        .all(|host| general_name(host).is_ok_and(|name| names.contains(&name)))
}

/// A profile with its names filled in: what the builder asks for.
pub(super) struct Filled<'a> {
    pub(super) profile: Profile<'a>,
    pub(super) issuer: Name,
    pub(super) subject: Name,
    /// The issuer's own identifier, if it carries one; otherwise it is computed from its key.
    pub(super) issuer_key_id: Option<SubjectKeyIdentifier>,
}

impl BuilderProfile for Filled<'_> {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> Result<Vec<Extension>> {
        let mut extensions = Vec::new();
        let subject = tbs.subject();
        let shape = self.profile.shape();
        if let Some(constraints) = shape.ca {
            extensions.push((true, &constraints).to_extension(subject, &extensions)?);
            let key_id = SubjectKeyIdentifier::try_from(key)?;
            extensions.push((&key_id).to_extension(subject, &extensions)?);
        }
        if self.issuer != self.subject {
            let key_id = match &self.issuer_key_id {
                Some(SubjectKeyIdentifier(id)) => AuthorityKeyIdentifier {
                    key_identifier: Some(id.clone()),
                    ..AuthorityKeyIdentifier::default()
                },
                None => AuthorityKeyIdentifier::try_from(issuer_key)?,
            };
            extensions.push((&key_id).to_extension(subject, &extensions)?);
        }
        extensions.push((true, &shape.key_usage).to_extension(subject, &extensions)?);
        if let Some((critical, usage)) = shape.extended {
            extensions.push((critical, &usage).to_extension(subject, &extensions)?);
        }
        if let Some(names) = self.profile.alternative_names()? {
            extensions.push((false, &names).to_extension(subject, &extensions)?);
        }
        Ok(extensions)
    }
}
