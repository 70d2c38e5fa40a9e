//! Everything that a person reads. Results go to standard output, everything else to standard
//! error; nothing that came from outside reaches a terminal unescaped.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::Error;
use crate::gateway::Health;
use crate::oauth::Invitation;
use crate::plan::Plan;
use crate::register::{Registered, Rehearsal, RehearsedToken};
use crate::settings::{Provenance, Settings};

mod invitation;

pub use invitation::InvitationView;

/// Exit codes, at the end of `--help`.
pub const EXIT_CODES_HELP: &str = "\
BOOL is one of 1, 0, true, false, yes, no, on, off.

Exit codes: 0 registered, 10 already registered, 11 busy (update client or
another registration), 64 usage, 65 answer rejected, 69 token, 70 bug,
73 cannot write, 75 temporary, 76 refused, 77 not authorised, 78 configuration";

/// How urgent a line is: the priorities of syslog, as sd-daemon(3) writes them.
#[derive(Debug, Clone, Copy)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Information = 6,
}

/// Says things to whoever runs the program.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The result is one JSON object.
    json: bool,
    /// Details are said too.
    verbose: bool,
    /// Standard error is the journal, which reads priorities.
    journal: bool,
}

impl Reporter {
    /// Speaks to standard output and standard error.
    #[must_use]
    pub fn new(json: bool, verbose: bool) -> Self {
        Self {
            json,
            verbose,
            journal: stderr_is_journal(),
        }
    }

    fn line(&self, priority: Priority, text: &str) {
        if self.journal {
            line_to_stderr(&format!("<{}>{text}", priority as u8));
        } else {
            line_to_stderr(text);
        }
    }

    /// A step that takes time or changes something.
    pub fn step(&self, text: &str) {
        self.line(Priority::Notice, text);
    }

    /// Something that only a curious person wants to know.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.line(Priority::Information, text);
        }
    }

    /// Something that should be looked at, although it stops nothing.
    pub fn warn(&self, text: &str) {
        self.line(Priority::Warning, &format!("warning: {text}"));
    }

    /// Every setting and where it came from.
    pub fn provenance(&self, provenance: &[Provenance]) {
        for Provenance {
            name,
            value,
            origin,
        } in provenance
        {
            self.detail(&format!("{name} = {value:?} ({origin})"));
        }
    }

    /// Shows a person where to approve this device.
    #[must_use]
    pub fn invite(&self, invitation: &Invitation) -> InvitationView {
        InvitationView::open(invitation, self.clone(), std::io::stderr().is_terminal())
    }

    /// Why the program ends without having done what it was asked.
    pub fn failure(&self, error: &Error) {
        let message = error.full_message();
        self.line(Priority::Error, &format!("error: {message}"));
        if let Some(hint) = error.hint_text() {
            self.line(Priority::Error, &format!("hint: {hint}"));
        }
        if self.json {
            let kind = error.kind();
            print_json(&json!({
                "error": kind.name(),
                "exit_code": kind.exit_code(),
                "message": message,
                "hint": error.hint_text(),
            }));
        }
    }

    /// The result of a registration.
    pub fn registered(&self, registered: &Registered, warnings: &[String]) {
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
        for warning in warnings {
            self.warn(warning);
        }
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
    pub fn rehearsed(&self, settings: &Settings, rehearsal: &Rehearsal) {
        let Rehearsal { plan, token } = rehearsal;
        let token_uuid = token.as_ref().and_then(|token| token.uuid.as_ref());
        let uuid = settings.uuid.as_ref().or(token_uuid);
        if let Some(warning) = token.as_ref().and_then(|token| token.warning.as_ref()) {
            self.warn(warning);
        }
        let what = match plan {
            Plan::Begin { replaces } => format!(
                "register this device with factory {} under {}{}",
                settings.factory,
                uuid.map_or("a random UUID", String::as_str),
                if *replaces {
                    ", replacing the earlier registration"
                } else {
                    ""
                }
            ),
            Plan::AskAgain => "ask again for the device of the interrupted registration".to_owned(),
            Plan::Install => "install what the interrupted registration received".to_owned(),
            Plan::CleanUp => "clean up after a registration that is complete".to_owned(),
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
    pub fn unregistered(&self, removed: &[PathBuf]) {
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
    pub fn health(&self, health: &Health) {
        let Health {
            uuid,
            factory,
            gateway,
            not_before,
            not_after,
            status,
            warnings,
        } = health;
        for warning in warnings {
            self.warn(warning);
        }
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

/// Asks whether the registration may be removed; the answer is read elsewhere.
pub fn ask_to_remove(sota_dir: &Path, names: &[String]) {
    line_to_stderr(&format!(
        "This removes the registration in {sota_dir:?}: {}",
        names.join(", ")
    ));
    let mut output = std::io::stderr().lock();
    let _ = output
        .write_all(b"Remove it? [y/N] ")
        .and_then(|()| output.flush());
}

/// Whether standard error is connected to the journal: `JOURNAL_STREAM` holds its device and inode
/// (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(std::io::stderr())
        .is_ok_and(|facts| stream == format!("{}:{}", facts.st_dev, facts.st_ino))
}

/// A panic, by place only: its text could hold a secret.
pub fn bug(place: Option<&std::panic::Location<'_>>) {
    let place = place.map(ToString::to_string).unwrap_or_default();
    Reporter::new(false, false).line(
        Priority::Error,
        &format!("error: this is a bug (at {place}): please report it"),
    );
}

/// Escapes what could move a cursor, change a colour, reorder text or forge a line.
#[must_use]
pub fn printable(text: &str) -> String {
    // Bidirectional controls make text read as something else than it says.
    let reorders = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || reorders(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// One line to standard error. Nobody may be listening any more: that stops nothing.
fn line_to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(text));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_is_shown() {
        assert_eq!(
            printable("a\u{1b}[31mb\r\nc\u{7f}\u{9b}"),
            "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{7f}\\u{9b}"
        );
        assert_eq!(printable("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(printable("grün ✓"), "grün ✓");
    }

    proptest::proptest! {
        #[test]
        fn what_is_printable_is_harmless_and_stays_as_it_is(text in "(?s).*") {
            let shown = printable(&text);
            proptest::prop_assert!(!shown.contains(char::is_control));
            let reordering = ['\u{202e}', '\u{2066}', '\u{200f}'];
            proptest::prop_assert!(!shown.contains(reordering));
            proptest::prop_assert_eq!(printable(&shown), shown);
        }
    }
}
