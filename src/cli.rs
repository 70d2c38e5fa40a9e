//! From the words of a command line to an exit code: settings, command, result. Says what came out;
//! never does any of it itself.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::board::process;
use crate::board::update_client::{self, Wait};
use crate::commands::{check, register, unregister};
use crate::error::{Error, Kind, Result};
use crate::report::Reporter;
use crate::settings::args::{self, Command, CommandLine, CommonArgs, RegisterArgs};
use crate::settings::layers::{Additions, Origins};
use crate::settings::{self, Provenance, Settings, Sources, sources, wrapper};

mod output;

use output::Output;

/// Runs a command line, the program's name first, and returns its exit code.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    process::forbid_core_dumps();
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
    let mut output = Output {
        json: typed.common.json,
    };
    let mut reporter = Reporter::new(typed.common.verbose);
    let done = complete(words, typed).and_then(|(line, origins)| {
        // A configuration file may have asked for JSON.
        output.json = line.common.json;
        reporter = Reporter::new(line.common.verbose);
        carry_out(line, &origins, output, &reporter)
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

/// The command line with what files add to it.
fn complete(words: Vec<OsString>, typed: CommandLine) -> Result<(CommandLine, Origins)> {
    let mut layers = sources::configuration(typed.common.config_dir.as_deref())?;
    if let Some(Command::Auto(_)) = typed.command {
        let sota_dir = match (&typed.common.sota_dir, layers.value("sota-dir")) {
            (None, Some(configured)) => PathBuf::from(configured),
            _ => settings::sota_dir(&typed.common),
        };
        wrapper::add_layers(&mut layers, &sota_dir)?;
    }
    if let Some(credentials) = sources::credentials()? {
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
    } = layers.complete(&words, &sources::options_of_environment())?;
    let mut line = args::parse(words.into_iter().chain(added)).map_err(|_| {
        Error::setting("the settings of files and the command line contradict each other")
            .hint("compare them: lmp-device-register --dry-run --verbose")
    })?;
    line.add_secrets(secrets);
    Ok((line, origins))
}

fn carry_out(
    line: CommandLine,
    origins: &Origins,
    output: Output,
    reporter: &Reporter,
) -> Result<()> {
    let CommandLine {
        command,
        common,
        register,
    } = line;
    match command {
        None => register_device(&common, register, origins, Wait::ForStart, output, reporter),
        Some(Command::Auto(register)) => register_device(
            &common,
            *register,
            origins,
            Wait::OnlyQueue,
            output,
            reporter,
        ),
        Some(Command::Check(args)) => {
            let sota_dir = settings::sota_dir(&common);
            let health = check::check(&sota_dir, args.offline, settings::timeouts(&common));
            let (device, warnings) = health.verdict()?;
            for warning in &warnings {
                reporter.warn(warning);
            }
            output.health(&device, &warnings);
            Ok(())
        }
        Some(Command::Unregister(args)) => {
            let removed = unregister::unregister(&settings::sota_dir(&common), &args)?;
            output.unregistered(&removed);
            Ok(())
        }
    }
}

fn resolve(common: &CommonArgs, args: &RegisterArgs, origins: &Origins) -> Result<Settings> {
    let mut settings = settings::resolve(Sources {
        common,
        args,
        environment: &sources::environment()?,
        api_token: sources::api_token(args)?,
        hsm_pin: sources::hsm_pin(args)?,
        hsm_so_pin: sources::hsm_so_pin(args)?,
        os_release: &sources::os_release(args.os_release.as_deref())?,
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
    output: Output,
    reporter: &Reporter,
) -> Result<()> {
    let settings = resolve(common, &args, origins)?;
    let dry_run = args.dry_run;
    // A URI in it may hold the PIN, which the settings have by now.
    drop(args);
    if dry_run {
        let rehearsal = register::rehearse(&settings)?;
        if let Some(warning) = rehearsal
            .token
            .as_ref()
            .and_then(|token| token.warning.as_ref())
        {
            reporter.warn(warning);
        }
        output.rehearsed(&settings, &rehearsal);
        return Ok(());
    }
    for Provenance {
        name,
        value,
        origin,
    } in &settings.provenance
    {
        reporter.detail(&format!("{name} = {value:?} ({origin})"));
    }
    let registered = register::register(&settings, reporter)?;
    let mut warnings = Vec::new();
    if settings.start_daemon {
        reporter.detail(&format!("Starting {}", settings.update_client));
        warnings.extend(update_client::start(settings.update_client, wait).err());
    }
    for warning in &warnings {
        reporter.warn(warning);
    }
    output.registered(&registered, &warnings);
    Ok(())
}
