//! The device registration agent: what happens, on one page.
//!
//! ```text
//! args ──> settings ──> plan ──> key ──> csr ──> POST ──> response ──> journal ──> sota.toml
//! typed    resolved     decided  made    signed  asked    verified     staged      committed
//! ```
//!
//! Deciding is pure and is tested without a machine: [`settings`], [`plan`], [`csr`],
//! [`response`], [`certificate`], [`sota_toml`], [`retry`]. Acting happens in one place for each
//! kind of effect: [`store`] writes, [`http`] talks, [`host`] reads the machine, [`ui`] speaks.
//! [`journal`] remembers how far a run came, and [`register`] puts the stages in order.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

use std::ffi::OsString;

pub mod args;
pub mod attempts;
pub mod authorise;
pub mod certificate;
pub mod csr;
pub mod device_api;
pub mod error;
pub mod gateway;
pub mod host;
pub mod http;
pub mod journal;
pub mod key;
pub mod oauth;
pub mod os_release;
pub mod plan;
pub mod register;
pub mod response;
pub mod retry;
pub mod secret;
pub mod settings;
pub mod sota_toml;
pub mod store;
pub mod ui;
pub mod update_client;
pub mod version;

use args::{Command, CommandLine, CommonArgs, RegisterArgs};
use error::{Kind, Result};
use settings::Sources;
use ui::Reporter;

/// Runs a command line, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let CommandLine {
        command,
        common,
        register,
    } = match args::parse(words) {
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
    let reporter = Reporter {
        json: common.json,
        verbose: common.verbose,
    };
    let done = match command {
        None => register_device(&common, &register, &reporter),
        Some(Command::Check(check)) => gateway::check(
            &settings::sota_dir(&common),
            check.offline,
            settings::timeouts(&common),
        )
        .map(|health| reporter.health(&health)),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            reporter.failure(&error);
            error.kind().exit_code()
        }
    }
}

fn register_device(common: &CommonArgs, args: &RegisterArgs, reporter: &Reporter) -> Result<()> {
    let settings = settings::resolve(Sources {
        common,
        args,
        environment: &host::environment()?,
        api_token: host::api_token(args)?,
        os_release: &host::os_release(args.os_release.as_deref())?,
        build: settings::BUILD,
    })?;
    reporter.provenance(&settings.provenance);
    let registered = register::register(&settings, reporter)?;
    let mut warnings = Vec::new();
    if settings.start_daemon {
        reporter.detail(&format!("Starting {}", settings.update_client));
        warnings.extend(update_client::start(settings.update_client).err());
    }
    reporter.registered(&registered, &warnings);
    Ok(())
}
