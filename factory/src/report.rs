//! What the log is told of failures. It must never hold a secret.

use crate::error::Error;

/// Logs an error of ours with its causes.
pub(crate) fn failure(error: &Error) {
    let mut causes = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push_str(": ");
        causes.push_str(&next.to_string());
        cause = next.source();
    }
    tracing::error!("{error}{causes}");
}
