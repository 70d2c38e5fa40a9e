//! The order of precedence as a table: value and origin of every setting.

use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::backend::authorisation::Authorisation;
use crate::backend::http::Timeouts;
use crate::error::Kind;
use crate::settings::args;
use crate::settings::origin::{FoundSecret, Provenance};
use crate::settings::resolve::sota_dir;
use crate::settings::token::KeySetting;

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
    /// The API token of a file.
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

    fn sources(&self, files: Vec<Source>) -> Result<Sources> {
        let words = std::iter::once("lmp-device-register").chain(self.words.iter().copied());
        let typed = Options::typed(&mut args::parse(words.map(Into::into)).unwrap());
        let set = |name: &'static str| self.environment.iter().find(|(set, _)| *set == name);
        let variable = |name| set(name).map(|(_, value)| value.into());
        let environment = environment::sources(variable, &typed.register)?;
        let mut sources = Sources::new(typed, files, build::defaults());
        sources.put_above_files(environment);
        sources.put_below_files(of_image(self.build, &OsRelease::parse(self.os_release))?);
        Ok(sources)
    }

    fn resolve(&self) -> Result<Settings> {
        let (token, file) = self.token.clone().unzip();
        let file = file.unwrap_or(Origin::Default);
        let file = Source::one(file, |o| &mut o.register.api_token, token);
        let sources = self.sources(Vec::from_iter(file))?;
        let secrets = secrets::find(&sources)?;
        resolve(&sources, secrets, update_client(self.build))
    }

    /// The settings stand in what `--verbose` shows like this, once.
    #[track_caller]
    fn shows(&self, lines: &[&str]) {
        let settings = self.resolve().unwrap();
        let shown = settings.provenance.iter().map(|p| {
            let Provenance {
                name,
                value,
                origin,
            } = p;
            format!("{name} = {value:?} ({origin})")
        });
        let shown: Vec<String> = shown.collect();
        for line in lines {
            let (name, _) = line.split_once(" = ").unwrap();
            let of_it = |shown: &&String| shown.split_once(" = ").unwrap().0 == name;
            assert_eq!(shown.iter().filter(of_it).collect::<Vec<_>>(), [line]);
        }
    }

    /// The message of the error, which is one of configuration.
    #[track_caller]
    fn error(&self) -> String {
        let error = self.resolve().unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        error.full_message()
    }
}

/// Everybody says something, then one after the other falls silent.
#[test]
fn precedence() {
    let mut case = Case::new(&["-f", "typed", "-i", "typed-hw", "-t", "typed-tag", "-p0"])
        .variable("DEVICE_FACTORY", "variable")
        .variable("PRODUCTION", "1")
        .variable("DEVICE_API", "https://variable.example/")
        .variable("OAUTH_BASE", "https://variable.example/oauth");
    (case.os_release, case.build) = (RELEASE, EVERYTHING);
    case.shows(&[
        r#"factory = "typed" (command line)"#,
        r#"hwid = "typed-hw" (command line)"#,
        r#"tags = "typed-tag" (command line)"#,
        r#"production = "false" (command line)"#,
        r#"device-api = "https://variable.example/" (environment DEVICE_API)"#,
        r#"oauth-base = "https://variable.example/oauth" (environment OAUTH_BASE)"#,
    ]);
    case.words.clear();
    case.shows(&[
        r#"factory = "variable" (environment DEVICE_FACTORY)"#,
        // Of the hardware, who built the image for it knows best.
        r#"hwid = "built-hw" (built in HARDWARE_ID)"#,
        r#"tags = "released-tag" (os-release LMP_FACTORY_TAG)"#,
        r#"production = "true" (environment PRODUCTION)"#,
    ]);
    case.environment.clear();
    case.shows(&[
        r#"factory = "released" (os-release LMP_FACTORY)"#,
        r#"production = "true" (built in PRODUCTION)"#,
        r#"device-api = "https://built.example/" (built in DEVICE_API)"#,
        r#"oauth-base = "https://built.example/oauth" (built in OAUTH_API)"#,
    ]);
    case.build = NOTHING;
    case.shows(&[
        r#"hwid = "released-hw" (os-release LMP_MACHINE)"#,
        r#"production = "false" (default)"#,
        r#"device-api = "https://api.foundries.io/ota/devices/" (default)"#,
        r#"oauth-base = "https://app.foundries.io/oauth" (default)"#,
    ]);
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

/// What is empty is as good as not said; an empty list is a list.
#[test]
fn empty_values() {
    let line = "-n  -g  -m  -P  -S  -u  -A  -a ";
    let words: Vec<&str> = line.split(' ').collect();
    let settings = Case::enough(&words).resolve().unwrap();
    assert_eq!((settings.name, settings.group), (None, None));
    assert_eq!(settings.uuid, None);
    assert_eq!(
        (settings.apps.as_deref(), settings.restorable_apps.as_str()),
        (Some(""), "")
    );
    assert_eq!(settings.key, KeySetting::Software);
}

/// Then the next source counts.
#[test]
fn what_comes_after_an_empty_value() {
    let mut case = Case::new(&["-i", "", "-t", "typed"]).variable("DEVICE_FACTORY", "");
    case.os_release = RELEASE;
    case.build.hwid = Some("");
    case.build.device_api = Some("");
    case.build.oauth_base = Some("");
    case.build.update_client = Some("");
    case.shows(&[
        r#"factory = "released" (os-release LMP_FACTORY)"#,
        r#"hwid = "released-hw" (os-release LMP_MACHINE)"#,
        r#"device-api = "https://api.foundries.io/ota/devices/" (default)"#,
        r#"oauth-base = "https://app.foundries.io/oauth" (default)"#,
    ]);
    assert_eq!(case.resolve().unwrap().update_client, "aktualizr-lite");
    // A token whose PIN was forgotten is no software key.
    assert!(
        Case::enough(&["-m", "/m.so", "-P", ""])
            .error()
            .contains("PIN")
    );
}

/// A person is never sent to somebody else's approval page.
#[test]
fn the_approval_server_follows_the_device_api() {
    let is = |case: &Case<'_>, base: &str| {
        case.shows(&[&format!("oauth-base = {base}")]);
    };
    let case = Case::enough(&["--device-api", "https://a.example:8/ota/devices/?x=1"]);
    is(&case, r#""https://a.example:8/oauth" (from device-api)"#);
    let set = case.clone().variable("OAUTH_BASE", "https://set.example/o");
    is(&set, r#""https://set.example/o" (environment OAUTH_BASE)"#);
    let words = [
        "--device-api=https://a.example/",
        "--oauth-base",
        "https://t.example/o",
    ];
    let typed = Case::enough(&words).variable("OAUTH_BASE", "https://set.example/o");
    is(&typed, r#""https://t.example/o" (command line)"#);
    let variable = Case::enough(&[]).variable("DEVICE_API", "http://h/v1/devices");
    is(&variable, r#""http://h/oauth" (from device-api)"#);
    let own = Case::enough(&["--device-api=https://api.foundries.io/other/"]);
    is(&own, r#""https://app.foundries.io/oauth" (default)"#);

    // What was built in belongs to the API that was built in.
    let mut built = case;
    built.build = EVERYTHING;
    is(&built, r#""https://a.example:8/oauth" (from device-api)"#);
    built.words = [&ENOUGH[..], &["--device-api=https://built.example/x"]].concat();
    is(
        &built,
        r#""https://built.example/oauth" (built in OAUTH_API)"#,
    );
    built.build.oauth_base = None;
    is(&built, r#""https://built.example/oauth" (from device-api)"#);
}

/// The same directory in every spelling, wherever this runs.
#[test]
fn the_directory_is_absolute() {
    let here = std::env::current_dir().unwrap();
    for (typed, meant) in [
        ("x", here.join("x")),
        ("./x/", here.join("x")),
        ("/a//b/./", "/a/b".into()),
        ("/a/../b", "/a/../b".into()),
        ("/", "/".into()),
    ] {
        let mut options = Options::default();
        options.common.sota_dir = Some(typed.into());
        options.common.config_dir = Some(here.clone());
        let (sources, _) = with_files(options, true).unwrap();
        assert_eq!(sota_dir(&sources).as_os_str(), meant.as_os_str());
    }
}
