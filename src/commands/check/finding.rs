//! What a check gives.

use crate::error::Error;

/// How a check went that did not fail.
#[derive(Debug)]
pub(super) enum Outcome {
    /// As it should be: what was looked at.
    Ok(String),
    /// Each with its remedy: the device works like that, but somebody should look at it.
    Warned(Vec<(String, Option<String>)>),
    /// Not made because of an option.
    Skipped(&'static str),
}

impl Outcome {
    /// Warnings, or `ok` if there are none.
    pub(super) fn of(warnings: Vec<(String, Option<String>)>, ok: String) -> Self {
        if warnings.is_empty() {
            Self::Ok(ok)
        } else {
            Self::Warned(warnings)
        }
    }
}

/// How something that was checked is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// It does not stop the device from working.
    Warning,
    /// The device cannot work like that.
    Failed,
    /// Nobody knows.
    Skipped,
}

impl Status {
    /// The word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What a check found.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// How it is.
    pub status: Status,
    /// What was looked at, or what is wrong with it.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn failed(check: &'static str, error: &Error) -> Self {
        Self {
            check,
            status: Status::Failed,
            message: error.full_message(),
            remedy: error.hint_text().map(str::to_owned),
        }
    }

    /// One of each warning.
    pub(super) fn of(check: &'static str, outcome: Outcome) -> Vec<Self> {
        let finding = |status, message, remedy| Self {
            check,
            status,
            message,
            remedy,
        };
        match outcome {
            Outcome::Ok(message) => vec![finding(Status::Ok, message, None)],
            Outcome::Skipped(why) => vec![finding(Status::Skipped, why.to_owned(), None)],
            Outcome::Warned(warnings) => warnings
                .into_iter()
                .map(|(message, remedy)| finding(Status::Warning, message, remedy))
                .collect(),
        }
    }
}
