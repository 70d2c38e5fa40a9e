//! Starts the update client once the device is registered, and says that it runs when it must not.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{HSM_PIN_VARIABLE, HSM_SO_PIN_VARIABLE};
use crate::error::{Error, Kind};

/// Whether to wait until the client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A person wants to know whether it does.
    ForStart,
    /// Inside a unit: the client may be ordered after it, and both would wait for ever.
    OnlyQueue,
}

/// Starts `unit`. The device is registered already, so a failure is a warning, never an error.
///
/// # Errors
/// The warning's text.
pub(crate) fn start(unit: &str, wait: Wait) -> Result<(), String> {
    let remedy = format!("start it yourself: systemctl start {unit}");
    // Its standard output is not ours: --json promises one object there. env_remove() copies the
    // environment, PINs too; with env_clear() a shell would run a systemctl that is no program.
    let status = Command::new("systemctl")
        .args(match wait {
            Wait::ForStart => &["start"][..],
            Wait::OnlyQueue => &["start", "--no-block"],
        })
        .arg(unit)
        .env_remove(HSM_PIN_VARIABLE)
        .env_remove(HSM_SO_PIN_VARIABLE)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "systemctl could not start {unit} ({status}); {remedy}"
        )),
        Err(cause) => Err(format!("systemctl could not be run ({cause}); {remedy}")),
    }
}

/// A registration cannot change while `unit` uses it.
#[must_use]
pub(crate) fn is_running(unit: &str, lock: &Path) -> Error {
    Error::new(
        Kind::Busy,
        format!("the update client is running: it holds {lock:?}"),
    )
    .hint(format!("stop it first: systemctl stop {unit}"))
}
