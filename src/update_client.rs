//! Starts the update client once the device is registered.

use std::process::{Command, Stdio};

/// Starts `unit`. The device is registered already, so a failure is a warning, never an error.
///
/// # Errors
/// The warning's text.
pub fn start(unit: &str) -> Result<(), String> {
    let remedy = format!("start it yourself: systemctl start {unit}");
    // Its standard output is not ours: --json promises one object there.
    let status = Command::new("systemctl")
        .args(["start", unit])
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
