//! The command line as typed, whose options are those of a file, too. Parsing touches nothing; the
//! rest of the room gives the words a meaning.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are help texts: [10] is a default, no link"
)]

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::words::{parse_bool, spelt_out};
use crate::secret::Secret;

/// Exit codes, at the end of `--help`.
const EXIT_CODES_HELP: &str = "\
BOOL is one of 1, 0, true, false, yes, no, on, off.

Exit codes: 0 registered, 10 already registered, 11 busy (update client or
another registration), 64 usage, 65 answer rejected, 69 token, 70 bug,
73 cannot write, 75 temporary, 76 refused, 77 not authorised, 78 configuration";

/// Seconds of each limit of a request.
pub const TIMEOUT_RANGE: RangeInclusive<u64> = 1..=86_400;
/// Seconds to try again.
pub const RETRY_RANGE: RangeInclusive<u64> = 0..=604_800;
/// Seconds to wait for the clock.
pub const WAIT_RANGE: RangeInclusive<u64> = 0..=86_400;

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "lmp-device-register",
    about = "Register this device: make a key, have its certificate signed, write sota.toml",
    long_version = crate::version::long(),
    version = crate::version::short(),
    after_help = EXIT_CODES_HELP,
    max_term_width = 80,
    infer_long_args = true,
    disable_help_subcommand = true,
    subcommand_negates_reqs = true,
    next_line_help = false
)]
pub struct CommandLine {
    /// What to do instead of registering.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of every command.
    #[command(flatten)]
    pub common: CommonOptions,
    /// Options of a registration.
    #[command(flatten)]
    pub register: RegisterOptions,
}

/// What to do instead of registering.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Tell whether this device is registered and can talk to its gateway
    Check(CheckArgs),
    /// Register with nobody watching, from files and credentials
    Auto(Box<RegisterOptions>),
    /// Remove this device's registration
    Unregister(UnregisterArgs),
}

/// Options of every command: `None` means not given.
#[derive(Args, Debug, Default)]
pub struct CommonOptions {
    /// Where keys and configuration go [/var/sota]
    #[arg(short = 'd', long, value_name = "DIR", global = true)]
    pub sota_dir: Option<PathBuf>,
    /// Read settings from DIR [/etc/lmp-device-register]
    #[arg(long, value_name = "DIR", global = true)]
    pub config_dir: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Output")]
    pub json: Option<bool>,
    /// Say where each setting came from, and each step
    #[arg(long, global = true, action = ArgAction::SetTrue, help_heading = "Output")]
    pub verbose: Option<bool>,
    /// Seconds to wait for a connection [10]
    #[arg(long, value_name = "SECS", global = true, help_heading = "Network",
          value_parser = clap::value_parser!(u64).range(TIMEOUT_RANGE))]
    pub connect_timeout: Option<u64>,
    /// Seconds to wait for the next bytes [30]
    #[arg(long, value_name = "SECS", global = true, help_heading = "Network",
          value_parser = clap::value_parser!(u64).range(TIMEOUT_RANGE))]
    pub read_timeout: Option<u64>,
    /// Seconds that one whole request may take [60]
    #[arg(long, value_name = "SECS", global = true, help_heading = "Network",
          value_parser = clap::value_parser!(u64).range(TIMEOUT_RANGE))]
    pub request_timeout: Option<u64>,
}

/// Options of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Look at the files only, do not connect
    #[arg(long)]
    pub offline: bool,
}

/// Options of `unregister`.
#[derive(Args, Debug)]
pub struct UnregisterArgs {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Leave the objects on the token where they are
    #[arg(long)]
    pub keep_token: bool,
    /// User PIN of a token that sota.toml does not name yet
    #[arg(long, value_name = "FILE")]
    pub hsm_pin_file: Option<PathBuf>,
    /// Lock file of the update client [/var/lock/aklite.lock]
    #[arg(long, value_name = "FILE")]
    pub update_client_lock: Option<PathBuf>,
}

/// Options of a registration: `None` means not given.
#[derive(Args, Debug, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the help text of each option is its documentation"
)]
pub struct RegisterOptions {
    /// Factory [environment, or os-release]
    #[arg(short = 'f', long, value_name = "NAME", help_heading = "Identity")]
    pub factory: Option<String>,
    /// Device UUID, becomes the certificate's CN [random]
    #[arg(short = 'u', long, value_name = "UUID", help_heading = "Identity")]
    pub uuid: Option<String>,
    /// Device name [the UUID]
    #[arg(short = 'n', long, value_name = "NAME", help_heading = "Identity")]
    pub name: Option<String>,
    /// Device group
    #[arg(short = 'g', long, value_name = "NAME", help_heading = "Identity")]
    pub device_group: Option<String>,
    /// Hardware id [built in, or os-release]
    #[arg(short = 'i', long, value_name = "ID", help_heading = "Identity")]
    pub hwid: Option<String>,
    /// Tags to follow [os-release]
    #[arg(short = 't', long, value_name = "LIST", help_heading = "Identity")]
    pub tags: Option<String>,
    /// Production device [false; $PRODUCTION if set]
    #[arg(short = 'p', long, value_name = "BOOL", num_args = 0..=1,
          default_missing_value = "true", value_parser = parse_bool, help_heading = "Identity")]
    pub production: Option<bool>,
    /// Refuse a UUID that is not 8-4-4-4-12 hex [true]
    #[arg(short = 'v', long, value_name = "BOOL", value_parser = parse_bool, help_heading = "Identity")]
    pub validate_uuid: Option<bool>,

    /// Apps to run, separated by commas
    #[arg(short = 'a', long, value_name = "LIST", help_heading = "Updates")]
    pub apps: Option<String>,
    /// Apps to restore after a reset [one space: all]
    #[arg(short = 'A', long, value_name = "LIST", help_heading = "Updates")]
    pub restorable_apps: Option<String>,
    /// Use the OSTree proxy server [true]
    #[arg(long, value_name = "BOOL", value_parser = parse_bool, help_heading = "Updates")]
    pub use_ostree_server: Option<bool>,
    /// Start the update client afterwards [true]
    #[arg(long, value_name = "BOOL", value_parser = parse_bool, help_heading = "Updates")]
    pub start_daemon: Option<bool>,

    /// API token (visible to others: prefer a file)
    #[arg(
        short = 'T',
        long,
        value_name = "TOKEN",
        help_heading = "Authorisation"
    )]
    pub api_token: Option<Secret>,
    /// Read the API token from the first line of FILE, or -
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "api_token",
        help_heading = "Authorisation"
    )]
    pub api_token_file: Option<PathBuf>,
    /// Header that carries the API token [OSF-TOKEN]
    #[arg(short = 'H', long, value_name = "NAME", help_heading = "Authorisation")]
    pub api_token_header: Option<String>,

    /// PKCS#11 library or RFC 7512 URI: key on a token
    // Secret, since a URI may hold the PIN.
    #[arg(short = 'm', long, value_name = "PATH", help_heading = "HSM (PKCS#11)")]
    pub hsm_module: Option<Secret>,
    /// Label of the token [aktualizr]
    #[arg(long, value_name = "LABEL", help_heading = "HSM (PKCS#11)")]
    pub hsm_token_label: Option<String>,
    /// User PIN (visible to others: prefer a file)
    #[arg(short = 'P', long, value_name = "PIN", help_heading = "HSM (PKCS#11)")]
    pub hsm_pin: Option<Secret>,
    /// Read the user PIN from the first line of FILE, or -
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "hsm_pin",
        help_heading = "HSM (PKCS#11)"
    )]
    pub hsm_pin_file: Option<PathBuf>,
    /// Security officer PIN, to initialise a token
    #[arg(short = 'S', long, value_name = "PIN", help_heading = "HSM (PKCS#11)")]
    pub hsm_so_pin: Option<Secret>,
    /// Read the security officer PIN from FILE, or -
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "hsm_so_pin",
        help_heading = "HSM (PKCS#11)"
    )]
    pub hsm_so_pin_file: Option<PathBuf>,
    /// Log in even if one wrong PIN would lock the token
    #[arg(long, action = ArgAction::SetTrue, help_heading = "HSM (PKCS#11)")]
    pub hsm_allow_final_try: Option<bool>,

    /// Try again for so long; 0 is one attempt [120]
    #[arg(long, value_name = "SECS", help_heading = "Network",
          value_parser = clap::value_parser!(u64).range(RETRY_RANGE))]
    pub retry_for: Option<u64>,
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Network",
        help = "Registration API [$DEVICE_API, or the vendor's]"
    )]
    pub device_api: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        help_heading = "Network",
        help = "Approval server [$OAUTH_BASE, or API's /oauth]"
    )]
    pub oauth_base: Option<String>,
    /// Trust only the CAs in FILE (PEM) for the backend
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub ca_file: Option<PathBuf>,

    /// Replace an earlier registration [false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true",
          value_parser = parse_bool)]
    pub force: Option<bool>,
    /// Lock memory so that keys are never swapped out [true]
    #[arg(short = 'l', long, value_name = "BOOL", value_parser = parse_bool)]
    pub mlock_all: Option<bool>,
    /// Print what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait so long for the clock to be set, if it is wrong [0]
    #[arg(long, value_name = "SECS",
          value_parser = clap::value_parser!(u64).range(WAIT_RANGE))]
    pub wait_clock: Option<u64>,
    /// Read os-release from FILE [/etc/os-release]
    #[arg(long, value_name = "FILE")]
    pub os_release: Option<PathBuf>,
    /// Lock file of the update client [/var/lock/aklite.lock]
    #[arg(long, value_name = "FILE")]
    pub update_client_lock: Option<PathBuf>,
}

/// Parses the words of a command line, the program's name first. A secret among them is copied by
/// clap, and the kernel shows it in `/proc/PID/cmdline` for as long as the process lives: neither can
/// be wiped, which is why the help prefers files.
///
/// # Errors
/// What clap says of words it does not understand; help and version are such "errors" too.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<CommandLine, clap::Error> {
    let mut command = CommandLine::command();
    let words = spelt_out(words.into_iter().collect(), &command);
    let mut matches = command.try_get_matches_from_mut(words)?;
    let line = CommandLine::from_arg_matches_mut(&mut matches);
    let mut line = line.map_err(|error| error.format(&mut command))?;
    let of_auto = match &mut line.command {
        Some(Command::Auto(register)) => Some(&mut register.hsm_allow_final_try),
        _ => None,
    };
    let switches = [
        &mut line.common.json,
        &mut line.common.verbose,
        &mut line.register.hsm_allow_final_try,
    ];
    for switch in switches.into_iter().chain(of_auto) {
        // To clap, a switch that was not typed is off; here, nobody said anything.
        *switch = switch.filter(|on| *on);
    }
    if line.command.is_some() && line.register != RegisterOptions::default() {
        // Accepted and ignored, they would only seem to work.
        return Err(command.error(
            ErrorKind::ArgumentConflict,
            "options of a registration cannot stand before a command",
        ));
    }
    Ok(line)
}

#[cfg(test)]
mod tests;
