//! The device registration agent: what happens, on one page.
//!
//! ```text
//! args ──> settings ──> plan ──> key ──> csr ──> POST ──> response ──> journal ──> sota.toml
//! typed    resolved     decided  made    signed  asked    verified     staged      committed
//! ```
//!
//! Deciding is pure and is tested without a machine: [`settings`], [`plan`], [`csr`],
//! [`layers`], [`hsm_file`], [`oauth`], [`response`], [`certificate`], [`sota_toml`], [`retry`]. Acting happens in one place for each
//! kind of effect: [`store`] writes, [`http`] talks, [`host`] reads the machine, [`ui`] speaks.
//! [`journal`] remembers how far a run came, and [`register`] puts the stages in order.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::ffi::OsString;
use std::path::PathBuf;

pub mod args;
pub mod attempts;
pub mod authorise;
pub mod auto;
pub mod certificate;
pub mod clock;
pub mod csr;
pub mod device_api;
pub mod error;
pub mod gateway;
pub mod host;
pub mod hsm_file;
pub mod http;
pub mod installed;
pub mod journal;
pub mod key;
pub mod layers;
pub mod oauth;
pub mod os_release;
pub mod pkcs11_uri;
pub mod plan;
pub mod register;
pub mod response;
pub mod retry;
pub mod secret;
pub mod settings;
pub mod sota_toml;
pub mod store;
pub mod ui;
pub mod unregister;
pub mod update_client;
pub mod version;

use args::{Command, CommandLine, CommonArgs, RegisterArgs};
use error::{Error, Kind, Result};
use layers::{Additions, Origins};
use settings::{Settings, Sources};
use ui::Reporter;
use update_client::Wait;

/// Runs a command line, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    host::forbid_core_dumps();
    let words: Vec<OsString> = words.into_iter().collect();
    let typed = match args::parse(words.clone()) {
        Ok(line) => line,
        Err(error) => {
            // Help and version are no errors, and a closed pipe is none of ours.
            let _ = error.print();
            return if error.use_stderr() {
                Kind::Usage.exit_code()
            } else {
                0
            };
        }
    };
    let mut reporter = Reporter::new(typed.common.json, typed.common.verbose);
    let done = complete(words, typed).and_then(|(line, origins)| {
        // A configuration file may have asked for JSON.
        reporter = Reporter::new(line.common.json, line.common.verbose);
        carry_out(line, &origins, &reporter)
    });
    match done {
        Ok(()) => 0,
        Err(error) => {
            reporter.failure(&error);
            error.kind().exit_code()
        }
    }
}

/// The command line with what files add to it.
fn complete(words: Vec<OsString>, typed: CommandLine) -> Result<(CommandLine, Origins)> {
    let mut layers = host::configuration(typed.common.config_dir.as_deref())?;
    if let Some(Command::Auto(_)) = typed.command {
        let sota_dir = match (&typed.common.sota_dir, layers.value("sota-dir")) {
            (None, Some(configured)) => PathBuf::from(configured),
            _ => settings::sota_dir(&typed.common),
        };
        auto::add_layers(&mut layers, &sota_dir)?;
    }
    if let Some(credentials) = host::credentials()? {
        layers.push_above(credentials);
    }
    // To parse is a sixth of what a registration computes.
    if layers.is_empty() {
        return Ok((typed, Origins::new()));
    }
    let Additions {
        words: added,
        secrets,
        origins,
    } = layers.complete(&words, &host::options_of_environment())?;
    let mut line = args::parse(words.into_iter().chain(added)).map_err(|_| {
        Error::configuration("the settings of files and the command line contradict each other")
            .hint("compare them: lmp-device-register --dry-run --verbose")
    })?;
    line.add_secrets(secrets);
    Ok((line, origins))
}

fn carry_out(line: CommandLine, origins: &Origins, reporter: &Reporter) -> Result<()> {
    let CommandLine {
        command,
        common,
        register,
    } = line;
    match command {
        None => register_device(&common, register, origins, Wait::ForStart, reporter),
        Some(Command::Auto(register)) => {
            register_device(&common, *register, origins, Wait::OnlyQueue, reporter)
        }
        Some(Command::Check(check)) => {
            let sota_dir = settings::sota_dir(&common);
            let health = gateway::check(&sota_dir, check.offline, settings::timeouts(&common))?;
            reporter.health(&health);
            Ok(())
        }
        Some(Command::Unregister(args)) => {
            let removed = unregister::unregister(&settings::sota_dir(&common), &args)?;
            reporter.unregistered(&removed);
            Ok(())
        }
    }
}

fn resolve(common: &CommonArgs, args: &RegisterArgs, origins: &Origins) -> Result<Settings> {
    let mut settings = settings::resolve(Sources {
        common,
        args,
        environment: &host::environment()?,
        api_token: host::api_token(args)?,
        hsm_pin: host::hsm_pin(args)?,
        hsm_so_pin: host::hsm_so_pin(args)?,
        os_release: &host::os_release(args.os_release.as_deref())?,
        build: settings::BUILD,
    })?;
    settings.attribute(origins);
    Ok(settings)
}

fn register_device(
    common: &CommonArgs,
    args: RegisterArgs,
    origins: &Origins,
    wait: Wait,
    reporter: &Reporter,
) -> Result<()> {
    let settings = resolve(common, &args, origins)?;
    let dry_run = args.dry_run;
    // A URI in it may hold the PIN, which the settings have by now.
    drop(args);
    if dry_run {
        reporter.rehearsed(&settings, &register::rehearse(&settings)?);
        return Ok(());
    }
    reporter.provenance(&settings.provenance);
    let registered = register::register(&settings, reporter)?;
    let mut warnings = Vec::new();
    if settings.start_daemon {
        reporter.detail(&format!("Starting {}", settings.update_client));
        warnings.extend(update_client::start(settings.update_client, wait).err());
    }
    reporter.registered(&registered, &warnings);
    Ok(())
}
