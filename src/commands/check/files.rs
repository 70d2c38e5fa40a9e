//! The files of a registration: there, and what their readers take.

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::error::Result;
use crate::key::certificate::{self, DeviceCertificate};
use crate::sota::directory::Directory;
use crate::sota::files::{CERTIFICATE, ROOT};
use crate::sota::installed::{Configuration, required_text, unusable};
use crate::sota::journal;

pub(super) fn directory(facts: &mut Facts) -> Result<Outcome> {
    facts.sota = Some(Directory::open(&facts.sota_dir)?);
    Ok(Outcome::Ok)
}

pub(super) fn configuration(facts: &mut Facts) -> Result<Outcome> {
    let configuration = Configuration::required(needed(facts.sota.as_ref())?)?;
    configuration.check_complete().map_err(unusable)?;
    facts.configuration = Some(configuration);
    Ok(Outcome::Ok)
}

pub(super) fn certificate(facts: &mut Facts) -> Result<Outcome> {
    let pem = required_text(needed(facts.sota.as_ref())?, CERTIFICATE)?;
    facts.certificate = Some(DeviceCertificate::from_pem(&pem).map_err(unusable)?);
    Ok(Outcome::Ok)
}

pub(super) fn roots(facts: &mut Facts) -> Result<Outcome> {
    let pem = required_text(needed(facts.sota.as_ref())?, ROOT)?;
    facts.roots = Some(certificate::check_roots(&pem).map_err(unusable)?);
    Ok(Outcome::Ok)
}

pub(super) fn journal(facts: &mut Facts) -> Result<Outcome> {
    let waits = journal::is_there(needed(facts.sota.as_ref())?)?;
    let warning = "an interrupted registration waits to be finished: run lmp-device-register";
    Ok(Outcome::of(
        waits.then(|| warning.into()).into_iter().collect(),
    ))
}
