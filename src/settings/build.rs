//! What was set when this program was built, and what counts if nobody says anything.

use std::path::PathBuf;

use super::args::{CommonOptions, RegisterOptions};
use super::checks::not_empty;
use super::options::{FieldMut, Options, Source};
use super::origin::Origin;
use super::words::parse_bool;
use crate::error::{Error, Result};

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

/// The update client's systemd unit.
#[must_use]
pub(crate) fn update_client(build: BuildDefaults) -> &'static str {
    let unit = build.update_client.filter(|unit| !unit.is_empty());
    unit.unwrap_or("aktualizr-lite")
}

/// What was built in, one source for each variable.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if `PRODUCTION` is no BOOL word.
pub(super) fn sources(build: BuildDefaults) -> Result<Vec<Source>> {
    let texts: [(_, _, FieldMut<String>); 3] = [
        ("HARDWARE_ID", build.hwid, |o| &mut o.register.hwid),
        ("DEVICE_API", build.device_api, |o| {
            &mut o.register.device_api
        }),
        ("OAUTH_API", build.oauth_base, |o| {
            &mut o.register.oauth_base
        }),
    ];
    let mut found = Vec::new();
    for (name, value, field) in texts {
        let value = not_empty(value.map(str::to_owned));
        found.extend(Source::one(Origin::Build(name), field, value));
    }
    let production = build.production.map(|word| {
        parse_bool(word).map_err(|_| {
            Error::setting(format!(
                "this program was built with PRODUCTION={word:?}, which is no BOOL word"
            ))
        })
    });
    let origin = Origin::Build("PRODUCTION");
    let field: FieldMut<bool> = |o| &mut o.register.production;
    found.extend(Source::one(origin, field, production.transpose()?));
    Ok(found)
}

/// What counts if nobody says anything.
#[must_use]
pub(super) fn defaults() -> Source {
    let text = |text: &str| Some(text.to_owned());
    let path = |path: &str| Some(PathBuf::from(path));
    let options = Options {
        common: CommonOptions {
            sota_dir: path("/var/sota"),
            connect_timeout: Some(10),
            read_timeout: Some(30),
            request_timeout: Some(60),
            ..CommonOptions::default()
        },
        register: RegisterOptions {
            validate_uuid: Some(true),
            production: Some(false),
            // One space: all of them.
            restorable_apps: text(" "),
            use_ostree_server: Some(true),
            start_daemon: Some(true),
            force: Some(false),
            mlock_all: Some(true),
            api_token_header: text("OSF-TOKEN"),
            hsm_allow_final_try: Some(false),
            retry_for: Some(120),
            wait_clock: Some(0),
            os_release: path("/etc/os-release"),
            update_client_lock: path("/var/lock/aklite.lock"),
            device_api: text("https://api.foundries.io/ota/devices/"),
            oauth_base: text("https://app.foundries.io/oauth"),
            ..RegisterOptions::default()
        },
    };
    let origin = Origin::Default;
    Source { origin, options }
}
