//! The order of precedence as a table: value and origin of every setting.

use super::*;
use crate::error::Kind;
use crate::secret::Secret;
use crate::settings::build::{self, BuildDefaults, update_client};
use crate::settings::options::{Options, Source};
use crate::settings::os_release::{self, OsRelease};
use crate::settings::{args, environment, secrets};

mod sources;
mod values;

/// Nothing was built in.
const NOTHING: BuildDefaults = BuildDefaults {
    hwid: None,
    device_api: None,
    oauth_base: None,
    update_client: None,
    production: None,
};

/// Everything was built in.
const EVERYTHING: BuildDefaults = BuildDefaults {
    hwid: Some("built-hw"),
    device_api: Some("https://built.example/"),
    oauth_base: Some("https://built.example/oauth"),
    update_client: Some("built-client"),
    production: Some("yes"),
};

const RELEASE: &str =
    "LMP_FACTORY=released\nLMP_FACTORY_TAG='released-tag'\nLMP_MACHINE=\"released-hw\"\n";
/// What is needed and has no default, on the command line.
const ENOUGH: [&str; 6] = ["-f", "acme", "-i", "hw", "-t", "main"];

/// For other rooms: the settings of these words alone.
pub(crate) fn settings_of(words: &[&str]) -> Settings {
    Case::new(words).resolve().unwrap()
}

/// A machine on which settings are resolved.
#[derive(Clone)]
struct Case<'a> {
    words: Vec<&'a str>,
    environment: Vec<(&'a str, &'a str)>,
    os_release: &'a str,
    build: BuildDefaults,
    token: Option<FoundSecret>,
}

impl<'a> Case<'a> {
    fn new(words: &[&'a str]) -> Self {
        Self {
            words: words.to_vec(),
            environment: Vec::new(),
            os_release: "",
            build: NOTHING,
            token: None,
        }
    }

    /// With everything that is needed besides `words`.
    fn enough(words: &[&'a str]) -> Self {
        Self::new(&[&ENOUGH, words].concat())
    }

    fn variable(mut self, name: &'a str, value: &'a str) -> Self {
        self.environment.push((name, value));
        self
    }

    fn resolve(&self) -> Result<Settings> {
        let words = std::iter::once("lmp-device-register").chain(self.words.iter().copied());
        let typed = Options::typed(&mut args::parse(words.map(Into::into)).unwrap());
        let variable = |name: &'static str| {
            let set = self.environment.iter().find(|(set, _)| *set == name);
            set.map(|(_, value)| value.into())
        };
        let environment = environment::sources(variable, &typed.register)?;
        let token = self
            .token
            .clone()
            .map(|(token, origin)| Source::one(origin, |o| &mut o.register.api_token, token));
        let mut sources = Sources::new(typed, Vec::from_iter(token), build::defaults());
        sources.put_above_files(environment);
        let mut below = build::sources(self.build)?;
        below.extend(os_release::sources(&OsRelease::parse(self.os_release)));
        sources.put_below_files(below);
        let secrets = secrets::find(&sources)?;
        resolve(&sources, secrets, update_client(self.build))
    }

    /// Value and origin of a setting, as `--verbose` shows them.
    #[track_caller]
    fn of(&self, name: &str) -> (String, Origin) {
        let settings = self.resolve().unwrap();
        let mut found = settings.provenance.iter().filter(|p| p.name == name);
        let Provenance { value, origin, .. } = found.next().unwrap_or_else(|| panic!("{name}"));
        assert!(found.next().is_none(), "{name} stands once");
        (value.clone(), origin.clone())
    }

    /// The message of the error, which is one of configuration.
    #[track_caller]
    fn error(&self) -> String {
        let error = self.resolve().unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        error.full_message()
    }
}

#[track_caller]
fn assert_value(case: &Case<'_>, name: &str, value: &str, origin: Origin) {
    assert_eq!(case.of(name), (value.to_owned(), origin), "{name}");
}

#[track_caller]
fn assert_values<const N: usize>(case: &Case<'_>, expected: [(&str, &str, Origin); N]) {
    for (name, value, origin) in expected {
        assert_value(case, name, value, origin);
    }
}

/// Everybody says something, then one after the other falls silent.
#[test]
fn precedence() {
    let typed = Origin::CommandLine;
    let (variable, built, released) = (Origin::Environment, Origin::Build, Origin::OsRelease);
    let case = Case {
        words: "-f typed -i typed-hw -t typed-tag -p 0"
            .split(' ')
            .collect(),
        environment: vec![
            ("DEVICE_FACTORY", "variable"),
            ("PRODUCTION", "1"),
            ("DEVICE_API", "https://variable.example/"),
            ("OAUTH_BASE", "https://variable.example/oauth"),
        ],
        os_release: RELEASE,
        build: EVERYTHING,
        token: None,
    };
    assert_values(
        &case,
        [
            ("factory", "typed", typed.clone()),
            ("hwid", "typed-hw", typed.clone()),
            ("tags", "typed-tag", typed.clone()),
            ("production", "false", typed),
            (
                "device-api",
                "https://variable.example/",
                variable("DEVICE_API"),
            ),
            (
                "oauth-base",
                "https://variable.example/oauth",
                variable("OAUTH_BASE"),
            ),
        ],
    );
    let case = Case {
        words: Vec::new(),
        ..case
    };
    assert_values(
        &case,
        [
            ("factory", "variable", variable("DEVICE_FACTORY")),
            // Of the hardware, who built the image for it knows best.
            ("hwid", "built-hw", built("HARDWARE_ID")),
            ("tags", "released-tag", released("LMP_FACTORY_TAG")),
            ("production", "true", variable("PRODUCTION")),
        ],
    );
    let case = Case {
        environment: Vec::new(),
        ..case
    };
    assert_values(
        &case,
        [
            ("factory", "released", released("LMP_FACTORY")),
            ("production", "true", built("PRODUCTION")),
            ("device-api", "https://built.example/", built("DEVICE_API")),
            (
                "oauth-base",
                "https://built.example/oauth",
                built("OAUTH_API"),
            ),
        ],
    );
    let case = Case {
        build: NOTHING,
        ..case
    };
    assert_values(
        &case,
        [
            ("hwid", "released-hw", released("LMP_MACHINE")),
            ("production", "false", Origin::Default),
            (
                "device-api",
                "https://api.foundries.io/ota/devices/",
                Origin::Default,
            ),
            (
                "oauth-base",
                "https://app.foundries.io/oauth",
                Origin::Default,
            ),
        ],
    );
}

#[test]
fn what_nobody_says_is_as_documented() {
    let settings = Case::enough(&[]).resolve().unwrap();
    assert_eq!(settings.sota_dir, PathBuf::from("/var/sota"));
    assert_eq!(
        settings.update_client_lock,
        PathBuf::from("/var/lock/aklite.lock")
    );
    assert_eq!(settings.update_client, "aktualizr-lite");
    assert_eq!(
        (settings.uuid, settings.name, settings.group),
        (None, None, None)
    );
    assert_eq!(
        (settings.apps, settings.restorable_apps.as_str()),
        (None, " ")
    );
    assert!(settings.validate_uuid && settings.use_ostree_server && settings.start_daemon);
    assert!(settings.mlock_all && !settings.mlock_required);
    assert!(!settings.force && !settings.production);
    assert_eq!(settings.key, KeySetting::Software);
    assert_eq!(settings.retry_for, Duration::from_secs(120));
    let seconds = |limit: Duration| limit.as_secs();
    let Timeouts {
        connect,
        read,
        request,
    } = settings.timeouts;
    assert_eq!([connect, read, request].map(seconds), [10, 30, 60]);
}

#[test]
fn what_is_typed_is_taken() {
    let words = "-d /tmp/x -u 67e67bf8-6f72-481d-a05e-bcf2784dd584 -n nam -g grp -a a1 -A a2 \
                 --use-ostree-server=0 --start-daemon=0 -l 1 --force --connect-timeout=1 \
                 --read-timeout=2 --request-timeout=3 --retry-for=4 --ca-file=/ca \
                 --update-client-lock=/lock -T tok -H X-Token";
    let words: Vec<&str> = words.split(' ').collect();
    let settings = Case::enough(&words).resolve().unwrap();
    assert_eq!(settings.sota_dir, PathBuf::from("/tmp/x"));
    assert_eq!(
        settings.uuid.as_deref(),
        Some("67e67bf8-6f72-481d-a05e-bcf2784dd584")
    );
    assert_eq!(settings.name.as_deref(), Some("nam"));
    assert_eq!(settings.group.as_deref(), Some("grp"));
    assert_eq!(settings.apps.as_deref(), Some("a1"));
    assert_eq!(settings.restorable_apps, "a2");
    assert!(!settings.use_ostree_server && !settings.start_daemon);
    assert!(settings.mlock_all && settings.mlock_required && settings.force);
    assert_eq!(settings.ca_file, Some(PathBuf::from("/ca")));
    assert_eq!(settings.update_client_lock, PathBuf::from("/lock"));
    let Timeouts {
        connect,
        read,
        request,
    } = settings.timeouts;
    let seconds = [connect, read, request, settings.retry_for].map(|limit| limit.as_secs());
    assert_eq!(seconds, [1, 2, 3, 4]);
    let token = Authorisation::ApiToken {
        header: "X-Token".into(),
        token: Secret::from("tok"),
    };
    assert_eq!(settings.authorisation, token);
}

/// An empty name, group or PKCS#11 library is as good as none; an empty list is a list.
#[test]
fn empty_values() {
    let settings = Case::enough(&["-n", "", "-g", "", "-m", "", "-A", "", "-a", ""]);
    let settings = settings.resolve().unwrap();
    assert_eq!((settings.name, settings.group), (None, None));
    assert_eq!(
        (settings.apps.as_deref(), settings.restorable_apps.as_str()),
        (Some(""), "")
    );
    assert_eq!(settings.key, KeySetting::Software);
}
