//! Results, on standard output: text for people, or one JSON object.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::commands::check::Device;
use crate::commands::register::{Plan, Registered, Rehearsal, RehearsedToken};
use crate::error::Error;
use crate::report::printable;
use crate::settings::{Provenance, Settings};

/// Prints results.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// As one JSON object.
    pub json: bool,
}

impl Output {
    /// Why the program ends without having done what it was asked.
    pub(super) fn failure(self, error: &Error) {
        if self.json {
            let kind = error.kind();
            print_json(&json!({
                "error": kind.name(),
                "exit_code": kind.exit_code(),
                "message": error.full_message(),
                "hint": error.hint_text(),
            }));
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
        for orphan in orphans {
            let _ = writeln!(text, "  orphan:      {orphan} (delete it on the backend)");
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
    pub(super) fn unregistered(self, removed: Option<&[PathBuf]>) {
        let Some(removed) = removed else {
            if self.json {
                return print_json(&json!({ "registered": true, "removed": [] }));
            }
            return print_text("The registration stays as it is.\n");
        };
        if self.json {
            return print_json(&json!({ "registered": false, "removed": removed }));
        }
        if removed.is_empty() {
            return print_text("This device is not registered.\n");
        }
        let mut text =
            "The registration is removed; delete the device on the backend too.\n".to_owned();
        for path in removed {
            let _ = writeln!(text, "  file: {}", path.display());
        }
        print_text(&text);
    }

    /// The result of `check`.
    pub(super) fn health(self, device: &Device, warnings: &[String]) {
        let Device {
            uuid,
            factory,
            gateway,
            not_before,
            not_after,
            status,
        } = device;
        if self.json {
            return print_json(&json!({
                "registered": true,
                "uuid": uuid,
                "factory": factory,
                "gateway": gateway,
                "gateway_status": status,
                "certificate": { "not_before": not_before, "not_after": not_after },
                "warnings": warnings,
            }));
        }
        let connection = match status {
            Some(status) => format!("mTLS works, status {status}"),
            None => "not contacted (--offline)".to_owned(),
        };
        print_text(&format!(
            "Device is registered.\n  UUID:        {uuid}\n  factory:     {factory}\n  \
             gateway:     {gateway}\n  connection:  {connection}\n  certificate: until {not_after}\n"
        ));
    }
}

/// Lines of our own making to standard output, each escaped.
fn print_text(text: &str) {
    let mut output = std::io::stdout().lock();
    for line in text.lines() {
        let _ = writeln!(output, "{}", printable(line));
    }
}

/// JSON escapes control characters itself.
fn print_json(value: &serde_json::Value) {
    let _ = writeln!(std::io::stdout().lock(), "{value}");
}
