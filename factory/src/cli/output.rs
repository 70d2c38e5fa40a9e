//! Everything the program prints. Results go to standard output, the log and errors to standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use lmp_factory::blocking::Server;
use lmp_factory::{Device, Error};
use serde_json::json;
use tracing::level_filters::LevelFilter;

/// Logs to standard error; `RUST_LOG` names the level (`debug`), `info` if it is absent.
pub(crate) fn start_log() {
    let level = std::env::var("RUST_LOG")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(level)
        .with_target(false)
        .init();
}

/// One line, or nothing if nobody reads it any more.
pub(super) fn line(text: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{text}").and_then(|()| output.flush());
}

/// What failed, with its causes.
pub(crate) fn failure(error: &Error) {
    let _ = writeln!(io::stderr(), "lmp-factory: {}", error.with_causes());
}

/// Where the factory is reached, and its first token if this start made it.
pub(super) fn serving(server: &Server, as_json: bool) {
    let urls = server.urls();
    let (ca_file, root_file) = (server.ca_file(), server.root_file());
    if as_json {
        let facts = json!({
            "api": urls.api,
            "device_api": urls.device_api,
            "gateway": urls.gateway,
            "oauth": urls.oauth,
            "ca_file": ca_file,
            "root_file": root_file,
            "api_token": server.api_token(),
        });
        return line(&facts.to_string());
    }
    let mut text = format!(
        "Registration API  {}\nApproval page     {}/activate/\nDevice Gateway    {}\nTrust for the API {}\nRoot of trust     {}",
        urls.device_api,
        urls.api,
        urls.gateway,
        ca_file.display(),
        root_file.display(),
    );
    if let Some(token) = server.api_token() {
        let _ = write!(
            text,
            "\nAPI token         {token}\n                  (shown only now; more: lmp-factory token create)"
        );
    }
    line(&text);
}

/// The devices, for a person or a program.
pub(super) fn devices(devices: &[Device], as_json: bool) {
    if as_json {
        return line(&json!(devices).to_string());
    }
    if devices.is_empty() {
        return line("No devices are registered.");
    }
    for device in devices {
        let Device {
            uuid,
            name,
            group,
            hardware_id,
            production,
            ..
        } = device;
        let mut text = format!("{uuid}  {name}");
        if let Some(hardware_id) = hardware_id {
            let _ = write!(text, "  {hardware_id}");
        }
        if let Some(group) = group {
            let _ = write!(text, "  group {group}");
        }
        if *production {
            text.push_str("  production");
        }
        line(&text);
    }
}
