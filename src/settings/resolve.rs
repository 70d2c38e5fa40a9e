//! Pure: all sources become [`Settings`], and every value says where it came from.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderName;

use super::checks::{check_factory, check_url, check_uuid, missing, not_empty};
use super::options::{Field, Sources};
use super::origin::{FoundSecret, Origin, Provenance};
use super::resolver::Resolver;
use super::secrets::Secrets;
use super::token::{KeySetting, key_setting};
use crate::backend::authorisation::Authorisation;
use crate::backend::http::Timeouts;
use crate::error::{Error, Result};

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

/// Where keys and configuration go.
#[must_use]
pub(crate) fn sota_dir(sources: &Sources) -> PathBuf {
    Resolver::new(sources).path("sota-dir", |o| &o.common.sota_dir)
}

/// The update client's lock file.
#[must_use]
pub(crate) fn update_client_lock(sources: &Sources) -> PathBuf {
    Resolver::new(sources).path("update-client-lock", |o| &o.register.update_client_lock)
}

/// Limits in time.
#[must_use]
pub(crate) fn timeouts(sources: &Sources) -> Timeouts {
    limits(&mut Resolver::new(sources))
}

/// Makes settings of everything that was said; `update_client` is the unit of this build.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a value that is missing or cannot work.
pub(super) fn resolve(
    sources: &Sources,
    secrets: Secrets,
    update_client: &'static str,
) -> Result<Settings> {
    let mut resolver = Resolver::new(sources);
    let r = &mut resolver;
    let factory = check_factory(r.optional("factory", |o| &o.register.factory))?;
    let validate_uuid = r.value("validate-uuid", |o| &o.register.validate_uuid);
    let uuid = r.optional("uuid", |o| &o.register.uuid);
    if let Some(uuid) = &uuid {
        check_uuid(uuid, validate_uuid)?;
    }
    let Secrets {
        api_token,
        hsm_pin,
        hsm_so_pin,
    } = secrets;
    let device_api = url(r, "device-api", |o| &o.register.device_api)?;
    let settings = Settings {
        factory,
        validate_uuid,
        uuid,
        name: r.optional("name", |o| &o.register.name),
        group: r.optional("device-group", |o| &o.register.device_group),
        hwid: r
            .optional("hwid", |o| &o.register.hwid)
            .ok_or_else(|| missing("hardware id", "--hwid ID, or LMP_MACHINE in os-release"))?,
        tags: not_empty(r.optional("tags", |o| &o.register.tags))
            .ok_or_else(|| missing("tag", "--tags LIST, or LMP_FACTORY_TAG in os-release"))?,
        production: r.value("production", |o| &o.register.production),
        apps: r.optional("apps", |o| &o.register.apps),
        restorable_apps: r.value("restorable-apps", |o| &o.register.restorable_apps),
        use_ostree_server: r.value("use-ostree-server", |o| &o.register.use_ostree_server),
        start_daemon: r.value("start-daemon", |o| &o.register.start_daemon),
        update_client,
        force: r.value("force", |o| &o.register.force),
        mlock_all: r.value("mlock-all", |o| &o.register.mlock_all),
        mlock_required: sources
            .first(|o| &o.register.mlock_all)
            .is_some_and(|(on, origin)| *on && *origin != Origin::Default),
        authorisation: authorisation(r, api_token, &device_api)?,
        device_api,
        key: key_setting(r, hsm_pin, hsm_so_pin)?,
        sota_dir: r.path("sota-dir", |o| &o.common.sota_dir),
        update_client_lock: r.path("update-client-lock", |o| &o.register.update_client_lock),
        timeouts: {
            // It was read before; the record has it here.
            r.path("os-release", |o| &o.register.os_release);
            limits(r)
        },
        retry_for: seconds(r, "retry-for", |o| &o.register.retry_for),
        wait_clock: seconds(r, "wait-clock", |o| &o.register.wait_clock),
        ca_file: sources
            .first(|o| &o.register.ca_file)
            .map(|_| r.path("ca-file", |o| &o.register.ca_file)),
        provenance: Vec::new(),
    };
    Ok(Settings {
        provenance: resolver.provenance,
        ..settings
    })
}

fn seconds(r: &mut Resolver<'_>, name: &'static str, field: Field<u64>) -> Duration {
    Duration::from_secs(r.value(name, field))
}

fn limits(r: &mut Resolver<'_>) -> Timeouts {
    Timeouts {
        connect: seconds(r, "connect-timeout", |o| &o.common.connect_timeout),
        read: seconds(r, "read-timeout", |o| &o.common.read_timeout),
        request: seconds(r, "request-timeout", |o| &o.common.request_timeout),
    }
}

fn url(r: &mut Resolver<'_>, name: &'static str, field: Field<String>) -> Result<Url> {
    let origin = r.sources.first(field).map(|(_, origin)| origin.clone());
    let origin = origin.unwrap_or(Origin::Default);
    check_url(name, &origin, &r.value(name, field))
}

/// Where a person approves: with nothing said for this device, `/oauth` at the host of its device
/// API, unless that is the one which the address that was built in, or the vendor's, belongs to.
fn oauth_base(r: &mut Resolver<'_>, device_api: &Url) -> Result<Url> {
    let (api, base): (Field<String>, Field<String>) =
        (|o| &o.register.device_api, |o| &o.register.oauth_base);
    let of_image = |origin: &Origin| matches!(origin, Origin::Build(_) | Origin::Default);
    if let Some((_, origin)) = r.sources.first(base)
        && of_image(origin)
    {
        let built_in = matches!(origin, Origin::Build(_));
        let beside = r.sources.iter().find_map(|source| {
            let belongs = source.origin == Origin::Default || built_in && of_image(&source.origin);
            api(&source.options).as_ref().filter(|_| belongs)
        });
        let beside = beside.and_then(|url| Url::parse(url).ok());
        if beside.is_none_or(|url| url.origin() != device_api.origin()) {
            let mut derived = device_api.clone();
            derived.set_path("/oauth");
            derived.set_query(None);
            derived.set_fragment(None);
            r.record(
                "oauth-base",
                derived.to_string(),
                &Origin::Derived("device-api"),
            );
            return Ok(derived);
        }
    }
    url(r, "oauth-base", base)
}

fn authorisation(
    r: &mut Resolver<'_>,
    token: Option<FoundSecret>,
    device_api: &Url,
) -> Result<Authorisation> {
    let header = r.value("api-token-header", |o| &o.register.api_token_header);
    if HeaderName::try_from(header.as_str()).is_err() {
        return Err(
            Error::setting(format!("{header:?} is no name of an HTTP header"))
                .hint("give --api-token-header NAME"),
        );
    }
    let Some(token) = token.filter(|(token, _)| !token.expose().is_empty()) else {
        let base = oauth_base(r, device_api)?;
        return Ok(Authorisation::DeviceGrant { base });
    };
    let token = r.secret("api-token", token);
    // A line break would end the header and begin one of the attacker's (RFC 9110 section 5.5).
    let plain = |byte: u8| (0x20..0x7f).contains(&byte);
    if !token.expose().bytes().all(plain) {
        return Err(Error::setting(
            "the API token has a line break or another character that no header may hold",
        )
        .hint("give the token alone, on one line"));
    }
    Ok(Authorisation::ApiToken { header, token })
}
