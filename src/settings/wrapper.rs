//! `auto`: what the auto-register wrapper script read becomes a layer of settings, without a shell
//! and without a secret on a command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::settings::Origin;
use crate::settings::hsm_file::{self, HsmFile};
use crate::settings::layers::{Layer, Layers};
use crate::sota::directory::{Directory, is_there, read_text};

/// Directory of the files `tag` and `hsm`.
const SETTINGS: &str = "/etc/sota";
/// The API token's file, unless `TOKEN_FILE` names another.
const TOKEN_FILE: &str = "/etc/lmp-device-register-token";
/// The most bytes of a file.
const TEXT_LIMIT: usize = 64 * 1024;

/// Adds what the wrapper passed on to `layers`: what somebody set above the configuration files,
/// and what is only found or assumed below them.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a file that is there and unusable.
pub(crate) fn add_layers(layers: &mut Layers, sota_dir: &Path) -> Result<()> {
    let one = |name: &str, value: String| BTreeMap::from([(name.to_owned(), Secret::from(value))]);
    // A token that was forgotten is an error at once, and no code that nobody reads. An image that
    // names its approval server and has no such file means a person.
    if variable("OAUTH_BASE")?.is_none() || is_there(Path::new(TOKEN_FILE)) {
        layers.push_below(Layer {
            origin: Origin::Default,
            values: one("api-token-file", TOKEN_FILE.to_owned()),
        });
    }
    let path = sota_dir.join("compose-apps");
    if let Some(apps) = preloaded_apps(&path)? {
        layers.push_below(Layer {
            origin: Origin::File(path),
            values: one("apps", apps),
        });
    }
    let mut add = |values: BTreeMap<String, Secret>, origin: Origin| {
        layers.push_above(Layer { origin, values });
    };
    if let Some(path) = variable("TOKEN_FILE")? {
        add(
            one("api-token-file", path),
            Origin::Environment("TOKEN_FILE"),
        );
    }
    if let Some(apps) = variable("APPS")? {
        add(one("apps", apps), Origin::Environment("APPS"));
    }
    if std::env::var_os("USE_HOSTNAME").is_some_and(|value| !value.is_empty()) {
        let name = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        add(one("name", name), Origin::Environment("USE_HOSTNAME"));
    }
    let settings = Path::new(SETTINGS);
    if let Some((tag, path)) = tag(settings)? {
        add(one("tags", tag), Origin::File(path));
    }
    if let Some((
        HsmFile {
            module,
            pin,
            so_pin,
        },
        path,
    )) = hsm(settings)?
    {
        let values = [
            ("hsm-module", module.into()),
            ("hsm-pin", pin),
            ("hsm-so-pin", so_pin),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value));
        add(BTreeMap::from(values), Origin::File(path));
    }
    Ok(())
}

/// A variable of the wrapper; an empty one is one that is not set.
fn variable(name: &str) -> Result<Option<String>> {
    match std::env::var_os(name).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
        Some(Err(value)) => Err(Error::setting(format!(
            "the variable {name} is not UTF-8: {value:?}"
        ))),
    }
}

fn tag(settings: &Path) -> Result<Option<(String, PathBuf)>> {
    let path = settings.join("tag");
    if !is_there(&path) {
        return Ok(None);
    }
    let tag = read_text(&path, TEXT_LIMIT)?.trim().to_owned();
    if tag.is_empty() {
        return Err(Error::setting(format!("{path:?} is empty"))
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
        Err(error) => {
            let hint = error.hint_text().unwrap_or_default().to_owned();
            Err(Error::setting(format!("{path:?}: {}", error.full_message())).hint(hint))
        }
    }
}
