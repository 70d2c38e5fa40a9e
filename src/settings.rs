//! Pure: the command line, the environment and the texts of files become [`Settings`], and
//! every value says where it came from.
//!
//! Precedence: command line, then environment, then credentials and files, then os-release, then
//! what was built in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Url;

use crate::backend::authorisation::Authorisation;
use crate::backend::http::Timeouts;
use crate::error::Result;
use crate::key::pkcs11::TokenSettings;
use crate::settings::args::{CommonArgs, RegisterArgs};
use crate::settings::layers::Origins;
use crate::settings::os_release::OsRelease;

pub mod args;
mod checks;
mod choices;
pub mod hsm_file;
pub(crate) mod layers;
mod origin;
pub(crate) mod os_release;
pub(crate) mod sources;
mod token;
pub(crate) mod wrapper;

use checks::{check_factory, check_url, not_empty};
use choices::{authorisation, hwid, production, tags};
use origin::{Resolver, built, default, typed};

pub(crate) use checks::check_uuid;
pub(crate) use origin::{FoundSecret, Origin, Provenance};
pub(crate) use token::module_uri;

/// Where the device's private key lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySetting {
    /// In `pkey.pem`.
    Software,
    /// On a PKCS#11 token.
    Token(TokenSettings),
}

/// Everything that was decided about a registration before looking at the device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub(crate) struct Settings {
    /// Where keys and configuration go, as given.
    pub sota_dir: PathBuf,
    /// Factory: the certificate's OU.
    pub factory: String,
    /// UUID, if somebody chose one.
    pub uuid: Option<String>,
    /// Whether a UUID must look like one.
    pub validate_uuid: bool,
    /// Device name; the UUID if absent.
    pub name: Option<String>,
    /// Device group.
    pub group: Option<String>,
    /// Hardware id.
    pub hwid: String,
    /// Tags, separated by commas.
    pub tags: String,
    /// Production device.
    pub production: bool,
    /// Apps, if the list was given.
    pub apps: Option<String>,
    /// Apps to restore after a factory reset; empty for none.
    pub restorable_apps: String,
    /// Use the OSTree proxy server.
    pub use_ostree_server: bool,
    /// Start the update client after success.
    pub start_daemon: bool,
    /// The update client's systemd unit.
    pub update_client: &'static str,
    /// The update client's lock file.
    pub update_client_lock: PathBuf,
    /// Replace an earlier registration.
    pub force: bool,
    /// Lock memory.
    pub mlock_all: bool,
    /// `--mlock-all` was typed: then a refusal is an error.
    pub mlock_required: bool,
    /// How the registration is allowed.
    pub authorisation: Authorisation,
    /// URL of the registration API, used verbatim.
    pub device_api: Url,
    /// Trust only these CAs.
    pub ca_file: Option<PathBuf>,
    /// Limits in time.
    pub timeouts: Timeouts,
    /// How long to wait for a clock that is wrong.
    pub wait_clock: Duration,
    /// How long to try again after failures that may pass.
    pub retry_for: Duration,
    /// Where the key lives.
    pub key: KeySetting,
    /// The same, for people: value and origin of each.
    pub provenance: Vec<Provenance>,
}

/// What was set when this program was built; the variables of the incumbent's build.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuildDefaults {
    /// `HARDWARE_ID`
    pub hwid: Option<&'static str>,
    /// `DEVICE_API`
    pub device_api: Option<&'static str>,
    /// `OAUTH_API`
    pub oauth_base: Option<&'static str>,
    /// `SOTA_CLIENT`
    pub update_client: Option<&'static str>,
    /// `PRODUCTION`, a BOOL word
    pub production: Option<&'static str>,
}

/// The settings of this build.
pub(crate) const BUILD: BuildDefaults = BuildDefaults {
    hwid: option_env!("HARDWARE_ID"),
    device_api: option_env!("DEVICE_API"),
    oauth_base: option_env!("OAUTH_API"),
    update_client: option_env!("SOTA_CLIENT"),
    production: option_env!("PRODUCTION"),
};

/// Everything that settings are made of.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// Options of every command.
    pub common: &'a CommonArgs,
    /// Options of a registration.
    pub args: &'a RegisterArgs,
    /// Variables of the environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The API token of a file or credential.
    pub api_token: Option<FoundSecret>,
    /// The token's user PIN from anywhere but its option.
    pub hsm_pin: Option<FoundSecret>,
    /// The token's security officer PIN from anywhere but its option.
    pub hsm_so_pin: Option<FoundSecret>,
    /// `/etc/os-release`
    pub os_release: &'a OsRelease,
    /// Built in.
    pub build: BuildDefaults,
}

/// The description of the system unless told otherwise.
pub(crate) const OS_RELEASE: &str = "/etc/os-release";
/// Seconds that a connection may take unless told otherwise.
const CONNECT_TIMEOUT: u64 = 10;
/// Seconds between two reads unless told otherwise.
const READ_TIMEOUT: u64 = 30;
/// Seconds for a whole request unless told otherwise.
const REQUEST_TIMEOUT: u64 = 60;
/// Seconds to try again unless told otherwise.
const RETRY_FOR: u64 = 120;

/// Limits in time from the command line, else the defaults.
#[must_use]
pub(crate) fn timeouts(common: &CommonArgs) -> Timeouts {
    let seconds = |given: Option<u64>, default| Duration::from_secs(given.unwrap_or(default));
    Timeouts {
        connect: seconds(common.connect_timeout, CONNECT_TIMEOUT),
        read: seconds(common.read_timeout, READ_TIMEOUT),
        request: seconds(common.request_timeout, REQUEST_TIMEOUT),
    }
}

/// The directory of the registration from the command line, else `/var/sota`.
#[must_use]
pub(crate) fn sota_dir(common: &CommonArgs) -> PathBuf {
    let default = || PathBuf::from("/var/sota");
    common.sota_dir.clone().unwrap_or_else(default)
}

impl Settings {
    /// Says of values that files gave where they came from; to resolve they look typed.
    pub(crate) fn attribute(&mut self, origins: &Origins) {
        for Provenance { name, origin, .. } in &mut self.provenance {
            if let (Origin::CommandLine, Some(file)) = (&*origin, origins.get(*name)) {
                *origin = file.clone();
            }
            // A credential is better known by its name than by the path of the day.
            if let Some(credential @ Origin::Credential(_)) = origins.get(&format!("{name}-file")) {
                *origin = credential.clone();
            }
        }
    }
}

/// The update client's systemd unit.
#[must_use]
pub(crate) fn update_client(build: BuildDefaults) -> &'static str {
    build.update_client.unwrap_or("aktualizr-lite")
}

/// The update client's lock file unless told otherwise.
#[must_use]
pub(crate) fn update_client_lock() -> PathBuf {
    PathBuf::from("/var/lock/aklite.lock")
}

/// Makes settings of everything that was said.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a value that is missing or cannot work.
pub(crate) fn resolve(sources: Sources<'_>) -> Result<Settings> {
    let Sources {
        common,
        args,
        environment,
        api_token,
        hsm_pin,
        hsm_so_pin,
        os_release,
        build,
    } = sources;
    let mut resolver = Resolver {
        environment,
        os_release,
        provenance: Vec::new(),
    };
    let r = &mut resolver;

    let factory = r.first(
        "factory",
        [
            typed(args.factory.clone()),
            r.variable("DEVICE_FACTORY"),
            r.released("LMP_FACTORY"),
        ],
    );
    let factory = check_factory(factory)?;
    let validate_uuid = r.flag("validate-uuid", args.validate_uuid, true);
    let uuid = r.first("uuid", [typed(args.uuid.clone())]);
    if let Some(uuid) = &uuid {
        check_uuid(uuid, validate_uuid)?;
    }

    let settings = Settings {
        sota_dir: sota_dir(common),
        factory,
        uuid,
        validate_uuid,
        name: not_empty(r.first("name", [typed(args.name.clone())])),
        group: not_empty(r.first("device-group", [typed(args.device_group.clone())])),
        hwid: hwid(r, args, build)?,
        tags: tags(r, args)?,
        production: production(r, args, build)?,
        apps: r.first("apps", [typed(args.apps.clone())]),
        restorable_apps: r
            .first(
                "restorable-apps",
                [typed(args.restorable_apps.clone()), default(" ")],
            )
            .unwrap_or_default(),
        use_ostree_server: r.flag("use-ostree-server", args.use_ostree_server, true),
        start_daemon: r.flag("start-daemon", args.start_daemon, true),
        update_client: update_client(build),
        update_client_lock: args
            .update_client_lock
            .clone()
            .unwrap_or_else(update_client_lock),
        force: r.flag("force", args.force, false),
        mlock_all: r.flag("mlock-all", args.mlock_all, true),
        mlock_required: args.mlock_all == Some(true),
        authorisation: authorisation(r, args, api_token, build)?,
        device_api: {
            let text = r.first(
                "device-api",
                [
                    r.variable("DEVICE_API"),
                    built(build.device_api, "DEVICE_API"),
                    default("https://api.foundries.io/ota/devices/"),
                ],
            );
            check_url("DEVICE_API", &text.unwrap_or_default())?
        },
        ca_file: args.ca_file.clone(),
        timeouts: timeouts(common),
        wait_clock: Duration::from_secs(args.wait_clock.unwrap_or(0)),
        retry_for: Duration::from_secs(args.retry_for.unwrap_or(RETRY_FOR)),
        key: token::key_setting(r, args, hsm_pin, hsm_so_pin)?,
        provenance: Vec::new(),
    };
    note_files_and_times(r, common, args, &settings);
    Ok(Settings {
        provenance: resolver.provenance,
        ..settings
    })
}

/// Values that need no decision are recorded too, so that nothing is missing from the list.
fn note_files_and_times(
    r: &mut Resolver<'_>,
    common: &CommonArgs,
    args: &RegisterArgs,
    settings: &Settings,
) {
    let Timeouts {
        connect,
        read,
        request,
    } = settings.timeouts;
    let path = |path: &Path| path.display().to_string();
    let seconds = |time: Duration| time.as_secs().to_string();
    let entries = [
        (
            "sota-dir",
            path(&settings.sota_dir),
            common.sota_dir.is_some(),
        ),
        (
            "update-client-lock",
            path(&settings.update_client_lock),
            args.update_client_lock.is_some(),
        ),
        (
            "os-release",
            path(args.os_release.as_deref().unwrap_or(Path::new(OS_RELEASE))),
            args.os_release.is_some(),
        ),
        (
            "connect-timeout",
            seconds(connect),
            common.connect_timeout.is_some(),
        ),
        ("read-timeout", seconds(read), common.read_timeout.is_some()),
        (
            "request-timeout",
            seconds(request),
            common.request_timeout.is_some(),
        ),
        (
            "retry-for",
            seconds(settings.retry_for),
            args.retry_for.is_some(),
        ),
        (
            "wait-clock",
            seconds(settings.wait_clock),
            args.wait_clock.is_some(),
        ),
    ];
    for (name, value, given) in entries {
        let origin = if given {
            Origin::CommandLine
        } else {
            Origin::Default
        };
        r.provenance.push(Provenance {
            name,
            value,
            origin,
        });
    }
    if let Some(file) = &settings.ca_file {
        let (value, origin) = (path(file), Origin::CommandLine);
        r.provenance.push(Provenance {
            name: "ca-file",
            value,
            origin,
        });
    }
}

#[cfg(test)]
mod tests;
