//! What the log is told of our own failures. It must never hold a secret.

use crate::error::Error;

/// Logs an error of ours with its causes.
pub(crate) fn failure(error: &Error) {
    tracing::error!("{}", error.with_causes());
}
