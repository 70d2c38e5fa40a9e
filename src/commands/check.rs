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

/// One question about a registration.
struct Check {
    name: &'static str,
    /// The earlier checks without which this one cannot be answered.
    needs: &'static [&'static str],
    run: fn(&mut Facts<'_>) -> Result<Outcome>,
}

/// In the order in which their failures count.
const CHECKS: [Check; 9] = [
    Check {
        name: "directory",
        needs: &[],
        run: files::directory,
    },
    Check {
        name: "sota.toml",
        needs: &["directory"],
        run: files::configuration,
    },
    Check {
        name: "client.pem",
        needs: &["directory"],
        run: files::certificate,
    },
    Check {
        // No PIN is given away for a registration that is none.
        name: "private key",
        needs: &["sota.toml", "client.pem"],
        run: key::private_key,
    },
    Check {
        name: "key of the certificate",
        needs: &["private key"],
        run: key::pair,
    },
    Check {
        name: "validity",
        needs: &["client.pem"],
        run: key::validity,
    },
    Check {
        name: "root.crt",
        needs: &["directory"],
        run: files::roots,
    },
    Check {
        name: "interrupted registration",
        needs: &["directory"],
        run: files::journal,
    },
    Check {
        name: "Device Gateway",
        needs: &["key of the certificate", "validity", "root.crt"],
        run: gateway::gateway,
    },
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
    let mut facts = Facts::new(sota_dir, (!offline).then_some(timeouts));
    let mut findings = Vec::new();
    for Check { name, needs, run } in &CHECKS {
        let outcome = match obstacle(&findings, needs) {
            Some(earlier) => Outcome::Skipped(earlier),
            None => run(&mut facts).unwrap_or_else(Outcome::Failed),
        };
        findings.push(Finding {
            check: name,
            outcome,
        });
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
