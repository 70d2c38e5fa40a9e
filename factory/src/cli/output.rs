//! Everything the program prints. Results go to standard output, the log and errors to standard error.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::Path;

use lmp_factory::{Device, Error, Password, Running};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use zeroize::Zeroizing;

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
pub(crate) fn line(text: &str) {
    let mut output = io::stdout().lock();
    let _ = writeln!(output, "{text}").and_then(|()| output.flush());
}

/// The first line of a file, or of standard input for `-`.
pub(crate) fn read_password(path: &Path) -> Result<Password, Error> {
    let failed = |source| Error::File {
        action: "read",
        path: path.into(),
        source,
    };
    let mut line = String::new();
    if path.as_os_str() == "-" {
        io::stdin().read_line(&mut line).map_err(failed)?;
    } else {
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        file.read_line(&mut line).map_err(failed)?;
    }
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(Password::new(line))
}

/// Asks on the terminal, twice and without echo.
pub(crate) fn ask_password(name: &str) -> Result<Password, Error> {
    let failed = |source| Error::File {
        action: "read the password from",
        path: "/dev/tty".into(),
        source,
    };
    let ask = |text: &str| rpassword::prompt_password(text).map_err(failed);
    loop {
        let first = Zeroizing::new(ask(&format!("Password of {name}: "))?);
        let second = Zeroizing::new(ask("Again: ")?);
        if first == second {
            return Ok(Password::new(first.to_string()));
        }
        let _ = writeln!(io::stderr(), "They differ.");
    }
}

/// What failed, with its causes.
pub(crate) fn failure(error: &Error) {
    let mut text = format!("lmp-factory: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let _ = write!(text, ": {next}");
        cause = next.source();
    }
    let _ = writeln!(io::stderr(), "{text}");
}

/// Where the factory is reached, and its first token if this start made it.
pub(crate) fn serving(running: &Running, as_json: bool) {
    let urls = running.urls();
    let (ca_file, root_file) = (running.ca_file(), running.root_file());
    if as_json {
        let facts = json!({
            "api": urls.api,
            "device_api": urls.device_api,
            "gateway": urls.gateway,
            "oauth": urls.oauth,
            "ca_file": ca_file,
            "root_file": root_file,
            "api_token": running.api_token(),
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
    if let Some(token) = running.api_token() {
        let _ = write!(
            text,
            "\nAPI token         {token}\n                  (shown only now; more: lmp-factory token create)"
        );
    }
    line(&text);
}

/// The devices, for a person or a program.
pub(crate) fn devices(devices: &[Device], as_json: bool) {
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
