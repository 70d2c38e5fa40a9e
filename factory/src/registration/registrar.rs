//! Carries out one registration: sign, enter, and gather the device's files.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRef;
use serde::Serialize;

use super::sota_toml::render;
use super::wire::Registration;
use crate::error::Error;
use crate::pki::{Ca, DeviceCsr, Profile, to_pem};
use crate::site::Site;
use crate::store::{Device, Entry, Issued, Standing, Store};
use crate::time::Timestamp;

/// The answer to a registration.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The device is entered, now or earlier with the same key.
    Registered(Box<Files>),
    /// The UUID belongs to another key.
    OtherKey,
    /// The UUID was deleted.
    Denied,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Registered(_) => "registered",
            Self::OtherKey => "refused: the UUID has another key",
            Self::Denied => "refused: the UUID is denied",
        })
    }
}

/// The files that a device installs, by name.
#[derive(Debug, Serialize)]
pub(crate) struct Files {
    #[serde(rename = "root.crt")]
    root: String,
    #[serde(rename = "client.pem")]
    client: String,
    #[serde(rename = "client.chained")]
    chained: String,
    #[serde(rename = "sota.toml")]
    sota_toml: String,
}

/// Signs devices with the online CA and enters them.
#[derive(Debug)]
pub(crate) struct Registrar {
    pub(crate) store: Store,
    pub(crate) site: Arc<Site>,
    ca: Ca,
    ca_pem: String,
    root_pem: String,
}

/// Who may call is known by the store.
impl FromRef<Arc<Registrar>> for Store {
    fn from_ref(registrar: &Arc<Registrar>) -> Self {
        registrar.store.clone()
    }
}

impl Registrar {
    pub(crate) fn new(
        store: Store,
        site: Arc<Site>,
        ca: Ca,
        root_pem: String,
    ) -> Result<Self, Error> {
        let ca_pem = to_pem(&ca.certificate)?;
        Ok(Self {
            store,
            site,
            ca,
            ca_pem,
            root_pem,
        })
    }

    /// Registers a device. A caller that goes away, at whatever moment, leaves one entry or none, and
    /// the same request again is answered with the same certificate.
    pub(crate) async fn register(&self, registration: Registration) -> Result<Outcome, Error> {
        let csr = &registration.csr;
        let sota_toml = render(&self.site.urls.gateway, &registration.wanted);
        let device = Device {
            uuid: registration.uuid,
            name: registration.name,
            factory: self.site.factory.clone(),
            group: registration.group,
            hardware_id: Some(registration.wanted.hardware_id.to_string()),
            production: csr.subject.production,
            public_key_sha256: csr.key.fingerprint()?,
            created_at: Timestamp::now(),
        };

        let found = self.store.find(&device.uuid, &device.public_key_sha256);
        let found = found.await?;
        let issued = None;
        let mut entry = Entry { device, issued };
        let found = if let Some(standing) = found {
            standing
        } else {
            let issued = self.issue(csr)?;
            entry.issued = Some(issued.clone());
            match self.store.enter(&entry).await? {
                None => return Ok(self.registered(issued, sota_toml)),
                // The same device was faster on another connection.
                Some(standing) => standing,
            }
        };
        let Entry { device, issued } = match found {
            Standing::OtherKey => return Ok(Outcome::OtherKey),
            Standing::Denied => return Ok(Outcome::Denied),
            Standing::Known(known) => *known,
        };
        let issued = issued.filter(|earlier| {
            device.production == entry.device.production && self.still_good(earlier)
        });
        let issued = issued.map_or_else(|| self.issue(csr), Ok)?;
        entry.issued = Some(issued.clone());
        if !self.store.update(&entry).await? {
            return Ok(Outcome::Denied);
        }
        Ok(self.registered(issued, sota_toml))
    }

    fn issue(&self, csr: &DeviceCsr) -> Result<Issued, Error> {
        let certificate = self.ca.issue(Profile::Device, &csr.subject, csr.key)?;
        let ends = certificate.tbs_certificate().validity().not_after;
        Ok(Issued {
            certificate_pem: to_pem(&certificate)?,
            issuer_pem: self.ca_pem.clone(),
            ends: ends.to_system_time().into(),
        })
    }

    /// Whether a certificate can be answered again: it is in force and of the present CA.
    fn still_good(&self, issued: &Issued) -> bool {
        issued.ends > Timestamp::now() && issued.issuer_pem == self.ca_pem
    }

    fn registered(&self, issued: Issued, sota_toml: String) -> Outcome {
        Outcome::Registered(Box::new(Files {
            root: self.root_pem.clone(),
            chained: format!("{}{}", issued.certificate_pem, issued.issuer_pem),
            client: issued.certificate_pem,
            sota_toml,
        }))
    }
}
