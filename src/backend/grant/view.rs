//! Shows a person where to approve the device: address, code, QR code, time left. On a terminal
//! the last line counts down; in a log there is a line a minute.

use std::io::Write as _;
use std::time::Duration;

use qrcodegen::{QrCode, QrCodeEcc};

use super::invitation::Invitation;
use crate::report::{Priority, Reporter, line_to_stderr, printable};

/// Light modules around a QR code; two are enough for every reader that was tried.
const QUIET_ZONE: i32 = 2;

/// What is shown while a person is waited for.
#[derive(Debug)]
pub(super) struct InvitationView {
    reporter: Reporter,
    on_terminal: bool,
    turns: usize,
    last_reminder: Option<Duration>,
}

impl InvitationView {
    pub(super) fn open(invitation: &Invitation, reporter: Reporter, on_terminal: bool) -> Self {
        let Invitation {
            user_code,
            verification_uri,
            expires_in,
            ..
        } = invitation;
        let say = |text: &str| reporter.line(Priority::Notice, text);
        say("Approve this device in a browser:");
        say(&format!("  address: {verification_uri}"));
        say(&format!("  code:    {user_code}"));
        say(&format!("  within:  {}", spoken(*expires_in)));
        let readable = on_terminal && has_utf8();
        let picture = readable
            .then(|| picture(invitation.address(), terminal_columns()))
            .flatten();
        for line in picture.iter().flatten() {
            line_to_stderr(line);
        }
        Self {
            reporter,
            on_terminal,
            turns: 0,
            last_reminder: None,
        }
    }

    /// Shows how long the code still lives, and says how long that stays true.
    pub(super) fn show_left(&mut self, left: Duration) -> Duration {
        const SPINNER: [char; 4] = ['|', '/', '-', '\\'];
        const MINUTE: Duration = Duration::from_secs(60);
        if self.on_terminal {
            let spinner = SPINNER[self.turns % SPINNER.len()];
            self.turns += 1;
            let seconds = left.as_secs();
            let text = format!(
                "\r{spinner} waiting, {}:{:02} left ",
                seconds / 60,
                seconds % 60
            );
            let mut output = std::io::stderr().lock();
            let _ = output
                .write_all(text.as_bytes())
                .and_then(|()| output.flush());
            return Duration::from_millis(250);
        }
        let last = *self.last_reminder.get_or_insert(left);
        if last.saturating_sub(left) >= MINUTE {
            self.last_reminder = Some(left);
            let text = format!("Still waiting for approval, {} left", spoken(left));
            self.reporter.line(Priority::Notice, &text);
        }
        MINUTE
    }

    /// Ends the line that counts down.
    pub(super) fn close(&self) {
        if self.on_terminal && self.turns > 0 {
            line_to_stderr("");
        }
    }
}

fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// Block characters would be garbage on a console without UTF-8 (locale(7) gives the order).
fn has_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A serial console knows no size and says 0: that is a terminal of 80 columns.
fn terminal_columns() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
}

/// A QR code in half blocks, two modules to a character, light on dark terminals and readable on
/// light ones; `None` if it does not fit.
fn picture(address: &str, columns: usize) -> Option<Vec<String>> {
    let code = QrCode::encode_text(&printable(address), QrCodeEcc::Low).ok()?;
    let (from, to) = (-QUIET_ZONE, code.size() + QUIET_ZONE);
    if usize::try_from(to - from).ok()? > columns {
        return None;
    }
    let light = |x: i32, y: i32| y < to && !code.get_module(x, y);
    let line = |y: i32| {
        (from..to)
            .map(|x| match (light(x, y), light(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            })
            .collect()
    };
    Some((from..to).step_by(2).map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_needs_room() {
        let address = "https://app.example.com/activate/?user_code=ABCD-EFGH";
        assert!(picture(address, 20).is_none());
        let lines = picture(address, 80).unwrap();
        let width = lines[0].chars().count();
        assert!((21 + 4..=80).contains(&width));
        assert!(lines.iter().all(|line| line.chars().count() == width));
        assert!(
            lines[0].chars().all(|c| c == '\u{2588}'),
            "the quiet zone is light"
        );
        assert!(
            picture(&"x".repeat(5000), 10_000).is_none(),
            "longer than any QR code"
        );
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(spoken(Duration::from_secs(90)), "90 seconds");
        assert_eq!(spoken(Duration::from_secs(900)), "15 minutes");
    }
}
