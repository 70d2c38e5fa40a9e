//! `auto`: what the auto-register wrapper script read becomes sources of settings, without a shell
//! and without a secret on a command line.

use std::path::{Path, PathBuf};

use super::environment;
use super::files::TEXT_LIMIT;
use super::hsm_file::{self, HsmFile};
use super::options::Source;
use super::origin::Origin;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::sota::directory::{Directory, is_there, read_text};

/// Directory of the files `tag` and `hsm`.
const SETTINGS: &str = "/etc/sota";
/// The API token's file, unless `TOKEN_FILE` names another.
const TOKEN_FILE: &str = "/etc/lmp-device-register-token";

/// What somebody set: it counts for more than the configuration files.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a file that is there and unusable.
pub(super) fn set() -> Result<Vec<Source>> {
    let mut found = Vec::new();
    let settings = Path::new(SETTINGS);
    if let Some((file, path)) = hsm(settings)? {
        let HsmFile {
            module,
            pin,
            so_pin,
        } = file;
        let mut add = |field, secret| {
            found.push(Source::one(Origin::File(path.clone()), field, secret));
        };
        add(|o| &mut o.register.hsm_module, Secret::from(module));
        add(|o| &mut o.register.hsm_pin, pin);
        add(|o| &mut o.register.hsm_so_pin, so_pin);
    }
    if let Some((tag, path)) = tag(settings)? {
        let origin = Origin::File(path);
        found.push(Source::one(origin, |o| &mut o.register.tags, tag));
    }
    if std::env::var_os("USE_HOSTNAME").is_some_and(|value| !value.is_empty()) {
        let host = rustix::system::uname();
        let name = host.nodename().to_string_lossy().into_owned();
        let origin = Origin::Environment("USE_HOSTNAME");
        found.push(Source::one(origin, |o| &mut o.register.name, name));
    }
    if let Some(apps) = variable("APPS")? {
        let origin = Origin::Environment("APPS");
        found.push(Source::one(origin, |o| &mut o.register.apps, apps));
    }
    if let Some(path) = variable("TOKEN_FILE")? {
        let origin = Origin::Environment("TOKEN_FILE");
        found.push(Source::one(
            origin,
            |o| &mut o.register.api_token_file,
            path.into(),
        ));
    }
    Ok(found)
}

/// What is only found or assumed: it counts for less than the configuration files.
///
/// # Errors
/// [`crate::error::Kind::Storage`] for a directory of apps that cannot be read.
pub(super) fn found(sota_dir: &Path) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    // A token that was forgotten is an error at once, and no code that nobody reads. An image that
    // names its approval server and has no such file means a person.
    if variable("OAUTH_BASE")?.is_none() || is_there(Path::new(TOKEN_FILE)) {
        let path = PathBuf::from(TOKEN_FILE);
        found.push(Source::one(
            Origin::Default,
            |o| &mut o.register.api_token_file,
            path,
        ));
    }
    let path = sota_dir.join("compose-apps");
    if let Some(apps) = preloaded_apps(&path)? {
        let origin = Origin::File(path);
        found.push(Source::one(origin, |o| &mut o.register.apps, apps));
    }
    Ok(found)
}

/// A variable of the wrapper; an empty one is one that is not set.
fn variable(name: &str) -> Result<Option<String>> {
    let text = environment::text(name, std::env::var_os(name))?;
    Ok(text.filter(|value| !value.is_empty()))
}

fn tag(settings: &Path) -> Result<Option<(String, PathBuf)>> {
    let path = settings.join("tag");
    if !is_there(&path) {
        return Ok(None);
    }
    let tag = read_text(&path, TEXT_LIMIT)?.trim().to_owned();
    if tag.is_empty() {
        return Err(Error::configuration(format!("{path:?} is empty"))
            .hint("write the tag into it, or remove it"));
    }
    Ok(Some((tag, path)))
}

/// The names in the directory of preloaded apps, with commas, in order.
fn preloaded_apps(path: &Path) -> Result<Option<String>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let mut names = Directory::open(path)?.names()?;
    names.retain(|name| !name.starts_with('.'));
    names.sort_unstable();
    Ok((!names.is_empty()).then(|| names.join(",")))
}

fn hsm(settings: &Path) -> Result<Option<(HsmFile, PathBuf)>> {
    let path = settings.join("hsm");
    if !is_there(&path) {
        return Ok(None);
    }
    match hsm_file::parse(&read_text(&path, TEXT_LIMIT)?) {
        Ok(file) => Ok(Some((file, path))),
        Err(wrong) => Err(Error::configuration(format!("{path:?}: {wrong}")).hint(wrong.hint())),
    }
}
