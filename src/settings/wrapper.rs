//! `auto`: what the auto-register wrapper script read becomes sources of settings, without a shell
//! and without a secret on a command line.

use std::path::{Path, PathBuf};

use super::environment;
use super::files::TEXT_LIMIT;
use super::hsm_file::{self, HsmFile};
use super::options::{FieldMut, Source, Sources};
use super::origin::Origin::{self, Environment};
use super::resolve::sota_dir;
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
    let path = settings.join("hsm");
    if let Some(HsmFile {
        module,
        pin,
        so_pin,
    }) = hsm(&path)?
    {
        let mut add = |field, secret| {
            found.extend(Source::one(Origin::File(path.clone()), field, Some(secret)));
        };
        add(|o| &mut o.register.hsm_module, Secret::from(module));
        add(|o| &mut o.register.hsm_pin, pin);
        add(|o| &mut o.register.hsm_so_pin, so_pin);
    }
    let path = settings.join("tag");
    let tag = tag(&path)?;
    let wanted = std::env::var_os("USE_HOSTNAME").filter(|value| !value.is_empty());
    let host = wanted.map(|_| rustix::system::uname());
    let name = host.map(|host| host.nodename().to_string_lossy().into_owned());
    let apps = variable("APPS")?;
    let mut add = |origin, field: FieldMut<String>, text| {
        found.extend(Source::one(origin, field, text));
    };
    add(Origin::File(path), |o| &mut o.register.tags, tag);
    add(Environment("USE_HOSTNAME"), |o| &mut o.register.name, name);
    add(Environment("APPS"), |o| &mut o.register.apps, apps);
    let file = variable("TOKEN_FILE")?.map(PathBuf::from);
    let field: FieldMut<PathBuf> = |o| &mut o.register.api_token_file;
    found.extend(Source::one(Environment("TOKEN_FILE"), field, file));
    Ok(found)
}

/// What is only found or assumed: it counts for less than the configuration files.
///
/// # Errors
/// [`crate::error::Kind::Storage`] for a directory of apps that cannot be read.
pub(super) fn found(sources: &Sources) -> Result<Vec<Source>> {
    let file = PathBuf::from(TOKEN_FILE);
    // A token that was forgotten is an error at once, and no code that nobody reads. An image that
    // names its approval server and has no such file means a person.
    let base = sources.first(|o| &o.register.oauth_base);
    let assumed = base.is_none_or(|(_, origin)| *origin == Origin::Default) || is_there(&file);
    let file = assumed.then_some(file);
    let token = Source::one(Origin::Default, |o| &mut o.register.api_token_file, file);
    let path = sota_dir(sources).join("compose-apps");
    let apps = preloaded_apps(&path)?;
    let apps = Source::one(Origin::File(path), |o| &mut o.register.apps, apps);
    Ok(token.into_iter().chain(apps).collect())
}

/// A variable of the wrapper; an empty one is one that is not set.
fn variable(name: &str) -> Result<Option<String>> {
    let text = environment::text(name, std::env::var_os(name))?;
    Ok(text.filter(|value| !value.is_empty()))
}

fn tag(path: &Path) -> Result<Option<String>> {
    if !is_there(path) {
        return Ok(None);
    }
    let tag = read_text(path, TEXT_LIMIT)?.trim().to_owned();
    if tag.is_empty() {
        return Err(Error::setting(format!("{path:?} is empty"))
            .hint("write the tag into it, or remove it"));
    }
    Ok(Some(tag))
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

fn hsm(path: &Path) -> Result<Option<HsmFile>> {
    if !is_there(path) {
        return Ok(None);
    }
    let file = hsm_file::parse(&read_text(path, TEXT_LIMIT)?);
    file.map(Some)
        .map_err(|wrong| Error::setting(format!("{path:?}: {wrong}")).hint(wrong.hint()))
}
