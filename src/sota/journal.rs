//! What was begun: progress on disk, replay, rollback.
//!
//! `{sota-dir}/.registration.journal` (mode 600) is there exactly while a registration is under way,
//! so a run that finds one knows how far the last one came. It never decides what to do then.

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::directory::{Directory, PRIVATE, PUBLIC};
use super::files::{ANSWER_LIMIT, CONFIGURATION};
use super::log::Log;
use crate::error::{Error, Result};
use crate::secret::Secret;

mod entry;
mod record;
mod version1;

pub(crate) use entry::sha256;
use entry::{Event, unusable};
pub(crate) use record::{
    Asked, Identity, KeyPlace, Planned, Progress, ReceivedFile, Record, Request, TokenPlace,
    UuidOrigin,
};
use version1::DIRECTORY;

#[cfg(test)]
pub(crate) use record::Installation;

/// Name of the journal.
const FILE: &str = ".registration.journal";

/// What a journal may be called: its name, and that of the directory that was version 0.1.0's.
pub(crate) const NAMES: [&str; 2] = [FILE, DIRECTORY];

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    sota: &'a Directory,
    /// Made when the first entry is written.
    log: Option<Log>,
    /// Entries that are not written yet.
    pending: Zeroizing<Vec<u8>>,
    record: Record,
}

impl AsRef<Record> for Journal<'_> {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

impl<'a> Journal<'a> {
    /// The journal that an earlier run left, if it left one.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`] if it is damaged, of a newer version, or not ours.
    pub(crate) fn load(sota: &'a Directory) -> Result<Option<Self>> {
        if let Some((log, found)) = read(sota, OFlags::RDWR)? {
            if let Some(record) = found {
                // A conversion was cut off before its end.
                sota.clear(DIRECTORY)?;
                let log = Some(log);
                return Ok(Some(Self {
                    log,
                    ..Self::new(sota, record)
                }));
            }
            // Cut off before its first entry was whole: nothing was under way.
            sota.clear(FILE)?;
        }
        if !sota.has(DIRECTORY)? {
            return Ok(None);
        }
        let Some(record) = version1::read(sota)? else {
            sota.clear(DIRECTORY)?;
            return Ok(None);
        };
        let mut journal = Self::new(sota, record);
        if !matches!(journal.record.progress, Progress::Installed(..)) {
            journal.pending = entry::rewrite(&journal.record).map_err(unwritten)?;
            journal.settle()?;
            sota.clear(DIRECTORY)?;
        }
        Ok(Some(journal))
    }

    /// What that journal says; changes nothing.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn peek(sota: &Directory) -> Result<Option<Record>> {
        match read(sota, OFlags::RDONLY)? {
            Some((_, Some(record))) => Ok(Some(record)),
            _ => version1::read(sota),
        }
    }

    /// Begins a journal. For a key on a token it is on the disk when this returns, since the token
    /// will know more; else nothing outside can know before [`sent`](Self::sent).
    pub(crate) fn begin(sota: &'a Directory, plan: Planned) -> Result<Self> {
        let record = Record {
            plan: plan.clone(),
            orphans: Vec::new(),
            progress: Progress::Planned,
        };
        let mut journal = Self::new(sota, record);
        journal.begin_anew(plan)?;
        Ok(journal)
    }

    /// The same over a journal that is there; a device that the backend may know becomes an orphan.
    pub(crate) fn begin_anew(&mut self, plan: Planned) -> Result<()> {
        let on_token = plan.key != KeyPlace::Software;
        let mut orphans = self.record.orphans.clone();
        if self.record.may_be_known() {
            orphans.push(self.record.plan.identity.uuid.clone());
        }
        self.note(Event::begun(plan, orphans), Vec::new())?;
        if on_token { self.settle() } else { Ok(()) }
    }

    fn new(sota: &'a Directory, record: Record) -> Self {
        Self {
            sota,
            log: None,
            pending: Zeroizing::default(),
            record,
        }
    }

    /// What the journal says.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// Notes an event, in memory.
    fn note(&mut self, event: Event, files: Vec<ReceivedFile>) -> Result<()> {
        entry::write(&mut self.pending, &event, &files).map_err(unwritten)?;
        let record = entry::apply(Some(self.record.clone()), event, files);
        self.record = record.map_err(|cause| Error::bug("out of order").because(cause))?;
        Ok(())
    }

    /// Writes what was noted. A crash of this program keeps it, a power cut may not.
    fn write(&mut self) -> Result<()> {
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(Log::create(self.sota, FILE)?),
        };
        log.append(&self.pending)?;
        self.pending = Zeroizing::default();
        Ok(())
    }

    /// Makes what was noted durable.
    fn settle(&mut self) -> Result<()> {
        let is_new = self.log.is_none();
        self.write()?;
        if let Some(log) = &self.log {
            log.sync()?;
        }
        if is_new { self.sota.sync() } else { Ok(()) }
    }

    /// Notes the key and its request; a software key is held here, PEM.
    pub(crate) fn key_ready(&mut self, csr: String, software_key: Option<Secret>) -> Result<()> {
        let on_token = software_key.is_none();
        let file = software_key.map(ReceivedFile::key);
        self.note(Event::KeyReady { csr }, file.into_iter().collect())?;
        if on_token { self.write() } else { Ok(()) }
    }

    /// Notes, durably, that the backend may know the device from now on.
    pub(crate) fn sent(&mut self) -> Result<()> {
        if self.record.may_be_known() {
            return Ok(());
        }
        self.note(Event::Sent, Vec::new())?;
        self.settle()
    }

    /// Gives up a UUID that the backend may hold for another one, whose request `csr` is.
    pub(crate) fn take_new_uuid(&mut self, uuid: String, csr: String) -> Result<()> {
        self.note(Event::NewUuid { uuid, csr }, Vec::new())?;
        self.settle()
    }

    /// Takes the verified files: from here no network and no answer is needed any more.
    pub(crate) fn receive(
        &mut self,
        asked: Asked,
        files: Vec<ReceivedFile>,
        remove: Vec<String>,
    ) -> Result<()> {
        let replaces = self.sota.read_secret(CONFIGURATION, ANSWER_LIMIT)?;
        let replaces = replaces.map(|text| sha256(&text));
        let event = Event::Received {
            asked,
            remove,
            replaces,
        };
        self.note(event, files)?;
        self.settle()
    }

    /// Writes the files into the sota directory, `sota.toml` last and alone. Running again does it
    /// again.
    pub(crate) fn install(&mut self) -> Result<()> {
        let mut files = self.record.files();
        let Progress::Received(request, installation) = &self.record.progress else {
            return self
                .sota
                .remove_temporary(files.iter().map(|file| &*file.name));
        };
        let last = files.pop();
        for file in &files {
            self.install_file(file)?;
        }
        for name in &installation.remove {
            self.sota.remove(name)?;
        }
        self.sota.sync()?;
        if let Some(file) = &last {
            self.install_file(file)?;
        }
        self.sota.sync()?;
        self.record.progress = Progress::Installed(request.clone(), installation.clone());
        Ok(())
    }

    /// Takes back files of an installation that was cut off and replaced nothing: left alone, they would
    /// count as a registration.
    pub(crate) fn take_back(&self) -> Result<()> {
        if self.record.plan.replaces {
            return Ok(());
        }
        for file in self.record.files() {
            let found = self.sota.read_secret(&file.name, ANSWER_LIMIT)?;
            if file.is_in(found.as_ref()) {
                self.sota.remove(&file.name)?;
            }
        }
        Ok(())
    }

    fn install_file(&self, file: &ReceivedFile) -> Result<()> {
        let ReceivedFile {
            name,
            text,
            private,
        } = file;
        let mode = if *private { PRIVATE } else { PUBLIC };
        self.sota.write(name, text.expose().as_bytes(), mode)
    }

    /// Gives up what was made: from now on the journal waits for no key. What is on a token is
    /// removed next, and the journal last ([`close`](Self::close)), so that a crash in between leaves
    /// one by which the next run removes the rest. `known`: the backend may know the device, which
    /// becomes an orphan.
    pub(crate) fn abandon(&mut self, known: bool) -> Result<()> {
        if self.record.progress == Progress::Planned {
            return Ok(());
        }
        self.note(Event::Abandoned { known }, Vec::new())?;
        if self.record.plan.key == KeyPlace::Software && self.record.orphans.is_empty() {
            return Ok(());
        }
        self.settle()
    }

    /// Removes the journal, unless it remembers an orphan that nobody was told of yet. One that a
    /// power cut brings back is recognised by what is installed.
    pub(crate) fn close(self) -> Result<()> {
        if self.record.progress == Progress::Planned && !self.record.orphans.is_empty() {
            return Ok(());
        }
        discard(self.sota)
    }
}

/// Whether a run was interrupted.
pub(crate) fn is_there(sota: &Directory) -> Result<bool> {
    Ok(sota.has(FILE)? || sota.has(DIRECTORY)?)
}

/// Removes a journal whatever it says or is; its registration is given up.
pub(crate) fn discard(sota: &Directory) -> Result<()> {
    NAMES.iter().try_for_each(|name| sota.clear(name))
}

fn unwritten(cause: serde_json::Error) -> Error {
    Error::bug("the journal could not be written").because(cause)
}

fn read(sota: &Directory, access: OFlags) -> Result<Option<(Log, Option<Record>)>> {
    let Some((mut log, text)) = Log::open(sota, FILE, access)? else {
        return Ok(None);
    };
    let found = entry::read(&text).map_err(|cause| unusable(FILE, sota, cause))?;
    let found = found.map(|(record, end)| {
        log.cut(end);
        committed(sota, record)
    });
    Ok(Some((log, found.transpose()?)))
}

/// A run may have been cut off after `sota.toml` had appeared: then it is complete. The
/// configuration daemon may have changed that file since.
fn committed(sota: &Directory, record: Record) -> Result<Record> {
    let Progress::Received(request, installation) = &record.progress else {
        return Ok(record);
    };
    for file in record.files() {
        let found = sota.read_secret(&file.name, ANSWER_LIMIT)?;
        let was_changed = || {
            let found = found.as_ref().map(|text| sha256(text));
            file.name == CONFIGURATION && found.is_some() && found != installation.replaces
        };
        if !file.is_in(found.as_ref()) && !was_changed() {
            return Ok(record);
        }
    }
    Ok(Record {
        progress: Progress::Installed(request.clone(), installation.clone()),
        ..record
    })
}

#[cfg(test)]
mod tests;
