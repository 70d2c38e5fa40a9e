//! A file that only grows, for a writer that must not lose what it promised. What is behind its end
//! was cut off by a crash and is overwritten.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use rustix::fs::{self, FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use zeroize::Zeroizing;

use super::directory::{Directory, PRIVATE, failure, read_limited, storage};
use crate::error::{Error, Result};

/// The most bytes of such a file.
const LIMIT: usize = 4 * 1024 * 1024;

/// The open file.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    path: PathBuf,
    end: u64,
    /// There may be something behind the end.
    has_tail: bool,
}

impl Log {
    /// Makes the file `name`, mode 600, instead of whatever has that name.
    pub(crate) fn create(directory: &Directory, name: &str) -> Result<Self> {
        let path = directory.path().join(name);
        let file = directory
            .create(name, PRIVATE)
            .map_err(|cause| failure("create", &path, cause))?;
        Ok(Self {
            file,
            path,
            end: 0,
            has_tail: false,
        })
    }

    /// Opens the file `name` and reads it; `None` if there is none.
    ///
    /// # Errors
    /// [`crate::error::Kind::Configuration`] if it is no file of this user's.
    pub(crate) fn open(
        directory: &Directory,
        name: &str,
        access: OFlags,
    ) -> Result<Option<(Self, Zeroizing<Vec<u8>>)>> {
        let path = directory.path().join(name);
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = retry_on_intr(|| fs::openat(directory.handle(), name, flags, Mode::empty()));
        let fd = match opened {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(not_ours(&path)),
            Err(cause) => return Err(failure("open", &path, cause)),
        };
        let facts =
            retry_on_intr(|| fs::fstat(&fd)).map_err(|cause| failure("look at", &path, cause))?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile
            || facts.st_uid != rustix::process::geteuid().as_raw()
        {
            return Err(not_ours(&path));
        }
        let text = read_limited(&fd, &path, LIMIT)?;
        let log = Self {
            file: File::from(fd),
            path,
            end: text.len() as u64,
            has_tail: false,
        };
        Ok(Some((log, text)))
    }

    /// Takes what is behind `end` as never written.
    pub(crate) fn cut(&mut self, end: usize) {
        self.has_tail = (end as u64) < self.end;
        self.end = end as u64;
    }

    /// Writes `text` behind the end; durable after [`sync`](Self::sync). What is written by halves is
    /// not there.
    pub(crate) fn append(&mut self, text: &[u8]) -> Result<()> {
        let had_tail = std::mem::replace(&mut self.has_tail, true);
        let mut write = || {
            if had_tail {
                self.file.set_len(self.end)?;
                self.file.seek(SeekFrom::Start(self.end))?;
            }
            self.file.write_all(text)
        };
        write().map_err(|cause| storage("write", &self.path, cause))?;
        self.has_tail = false;
        self.end += text.len() as u64;
        Ok(())
    }

    /// Makes it durable; its name is the directory's affair.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file
            .sync_all()
            .map_err(|cause| storage("flush", &self.path, cause))
    }
}

fn not_ours(path: &std::path::Path) -> Error {
    Error::registration(format!("{path:?} is no file of this user"))
        .hint("remove it: lmp-device-register unregister")
}
