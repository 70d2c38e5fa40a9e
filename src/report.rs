//! What a person reads while the program works: steps, details, warnings, on standard error. Never
//! shows unescaped what came from outside.

use std::io::Write as _;

use crate::error::Error;

/// The most characters of somebody else's words that are shown: a server's, or a certificate's names.
pub(crate) const WORDS_LIMIT: usize = 600;

/// How urgent a line is: the priorities of syslog, as sd-daemon(3) writes them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Priority {
    /// The program ends without having done it.
    Error = 3,
    /// Somebody should look at it.
    Warning = 4,
    /// A step.
    Notice = 5,
    /// A detail.
    Information = 6,
}

/// Says things to whoever runs the program.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    /// Details are said too.
    verbose: bool,
    /// Standard error is the journal, which reads priorities.
    journal: bool,
}

impl Reporter {
    /// Speaks to standard error.
    pub(crate) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            journal: stderr_is_journal(),
        }
    }

    /// A line of that priority.
    pub(crate) fn line(&self, priority: Priority, text: &str) {
        if self.journal {
            line_to_stderr(&format!("<{}>{text}", priority as u8));
        } else {
            line_to_stderr(text);
        }
    }

    /// A step that takes time or changes something.
    pub(crate) fn step(&self, text: &str) {
        self.line(Priority::Notice, text);
    }

    /// Something that only a curious person wants to know.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.line(Priority::Information, text);
        }
    }

    /// Something that should be looked at, although it stops nothing.
    pub(crate) fn warn(&self, text: &str) {
        self.line(Priority::Warning, &format!("warning: {text}"));
    }

    /// Why the program ends without having done what it was asked.
    pub(crate) fn failure(&self, error: &Error) {
        self.line(Priority::Error, &format!("error: {}", error.full_message()));
        if let Some(hint) = error.hint_text() {
            self.line(Priority::Error, &format!("hint: {hint}"));
        }
    }
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
    Reporter::new(false).line(
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

/// At most [`WORDS_LIMIT`] characters of it.
pub(crate) fn shortened(mut words: String) -> String {
    if let Some((end, _)) = words.char_indices().nth(WORDS_LIMIT) {
        words.truncate(end);
        words.push_str("...");
    }
    words
}

/// One line to standard error. Nobody may be listening any more: that stops nothing.
pub(crate) fn line_to_stderr(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", printable(text));
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
