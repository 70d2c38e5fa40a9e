//! From the words of a command line to an exit code: settings, command, result. Says what came out;
//! never does any of it itself.

use std::ffi::OsString;

use crate::board::process;
use crate::board::update_client::{self, Wait};
use crate::commands::{check, register, unregister};
use crate::error::{Kind, Result};
use crate::report::Reporter;
use crate::settings::args::{self, CheckArgs, Command, UnregisterArgs};
use crate::settings::options::{Options, Sources};
use crate::settings::{self, Provenance, Settings};

mod output;

use output::Output;

/// Runs a command line, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    process::hide_memory();
    let mut line = match args::parse(words) {
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
    let typed = Options::typed(&mut line);
    let mut output = Output {
        json: typed.common.json == Some(true),
        has_failure: false,
    };
    let mut reporter = Reporter::new(typed.common.verbose == Some(true));
    // What `check` is told is where to look, and the default is nearly always right.
    let files_needed = !matches!(line.command, Some(Command::Check(_)));
    let done = settings::with_files(typed, files_needed).and_then(|(sources, warnings)| {
        // A configuration file may have asked for JSON.
        output.json = sources.is_on(|o| &o.common.json);
        reporter = Reporter::new(sources.is_on(|o| &o.common.verbose));
        for warning in &warnings {
            reporter.warn(warning);
        }
        carry_out(line.command, sources, warnings, &mut output, &reporter)
    });
    match done {
        Ok(()) => 0,
        Err(error) => {
            reporter.failure(&error);
            output.failure(&error);
            error.kind().exit_code()
        }
    }
}

fn carry_out(
    command: Option<Command>,
    sources: Sources,
    warnings: Vec<String>,
    output: &mut Output,
    reporter: &Reporter,
) -> Result<()> {
    match command {
        None | Some(Command::Auto(_)) => {
            let (auto, dry_run) = (command.is_some(), sources.typed().register.dry_run);
            let settings = settings::of_registration(sources, auto)?;
            if dry_run {
                return rehearse(&settings, *output, reporter);
            }
            let wait = if auto {
                Wait::OnlyQueue
            } else {
                Wait::ForStart
            };
            register_device(&settings, wait, warnings, *output, reporter)
        }
        Some(Command::Check(CheckArgs { offline })) => {
            let timeouts = settings::timeouts(&sources);
            let health = check::check(&settings::sota_dir(&sources), offline, timeouts);
            output.health(&health, &warnings);
            health.failure.map_or(Ok(()), Err)
        }
        Some(Command::Unregister(UnregisterArgs {
            yes, keep_token, ..
        })) => {
            let unregistered = unregister::unregister(sources, yes, keep_token)?;
            output.unregistered(unregistered.as_ref());
            Ok(())
        }
    }
}

fn rehearse(settings: &Settings, output: Output, reporter: &Reporter) -> Result<()> {
    let rehearsal = register::rehearse(settings)?;
    if let Some(warning) = rehearsal
        .token
        .as_ref()
        .and_then(|token| token.warning.as_ref())
    {
        reporter.warn(warning);
    }
    output.rehearsed(settings, &rehearsal);
    Ok(())
}

fn register_device(
    settings: &Settings,
    wait: Wait,
    mut warnings: Vec<String>,
    output: Output,
    reporter: &Reporter,
) -> Result<()> {
    for Provenance {
        name,
        value,
        origin,
    } in &settings.provenance
    {
        reporter.detail(&format!("{name} = {value:?} ({origin})"));
    }
    let registered = register::register(settings, reporter)?;
    if settings.start_daemon {
        reporter.detail(&format!("Starting {}", settings.update_client));
        if let Err(warning) = update_client::start(settings.update_client, wait) {
            reporter.warn(&warning);
            warnings.push(warning);
        }
    }
    output.registered(&registered, &warnings);
    Ok(())
}
