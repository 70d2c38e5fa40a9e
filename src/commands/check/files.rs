//! The files of a registration: there, and what their readers take.

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::error::Result;
use crate::key::certificate;
use crate::sota::directory::{Directory, is_there};
use crate::sota::installed::{
    Configuration, not_registered, required_text, unusable, unusable_file,
};
use crate::sota::journal;

pub(super) fn directory(facts: &mut Facts) -> Result<Outcome> {
    if !is_there(&facts.sota_dir) {
        return Err(not_registered(&facts.sota_dir));
    }
    facts.sota = Some(Directory::open(&facts.sota_dir)?);
    Ok(Outcome::Ok(facts.sota_dir.display().to_string()))
}

pub(super) fn configuration(facts: &mut Facts) -> Result<Outcome> {
    let configuration = Configuration::required(needed(facts.sota.as_ref())?)?;
    configuration.check_complete().map_err(unusable)?;
    let server = configuration.gateway().map_err(unusable)?.to_owned();
    facts.configuration = Some(configuration);
    Ok(Outcome::Ok(format!("for the gateway {server}")))
}

pub(super) fn roots(facts: &mut Facts) -> Result<Outcome> {
    let path = facts.imported("tls_cacert_path")?;
    let pem = required_text(needed(facts.sota.as_ref())?, &path)?;
    let roots = certificate::check_roots(&pem).map_err(unusable_file(&path))?;
    let ok = format!("{path} ({} in it)", roots.len());
    facts.roots = Some(roots);
    Ok(Outcome::Ok(ok))
}

pub(super) fn journal(facts: &mut Facts) -> Result<Outcome> {
    let waits = journal::is_there(needed(facts.sota.as_ref())?)?;
    let warning = (
        "an interrupted registration waits to be finished".to_owned(),
        Some("run lmp-device-register".to_owned()),
    );
    Ok(Outcome::of(
        waits.then_some(warning).into_iter().collect(),
        "none".to_owned(),
    ))
}
