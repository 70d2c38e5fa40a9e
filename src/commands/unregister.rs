//! `unregister`: removes what a registration installed. What is not ours stays.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use crate::board::update_client;
use crate::error::{Error, Kind, Result};
use crate::report::line_to_stderr;
use crate::settings;
use crate::settings::options::Sources;
use crate::sota::directory::Directory;
use crate::sota::files::{CERTIFICATE, CHAIN, CONFIGURATION, DATABASE_FILES, PRIVATE_KEY, ROOT};
use crate::sota::journal;

mod token;

/// What a registration writes.
const OURS: [&str; 5] = [PRIVATE_KEY, CERTIFICATE, CHAIN, ROOT, CONFIGURATION];

/// Removes the registration, one that was begun too, its objects on a token first. Returns what was
/// removed, nothing if there was no registration. Asks on a terminal unless `yes`; `None` if the
/// person there says no.
///
/// # Errors
/// [`Kind::Busy`] while the update client or a registration runs, [`Kind::Usage`] without a
/// terminal and without `yes`, [`Kind::Storage`].
pub(crate) fn unregister(
    sources: Sources,
    yes: bool,
    keep_token: bool,
) -> Result<Option<Vec<PathBuf>>> {
    let sota_dir = &settings::sota_dir(&sources);
    let update_client_lock = &settings::update_client_lock(&sources);
    let sota = Directory::open(sota_dir)?;
    if !sota.try_lock()? {
        return Err(Error::new(
            Kind::Busy,
            format!("a registration is running in {sota_dir:?}"),
        )
        .hint("wait for it to end"));
    }
    let unit = settings::update_client(settings::BUILD);
    update_client::check_stopped(unit, update_client_lock)?;
    let installed = installed(&sota)?;
    let mut names = installed.clone();
    for name in journal::NAMES {
        if sota.has(name)? {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(Some(Vec::new()));
    }
    if !yes && !confirm(&sota, &names)? {
        return Ok(None);
    }
    // The token first: its settings are in the files that go next.
    if !keep_token {
        token::clear(&sota, sources)?;
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
    let paths = names.iter().map(|name| sota.path().join(name));
    Ok(Some(paths.collect()))
}

/// The files of a registration that are there: ours, and the update client's database, whose
/// presence alone makes a device count as registered.
fn installed(sota: &Directory) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for name in OURS.into_iter().chain(DATABASE_FILES) {
        if sota.has(name)? {
            found.push(name.to_owned());
        }
    }
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
