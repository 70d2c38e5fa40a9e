//! `check`: do key, certificate and configuration fit together, and does the Device Gateway take
//! them? Runs every check of its list that can run, and never changes anything.

use std::path::Path;

use crate::backend::http::Timeouts;
use crate::board::process;
use crate::error::{Error, Result};

mod facts;
mod files;
mod finding;
mod gateway;
mod key;

use facts::Facts;
use finding::{Finding, Outcome};

pub(crate) use facts::Device;

/// One question about a registration: its name, the earlier ones without which it cannot be
/// answered, and how it is.
struct Check(
    &'static str,
    &'static [&'static str],
    fn(&mut Facts) -> Result<Outcome>,
);

/// In the order in which their failures count. No PIN is given away for a registration that is none.
#[rustfmt::skip]
const CHECKS: [Check; 9] = [
    Check("directory", &[], files::directory),
    Check("sota.toml", &["directory"], files::configuration),
    Check("client.pem", &["directory"], files::certificate),
    Check("private key", &["sota.toml", "client.pem"], key::private_key),
    Check("key of the certificate", &["private key"], key::pair),
    Check("validity", &["client.pem"], key::validity),
    Check("root.crt", &["directory"], files::roots),
    Check("interrupted registration", &["directory"], files::journal),
    Check("Device Gateway", &["key of the certificate", "validity", "root.crt"], gateway::gateway),
];

/// What `check` found.
#[derive(Debug)]
pub(crate) struct Health {
    /// One of each check, in their order.
    findings: Vec<Finding>,
    /// The device, as far as `sota.toml` and its certificate can be read.
    device: Option<Device>,
}

impl Health {
    /// The device and its warnings, or the first failure.
    pub(crate) fn verdict(self) -> Result<(Device, Vec<String>)> {
        let mut warnings = Vec::new();
        for Finding { check: _, outcome } in self.findings {
            match outcome {
                Outcome::Ok | Outcome::Skipped(_) => {}
                Outcome::Warned(more) => warnings.extend(more),
                Outcome::Failed(error) => return Err(error),
            }
        }
        let device = self
            .device
            .ok_or_else(|| Error::bug("a device was expected"));
        Ok((device?, warnings))
    }
}

/// Checks the registration in `sota_dir`, and the Device Gateway's opinion unless `offline`.
pub(crate) fn check(sota_dir: &Path, offline: bool, timeouts: Timeouts) -> Health {
    // Best effort: where it is refused, checking is still worth it.
    let _ = process::lock_memory();
    let mut facts = Facts {
        sota_dir: sota_dir.to_owned(),
        timeouts: (!offline).then_some(timeouts),
        ..Facts::default()
    };
    let mut findings = Vec::new();
    for Check(check, needs, run) in CHECKS {
        let outcome = match obstacle(&findings, needs) {
            Some(earlier) => Outcome::Skipped(earlier),
            None => run(&mut facts).unwrap_or_else(Outcome::Failed),
        };
        findings.push(Finding { check, outcome });
    }
    Health {
        findings,
        device: facts.device(),
    }
}

/// What failed so that a check with these needs cannot be made.
fn obstacle(findings: &[Finding], needs: &[&'static str]) -> Option<&'static str> {
    findings
        .iter()
        .filter(|finding| needs.contains(&finding.check))
        .find_map(|finding| match finding.outcome {
            Outcome::Failed(_) => Some(finding.check),
            Outcome::Skipped(earlier) => Some(earlier),
            Outcome::Ok | Outcome::Warned(_) => None,
        })
}

#[cfg(test)]
mod tests;
