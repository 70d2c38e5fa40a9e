//! `check`: do key, certificate and configuration fit together, and does the Device Gateway take
//! them? `sota.toml` says where they are. Runs every check of its list that can run, and never
//! changes anything.

use std::path::Path;

use crate::backend::http::Timeouts;
use crate::board::process;
use crate::error::{Error, Result};

mod facts;
mod files;
mod finding;
mod gateway;
mod key;
mod rotation;

use facts::Facts;
use finding::Outcome;

pub(crate) use facts::Device;
pub(crate) use finding::{Finding, Status};

/// One question about a registration: its name, the earlier ones without which it cannot be
/// answered, and how it is.
struct Check(
    &'static str,
    &'static [&'static str],
    fn(&mut Facts) -> Result<Outcome>,
);

/// In the order in which their failures count. No PIN is given away for a registration that is none.
#[rustfmt::skip]
const CHECKS: [Check; 11] = [
    Check("directory", &[], files::directory),
    Check("sota.toml", &["directory"], files::configuration),
    Check("key store", &["sota.toml"], key::store),
    Check("certificate", &["key store"], key::certificate),
    Check("private key", &["key store"], key::private_key),
    Check("key of the certificate", &["certificate", "private key"], key::pair),
    Check("key rotation", &["directory"], rotation::rotation),
    Check("validity", &["certificate"], key::validity),
    Check("root.crt", &["sota.toml"], files::roots),
    Check("interrupted registration", &["directory"], files::journal),
    Check("Device Gateway", &["key of the certificate", "validity", "root.crt"], gateway::gateway),
];

/// What `check` found.
#[derive(Debug)]
pub(crate) struct Health {
    /// At least one of each check, in their order.
    pub findings: Vec<Finding>,
    /// The device, as far as `sota.toml` and its certificate can be read.
    pub device: Option<Device>,
    /// The first failure.
    pub failure: Option<Error>,
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
    let mut failure = None;
    for Check(check, needs, run) in CHECKS {
        if let Some(message) = obstacle(&findings, needs) {
            findings.push(Finding {
                check,
                status: Status::Skipped,
                message,
                remedy: None,
            });
            continue;
        }
        match run(&mut facts) {
            Ok(outcome) => findings.extend(Finding::of(check, outcome)),
            Err(error) => {
                findings.push(Finding::failed(check, &error));
                failure.get_or_insert(error);
            }
        }
    }
    Health {
        findings,
        device: facts.device(),
        failure,
    }
}

/// What failed so that a check with these needs cannot be made.
fn obstacle(findings: &[Finding], needs: &[&'static str]) -> Option<String> {
    findings
        .iter()
        .filter(|finding| needs.contains(&finding.check))
        .find_map(|finding| match finding.status {
            Status::Failed => Some(format!("because of {}", finding.check)),
            Status::Skipped => Some(finding.message.clone()),
            Status::Ok | Status::Warning => None,
        })
}

#[cfg(test)]
mod tests;
