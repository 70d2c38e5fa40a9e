//! `unregister`: removes what a registration installed. What is not ours stays.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::board::claims::Claims;
use crate::board::update_client;
use crate::error::{Error, Kind, Result};
use crate::report::line_to_stderr;
use crate::settings;
use crate::settings::options::Sources;
use crate::sota::directory::{Directory, is_there};
use crate::sota::files::{
    CERTIFICATE, CHAIN, CONFIGURATION, DATABASE_FILES, PRIVATE_KEY, ROOT, is_daemons,
};
use crate::sota::installed;
use crate::sota::journal::{self, Journal};

mod token;

/// What a registration writes.
const OURS: [&str; 5] = [PRIVATE_KEY, CERTIFICATE, CHAIN, ROOT, CONFIGURATION];

/// What was removed.
#[derive(Debug, Default)]
pub(crate) struct Unregistered {
    /// UUID of the device that was registered, if its certificate could be read.
    pub uuid: Option<String>,
    /// UUIDs that an interrupted registration may have left on the backend.
    pub orphans: Vec<String>,
    /// Files; none if there was no registration.
    pub removed: Vec<PathBuf>,
}

/// Removes the registration, one that was begun too, its objects on a token first. Asks on a
/// terminal unless `yes`; `None` if the person there says no.
///
/// # Errors
/// [`Kind::Busy`] while the update client or a registration runs, [`Kind::Usage`] without a
/// terminal and without `yes`, [`Kind::Storage`].
pub(crate) fn unregister(
    sources: Sources,
    yes: bool,
    keep_token: bool,
) -> Result<Option<Unregistered>> {
    let sota_dir = &settings::sota_dir(&sources);
    let update_client_lock = &settings::update_client_lock(&sources);
    let sota = Directory::open(sota_dir).map_err(|error| {
        if is_there(sota_dir) {
            error
        } else {
            error.hint("give --sota-dir DIR, where the registration is")
        }
    })?;
    if !sota.try_lock()? {
        return Err(Error::new(
            Kind::Busy,
            format!("a registration is running in {sota_dir:?}"),
        )
        .hint("wait for it to end"));
    }
    let unit = settings::update_client(settings::BUILD);
    update_client::check_stopped(unit, update_client_lock)?;
    let installed = found(&sota)?;
    let mut names = installed.clone();
    for name in journal::NAMES {
        if sota.has(name)? {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(Some(Unregistered::default()));
    }
    let uuid = installed::uuid(&sota);
    let orphans = orphans(&sota, uuid.as_deref());
    if !yes && !confirm(&sota, &names)? {
        return Ok(None);
    }
    // The token first: its settings are in the files that go next.
    if !keep_token {
        token::clear(&sota, sources, Claims::new(update_client_lock))?;
    }
    journal::discard(&sota)?;
    // The configuration goes last: while it is there, running this again finishes the work.
    for name in installed.iter().filter(|name| *name != CONFIGURATION) {
        sota.remove(name)?;
    }
    sota.remove_temporary(OURS.into_iter())?;
    sota.sync()?;
    sota.remove(CONFIGURATION)?;
    sota.sync()?;
    Ok(Some(Unregistered {
        uuid,
        orphans,
        removed: names.iter().map(|name| sota.path().join(name)).collect(),
    }))
}

/// What the backend may know of an interrupted registration. A journal that cannot be read names nobody.
fn orphans(sota: &Directory, registered: Option<&str>) -> Vec<String> {
    let Ok(Some(record)) = Journal::peek(sota) else {
        return Vec::new();
    };
    let begun = record.may_be_known().then_some(record.plan.identity.uuid);
    let mut orphans = record.orphans;
    orphans.extend(begun.filter(|uuid| Some(&**uuid) != registered));
    orphans
}

/// The files of a registration that are there: ours, the update client's database, whose presence
/// alone makes a device count as registered, and the keys and states of the configuration daemon.
fn found(sota: &Directory) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in OURS.into_iter().chain(DATABASE_FILES) {
        if sota.has(name)? {
            found.push(name.to_owned());
        }
    }
    found.extend(sota.names()?.into_iter().filter(|name| is_daemons(name)));
    Ok(found)
}

fn confirm(sota: &Directory, names: &[String]) -> Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Error::new(
            Kind::Usage,
            "nobody is there to be asked whether the registration may be removed",
        )
        .hint("give --yes if that is what you want"));
    }
    ask(sota.path(), names);
    let mut answer = String::new();
    let read = input.lock().read_line(&mut answer);
    let answer = answer.trim().to_ascii_lowercase();
    Ok(read.is_ok() && ["y", "yes"].contains(&answer.as_str()))
}

/// Asks whether the registration may be removed; the answer is read elsewhere.
fn ask(sota_dir: &Path, names: &[String]) {
    line_to_stderr(&format!(
        "This removes the registration in {sota_dir:?}: {}",
        names.join(", ")
    ));
    let mut output = std::io::stderr().lock();
    let _ = output
        .write_all(b"Remove it? [y/N] ")
        .and_then(|()| output.flush());
}
