//! What a check gives.

use crate::error::Error;

/// How a check went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// It does not stop the device from talking, but somebody should look at it.
    Warned(Vec<String>),
    /// The device cannot work like that.
    Failed(Error),
    /// Not made, because of this: a check that failed, or an option.
    Skipped(&'static str),
}

impl Outcome {
    pub(super) fn of(warnings: Vec<String>) -> Self {
        if warnings.is_empty() {
            Self::Ok
        } else {
            Self::Warned(warnings)
        }
    }
}

/// A check and how it went.
#[derive(Debug)]
pub(super) struct Finding {
    /// Its name.
    pub check: &'static str,
    /// How it went.
    pub outcome: Outcome,
}
