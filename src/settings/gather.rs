//! Brings together what is said about a command. The order of the list is the precedence:
//!
//! 1. what was typed;
//! 2. variables of the environment;
//! 3. the API token's credential;
//! 4. `auto`: what somebody set for the wrapper script;
//! 5. `conf.d`, later names first, then `config.toml`;
//! 6. `auto`: what is only found or assumed;
//! 7. the PINs' credentials;
//! 8. what was built in: of the hardware, who built the image for it knows best;
//! 9. os-release;
//! 10. the defaults.

use std::env::var_os;
use std::path::{Path, PathBuf};

use super::build::{self, BUILD, BuildDefaults, update_client};
use super::environment;
use super::files::{self, TEXT_LIMIT};
use super::options::{Options, Source, Sources};
use super::origin::Origin;
use super::os_release::{self, OsRelease};
use super::resolve::{Settings, resolve};
use super::secrets;
use super::wrapper;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::sota::directory::read_text;

/// What every command knows: what was typed, configuration files, and defaults; and what somebody
/// should know of the files. Unless they are `needed`, unreadable ones are passed over.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a file that is wrong.
pub(crate) fn with_files(mut typed: Options, needed: bool) -> Result<(Sources, Vec<String>)> {
    let (mut files, warnings) = files::sources(typed.common.config_dir.as_deref(), needed)?;
    let of_files = files.iter_mut().map(|source| &mut source.options);
    for options in std::iter::once(&mut typed).chain(of_files) {
        if let Some(directory) = &mut options.common.sota_dir {
            *directory = absolute(directory)?;
        }
    }
    Ok((Sources::new(typed, files, build::defaults()), warnings))
}

/// The one spelling of a directory: it goes into `sota.toml`, whose readers run elsewhere.
fn absolute(directory: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(directory).map_err(|cause| {
        Error::setting(format!("{directory:?} leads nowhere"))
            .because(cause)
            .hint("give --sota-dir DIR with an absolute path")
    })?;
    // Without the slash at its end.
    Ok(path.components().collect())
}

/// The settings of a registration. What they came from is gone when this returns: a URI in it may
/// hold the PIN, which the settings have by then.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] for a value that is missing or cannot work.
pub(crate) fn of_registration(mut sources: Sources, auto: bool) -> Result<Settings> {
    let mut above = environment::sources(var_os, &sources.typed().register)?;
    above.extend(secrets::api_token_credential());
    if auto {
        above.extend(wrapper::set()?);
    }
    sources.put_above_files(above);
    let mut below = Vec::new();
    if auto {
        below.extend(wrapper::found(&sources)?);
    }
    below.extend(secrets::pin_credentials());
    sources.put_below_files(below);
    let secrets = secrets::find(&sources)?;
    let image = of_image(BUILD, &read_os_release(&sources)?)?;
    sources.put_below_files(image);
    resolve(&sources, secrets, update_client(BUILD))
}

/// What the image says.
fn of_image(build: BuildDefaults, release: &OsRelease) -> Result<Vec<Source>> {
    let mut sources = build::sources(build)?;
    sources.extend(os_release::sources(release));
    Ok(sources)
}

/// Reads os-release; a device without one has no defaults, which is no error by itself.
fn read_os_release(sources: &Sources) -> Result<OsRelease> {
    match sources.first(|o| &o.register.os_release) {
        Some((path, origin)) if *origin != Origin::Default || path.exists() => {
            read_text(path, TEXT_LIMIT).map(|text| OsRelease::parse(&text))
        }
        _ => Ok(OsRelease::default()),
    }
}

/// The token's user PIN for `unregister`, which knows of it only what is outside `sota.toml`: the
/// option of its file, the variable and the credential.
///
/// # Errors
/// [`crate::error::Kind::Configuration`] if a file of it is unreadable or its first line empty.
pub(crate) fn pin_of_unregister(mut sources: Sources) -> Result<Option<Secret>> {
    sources.for_each(|o| (o.register.hsm_module, o.register.hsm_pin) = (None, None));
    if sources.typed().register.hsm_pin_file.is_none() {
        let variable = environment::hsm_pin(var_os)?;
        sources.put_above_files(Vec::from_iter(variable));
    }
    sources.put_below_files(secrets::pin_credentials().collect());
    Ok(secrets::hsm_pin(&sources)?.map(|(pin, _)| pin))
}

#[cfg(test)]
pub(super) mod tests;
