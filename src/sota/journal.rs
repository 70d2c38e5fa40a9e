//! What was begun: phases on disk, replay, rollback.
//!
//! `{sota-dir}/.registration` (mode 700) holds `state.json` and staged files, each written whole
//! and flushed before the next step. The journal is there exactly while a registration is under
//! way, so a run that finds one knows how far the last one came.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::sota::directory::{Directory, PRIVATE};
use crate::sota::files::{CONFIGURATION, PRIVATE_KEY};

mod state;

pub(crate) use state::{Beginning, Installation, KeyPlace, Phase, Staged, State, UuidOrigin};

/// Name of the journal's directory.
pub(crate) const DIRECTORY: &str = ".registration";
/// Name of the state file.
const STATE: &str = "state.json";
/// The format that this program writes.
const VERSION: u32 = 1;
/// The most bytes of a state file.
const STATE_LIMIT: usize = 256 * 1024;

/// The one field that every version of the state file has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: Directory,
    state: State,
}

impl Journal {
    /// The journal that an earlier run left, if it left one.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`] if it is damaged or of a newer version.
    pub(crate) fn load(sota: &Directory) -> Result<Option<Self>> {
        let Some(directory) = sota.subdirectory(DIRECTORY)? else {
            return Ok(None);
        };
        if let Some(state) = read_state(&directory)? {
            return Ok(Some(Self { directory, state }));
        }
        // Cut off before its first state or after its last: nothing was under way.
        remove(sota, &directory)?;
        Ok(None)
    }

    /// What that journal says; changes nothing.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn peek(sota: &Directory) -> Result<Option<State>> {
        match sota.subdirectory(DIRECTORY)? {
            Some(directory) => read_state(&directory),
            None => Ok(None),
        }
    }

    /// Removes a journal whatever it says; its registration is given up.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn discard(sota: &Directory) -> Result<()> {
        match sota.subdirectory(DIRECTORY)? {
            Some(directory) => remove(sota, &directory),
            None => Ok(()),
        }
    }

    /// Begins a journal at [`Phase::Planned`].
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn begin(sota: &Directory, beginning: Beginning) -> Result<Self> {
        let directory = sota.make_private(DIRECTORY)?;
        let journal = Self {
            directory,
            state: State::new(beginning),
        };
        journal.save(&journal.state)?;
        Ok(journal)
    }

    /// What the journal says.
    #[must_use]
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Reads a staged file, which may be the key.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`], or [`crate::error::Kind::Configuration`] if it is gone.
    pub(crate) fn staged(&self, name: &str, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
        let content = self.directory.read_secret(name, limit)?;
        content.ok_or_else(|| self.damaged(name))
    }

    /// Reads a received file, from here or from where it was moved to.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`], or [`crate::error::Kind::Configuration`] if it is gone.
    pub(crate) fn received(&self, name: &str, sota: &Directory, limit: usize) -> Result<Vec<u8>> {
        if let Some(content) = self.directory.read(name, limit)? {
            return Ok(content);
        }
        let content = sota.read(name, limit)?;
        content.ok_or_else(|| self.damaged(name))
    }

    fn damaged(&self, name: &str) -> Error {
        let path = self.directory.path();
        Error::registration(format!("the journal {path:?} lacks {name}"))
            .hint("give that registration up: lmp-device-register unregister")
    }

    /// Changes the state and makes it durable, with everything that was staged before.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`]; the state is then unchanged.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut state = self.state.clone();
        change(&mut state);
        self.save(&state)?;
        self.state = state;
        Ok(())
    }

    /// Moves on to `phase`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn advance(&mut self, phase: Phase) -> Result<()> {
        if self.state.phase == phase {
            return Ok(());
        }
        self.update(|state| state.phase = phase)
    }

    fn save(&self, state: &State) -> Result<()> {
        let text = serde_json::to_vec_pretty(state)
            .map_err(|cause| Error::bug("the journal could not be written").because(cause))?;
        self.directory.write(STATE, &text, PRIVATE)
    }

    /// Notes the request and moves on to [`Phase::KeyReady`]; a software key, PEM, is staged first.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn key_ready(&mut self, csr: String, software_key: Option<&[u8]>) -> Result<()> {
        let mut files = Vec::new();
        if let Some(pem) = software_key {
            files.push(self.stage(StagedFile {
                name: PRIVATE_KEY,
                content: pem,
                mode: PRIVATE,
            })?);
            self.directory.sync()?;
        }
        self.update(|state| {
            state.phase = Phase::KeyReady;
            state.request.csr = csr;
            state.installation.files = files;
        })
    }

    /// Stages the verified files and moves on to [`Phase::Received`]: from here no network and no
    /// answer is needed any more.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn receive(&mut self, files: &[StagedFile<'_>], remove: Vec<String>) -> Result<()> {
        let files = files
            .iter()
            .map(|file| self.stage(*file))
            .collect::<Result<Vec<_>>>()?;
        // Their names first: a state that is on the disk without them could never be installed.
        self.directory.sync()?;
        self.update(|state| {
            state.phase = Phase::Received;
            state.installation.files.extend(files);
            state.installation.remove = remove;
        })
    }

    fn stage(&self, file: StagedFile<'_>) -> Result<Staged> {
        let StagedFile {
            name,
            content,
            mode,
        } = file;
        self.directory.write_unsynced(name, content, mode)?;
        Ok(Staged {
            name: name.to_owned(),
            sha256: sha256(content),
        })
    }

    /// Moves the staged files into the sota directory, `sota.toml` last and alone, and moves on to
    /// [`Phase::Installed`]. Files that an interrupted run moved already are recognised.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`]; running again goes on where this stopped.
    pub(crate) fn install(&mut self, sota: &Directory) -> Result<()> {
        let Installation { files, remove } = self.state.installation.clone();
        let (last, first): (Vec<_>, Vec<_>) =
            files.iter().partition(|file| file.name == CONFIGURATION);
        for file in first {
            self.move_into(sota, file)?;
        }
        for name in &remove {
            sota.remove(name)?;
        }
        sota.sync()?;
        for file in last {
            self.move_into(sota, file)?;
        }
        sota.sync()?;
        self.advance(Phase::Installed)
    }

    fn move_into(&self, sota: &Directory, file: &Staged) -> Result<()> {
        const FILE_LIMIT: usize = 2 * crate::sota::files::ANSWER_LIMIT;
        if self.directory.has(&file.name)? {
            return self.directory.move_to(&file.name, sota);
        }
        match sota.read_secret(&file.name, FILE_LIMIT)? {
            Some(content) if sha256(&content) == file.sha256 => Ok(()),
            _ => Err(self.damaged(&file.name)),
        }
    }

    /// Ends an installed journal: removes it with everything in it.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn close(self, sota: &Directory) -> Result<()> {
        remove(sota, &self.directory)
    }

    /// Gives up what was begun, the key first of all. The state goes back before that, so that a
    /// crash half way cannot leave a journal that waits for a key which is gone.
    ///
    /// # Errors
    /// [`crate::error::Kind::Storage`].
    pub(crate) fn abandon(mut self, sota: &Directory) -> Result<()> {
        self.advance(Phase::Planned)?;
        remove(sota, &self.directory)
    }
}

fn read_state(directory: &Directory) -> Result<Option<State>> {
    let Some(bytes) = directory.read(STATE, STATE_LIMIT)? else {
        return Ok(None);
    };
    let path = directory.path().join(STATE);
    let unusable = |what: &str| {
        Error::registration(format!("the journal {path:?} {what}")).hint(
            "finish with the version that wrote it, or give that registration up: \
             lmp-device-register unregister",
        )
    };
    let damaged = |cause: serde_json::Error| unusable("is damaged").because(cause);
    let Version { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if version != VERSION {
        return Err(unusable(&format!(
            "has version {version}; this program knows {VERSION}"
        )));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// The state goes last: while it is there, a crash leaves a journal that can be removed again.
fn remove(sota: &Directory, directory: &Directory) -> Result<()> {
    for name in directory.names()? {
        if name != STATE {
            directory.remove(&name)?;
        }
    }
    directory.remove(STATE)?;
    sota.remove_directory(DIRECTORY)?;
    sota.sync()
}

/// A file to stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedFile<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub content: &'a [u8],
    /// Its mode.
    pub mode: u32,
}

fn sha256(content: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
