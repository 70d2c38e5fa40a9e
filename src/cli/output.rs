//! Results, on standard output: text for people, or one JSON object.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use crate::commands::check::{Device, Finding, Health, Status};
use crate::commands::register::{Plan, Registered, Rehearsal, RehearsedToken};
use crate::commands::unregister::Unregistered;
use crate::error::Error;
use crate::report::printable;
use crate::settings::{Provenance, Settings};

/// Prints results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// As one JSON object.
    pub json: bool,
    /// The object says already why the program ends.
    pub has_failure: bool,
}

impl Output {
    /// Why the program ends without having done what it was asked.
    pub(super) fn failure(self, error: &Error) {
        if self.json && !self.has_failure {
            print_json(&failure(error));
        }
    }

    /// The result of a registration.
    pub(super) fn registered(self, registered: &Registered, warnings: &[String]) {
        let Registered {
            uuid,
            name,
            factory,
            production,
            files,
            gateway,
            not_before,
            not_after,
            replaced,
            orphans,
        } = registered;
        if self.json {
            return print_json(&json!({
                "registered": true,
                "uuid": uuid,
                "name": name,
                "factory": factory,
                "production": production,
                "files": files,
                "gateway": gateway,
                "certificate": { "not_before": not_before, "not_after": not_after },
                "replaced": replaced,
                "orphans": orphans,
                "warnings": warnings,
            }));
        }
        let mut text = format!(
            "Device is now registered.\n  UUID:        {uuid}\n  name:        {name}\n  \
             factory:     {factory}\n  gateway:     {gateway}\n  certificate: until {not_after}\n"
        );
        if *production {
            text.push_str("  production:  yes\n");
        }
        for file in files {
            let _ = writeln!(text, "  file:        {}", file.display());
        }
        for (what, uuid) in replaced
            .iter()
            .map(|uuid| ("replaced:", uuid))
            .chain(orphans.iter().map(|uuid| ("orphan:  ", uuid)))
        {
            let _ = writeln!(text, "  {what}    {uuid} (delete it on the backend)");
        }
        print_text(&text);
    }

    /// What a registration would do, and every setting with its origin.
    pub(super) fn rehearsed(self, settings: &Settings, rehearsal: &Rehearsal) {
        let Rehearsal { plan, token } = rehearsal;
        let token_uuid = token.as_ref().and_then(|token| token.uuid.as_ref());
        let uuid = settings.uuid.as_ref().or(token_uuid);
        let what = match plan {
            Plan::Begin { replaces, .. } => format!(
                "register this device with factory {} under {}{}",
                settings.factory,
                uuid.map_or("a random UUID", String::as_str),
                if *replaces {
                    ", replacing the earlier registration"
                } else {
                    ""
                }
            ),
            Plan::AskAgain(_) => {
                "ask again for the device of the interrupted registration".to_owned()
            }
            Plan::Install(_) => "install what the interrupted registration received".to_owned(),
            Plan::Replace(_) => format!(
                "clean up after a registration that is complete, and replace it by another with \
                 factory {}",
                settings.factory
            ),
            Plan::CleanUp(_) => "clean up after a registration that is complete".to_owned(),
        };
        let Settings {
            sota_dir,
            provenance,
            ..
        } = settings;
        if self.json {
            let values: serde_json::Map<_, _> = provenance
                .iter()
                .map(
                    |Provenance {
                         name,
                         value,
                         origin,
                     }| {
                        let entry = json!({ "value": value, "origin": origin.to_string() });
                        ((*name).to_owned(), entry)
                    },
                )
                .collect();
            let token = token.as_ref().map(|token| {
                json!({ "label": token.label, "serial": token.serial, "blank": token.blank })
            });
            return print_json(&json!({
                "dry_run": true,
                "plan": what,
                "sota_dir": sota_dir,
                "token": token,
                "settings": values,
            }));
        }
        let mut text = format!("Would {what}.\n  in:       {}\n", sota_dir.display());
        if let Some(RehearsedToken {
            label,
            serial,
            blank,
            ..
        }) = token
        {
            let _ = if *blank {
                writeln!(text, "  token:    a blank one, initialised as {label:?}")
            } else {
                writeln!(text, "  token:    {label:?}, serial {serial:?}")
            };
        }
        for Provenance {
            name,
            value,
            origin,
        } in provenance
        {
            let _ = writeln!(text, "  {name} = {value:?} ({origin})");
        }
        print_text(&text);
    }

    /// The result of `unregister`.
    pub(super) fn unregistered(self, unregistered: Option<&Unregistered>) {
        let nothing = Unregistered::default();
        let Unregistered {
            uuid,
            orphans,
            removed,
        } = unregistered.unwrap_or(&nothing);
        if self.json {
            return print_json(&json!({
                "registered": unregistered.is_none(),
                "uuid": uuid,
                "orphans": orphans,
                "removed": removed,
            }));
        }
        if unregistered.is_none() {
            return print_text("The registration stays as it is.\n");
        }
        if removed.is_empty() {
            return print_text("This device is not registered.\n");
        }
        let mut text = "The registration is removed".to_owned();
        text.push_str(if uuid.is_none() && orphans.is_empty() {
            "; delete the device on the backend too.\n"
        } else {
            ".\n"
        });
        for uuid in uuid.iter().chain(orphans) {
            let _ = writeln!(text, "  device: {uuid} (delete it on the backend)");
        }
        for path in removed {
            let _ = writeln!(text, "  file: {}", path.display());
        }
        print_text(&text);
    }

    /// The result of `check`.
    pub(super) fn health(&mut self, health: &Health, warnings: &[String]) {
        let Health {
            findings,
            device,
            failure: error,
        } = health;
        if self.json {
            self.has_failure = error.is_some();
            return print_json(&health_json(health, warnings));
        }
        for finding in findings {
            let Finding {
                check,
                status,
                message,
                remedy,
            } = finding;
            let mut line = format!("{:<8} {check}", status.name());
            let parts = [(": ", Some(message)), ("; remedy: ", remedy.as_ref())];
            for (before, words) in parts {
                if let Some(words) = words.filter(|words| !words.is_empty()) {
                    line.extend([before, words]);
                }
            }
            print_line(&line);
        }
        let Some(device) = device else {
            return;
        };
        let Device {
            uuid,
            factory,
            gateway,
            not_before: _,
            not_after,
            status,
        } = device;
        let connection = match (status, error) {
            (Some(status), _) => format!("mTLS works, status {status}"),
            (None, None) => "not contacted (--offline)".to_owned(),
            (None, Some(_)) => "none".to_owned(),
        };
        print_line(match error {
            None => "Device is registered.",
            Some(_) => "Device is registered, and does not work.",
        });
        for (what, value) in [
            ("UUID:        ", uuid),
            ("factory:     ", factory),
            ("gateway:     ", gateway),
            ("connection:  ", &connection),
            ("certificate: until ", not_after),
        ] {
            print_line(&format!("  {what}{value}"));
        }
    }
}

/// Why the program ends without having done what it was asked.
fn failure(error: &Error) -> Value {
    let kind = error.kind();
    json!({
        "error": kind.name(),
        "exit_code": kind.exit_code(),
        "message": error.full_message(),
        "hint": error.hint_text(),
    })
}

fn health_json(health: &Health, warnings: &[String]) -> Value {
    let Health {
        findings,
        device,
        failure: error,
    } = health;
    let mut object = error.as_ref().map_or_else(|| json!({}), failure);
    object["registered"] = device.is_some().into();
    if let Some(device) = device {
        let Device {
            uuid,
            factory,
            gateway,
            not_before,
            not_after,
            status,
        } = device;
        object["uuid"] = json!(uuid);
        object["factory"] = json!(factory);
        object["gateway"] = json!(gateway);
        object["gateway_status"] = json!(status);
        object["certificate"] = json!({ "not_before": not_before, "not_after": not_after });
    }
    let found = findings
        .iter()
        .filter(|finding| finding.status == Status::Warning)
        .map(|finding| &finding.message);
    object["warnings"] = json!(warnings.iter().chain(found).collect::<Vec<_>>());
    let findings = findings.iter().map(
        |Finding {
             check,
             status,
             message,
             remedy,
         }| {
            json!({
                "check": check,
                "status": status.name(),
                "message": message,
                "remedy": remedy,
            })
        },
    );
    object["findings"] = findings.collect();
    object
}

/// Lines of our own making to standard output, each escaped.
fn print_text(text: &str) {
    text.lines().for_each(print_line);
}

fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", printable(line));
}

/// JSON escapes control characters itself.
fn print_json(value: &serde_json::Value) {
    let _ = writeln!(std::io::stdout().lock(), "{value}");
}
