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
        // What cannot be written is dropped: to say so on the same broken standard error would end the request
        // that logs.
        .log_internal_errors(false)
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
pub(super) fn devices(devices: &[Device], limit: Option<usize>, as_json: bool) {
    let most = limit.unwrap_or(if as_json { usize::MAX } else { 100 });
    let (listed, rest) = devices.split_at(most.min(devices.len()));
    if as_json {
        return line(&json!(listed).to_string());
    }
    if devices.is_empty() {
        return line("No devices are registered.");
    }
    let mut rows = vec![["UUID", "NAME", "HARDWARE", "GROUP", "PRODUCTION"].map(String::from)];
    rows.extend(listed.iter().map(|device| {
        let or_dash = |text: &Option<String>| shown(text.as_deref().unwrap_or("-"));
        [
            shown(&device.uuid),
            shown(&device.name),
            or_dash(&device.hardware_id),
            or_dash(&device.group),
            if device.production { "yes" } else { "-" }.into(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..5)
        .map(|column| width(column).unwrap_or_default())
        .collect();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        line(cells.join("  ").trim_end());
    }
    if !rest.is_empty() {
        line(&format!("{} more; see --limit", rest.len()));
    }
}

/// Text of a device, with what would move or hide other text on a terminal written out.
fn shown(text: &str) -> String {
    const TURNS: &str = "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    let written = |c: char| match c {
        c if c.is_control() || TURNS.contains(c) => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(written).collect()
}
