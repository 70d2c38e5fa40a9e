//! Carries out one registration: sign, enter, and gather the device's files.

use std::fmt;

use serde::Serialize;

use super::sota_toml::{Facts, render};
use super::wire::Registration;
use crate::app::Factory;
use crate::error::Error;
use crate::pki::{self, DeviceCsr, Profile};
use crate::store::{Entry, Issued, Known, Standing};
use crate::time::{now, seconds};

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

/// Registers a device. A caller that goes away, at whatever moment, leaves one entry or none, and
/// the same request again is answered with the same certificate.
pub(crate) async fn register(
    factory: &Factory,
    registration: Registration,
) -> Result<Outcome, Error> {
    let Registration {
        uuid,
        name,
        group,
        hardware_id,
        sota_dir,
        use_ostree_server,
        csr,
        overrides,
    } = registration;
    let facts = Facts {
        gateway_url: &factory.urls.gateway,
        sota_dir: &sota_dir,
        hardware_id: &hardware_id,
        use_ostree_server,
    };
    let sota_toml = render(&facts, &overrides);
    let mut entry = Entry {
        uuid,
        name,
        factory: factory.name.clone(),
        group,
        hardware_id: Some(hardware_id.as_str().into()),
        production: csr.subject.production,
        public_key_sha256: csr.key.fingerprint()?,
        issued: None,
    };

    let database = &factory.database;
    let found = if let Some(standing) = database.find(&entry.uuid, &entry.public_key_sha256).await?
    {
        standing
    } else {
        let issued = issue(factory, &csr)?;
        entry.issued = Some(issued.clone());
        match database.enter(&entry).await? {
            None => return Ok(registered(factory, issued, sota_toml)),
            // The same device was faster on another connection.
            Some(standing) => standing,
        }
    };
    let issued = match found {
        Standing::OtherKey => return Ok(Outcome::OtherKey),
        Standing::Denied => return Ok(Outcome::Denied),
        Standing::Known(known) => match *known {
            Known {
                device,
                issued: Some(earlier),
            } if device.production == entry.production && still_good(factory, &earlier)? => earlier,
            _ => issue(factory, &csr)?,
        },
    };
    entry.issued = Some(issued.clone());
    if !database.update(&entry).await? {
        return Ok(Outcome::Denied);
    }
    Ok(registered(factory, issued, sota_toml))
}

fn issue(factory: &Factory, csr: &DeviceCsr) -> Result<Issued, Error> {
    let ca = &factory.pki.online_ca;
    let certificate = ca.issue(Profile::Device, &csr.subject, csr.key)?;
    let ends = certificate.tbs_certificate().validity().not_after;
    Ok(Issued {
        certificate_pem: pki::to_pem(&certificate)?,
        issuer_pem: pki::to_pem(&ca.certificate)?,
        ends: seconds(ends.to_system_time()),
    })
}

/// Whether a certificate can be answered again: it is in force and of the present CA.
fn still_good(factory: &Factory, issued: &Issued) -> Result<bool, Error> {
    let present = pki::to_pem(&factory.pki.online_ca.certificate)?;
    Ok(issued.ends > now() && issued.issuer_pem == present)
}

fn registered(factory: &Factory, issued: Issued, sota_toml: String) -> Outcome {
    let Issued {
        certificate_pem,
        issuer_pem,
        ends: _,
    } = issued;
    Outcome::Registered(Box::new(Files {
        root: factory.pki.root_pem.clone(),
        chained: format!("{certificate_pem}{issuer_pem}"),
        client: certificate_pem,
        sota_toml,
    }))
}
