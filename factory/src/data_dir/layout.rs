//! Where each file is, and who may write: whoever holds the lock.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::files;
use crate::error::Error;

/// A directory that holds a factory, or will.
#[derive(Debug)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Refuses to make a factory where none was meant to be: a directory that exists may be mistyped, or a
    /// disk that is not mounted. A lock alone is what a first start that was cut short leaves.
    pub(crate) fn expect_factory(&self, init: bool) -> Result<(), Error> {
        if self.database().exists() {
            return Ok(());
        }
        let names = files::names(&self.0)?;
        match names.as_deref() {
            Some([]) if !init => return Err(Error::EmptyDir(self.0.clone())),
            Some([only]) if only == "lock" => {}
            Some([_, ..]) => return Err(Error::NotAFactory(self.0.clone())),
            Some([]) | None => {}
        }
        tracing::warn!("a new factory is made in '{}'", self.0.display());
        Ok(())
    }

    /// Creates the directory, if it is missing, and takes it for this process.
    pub(crate) fn lock(self) -> Result<LockedDir, Error> {
        files::create_private_dir(&self.0)?;
        let path = self.0.join("lock");
        let file = files::open_private(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(LockedDir {
                dir: self,
                _lock: file,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(self.0)),
            Err(TryLockError::Error(source)) => Err(Error::file("lock", path)(source)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("factory.db")
    }
}

/// A directory that exists and that no other process serves as long as this lives.
#[derive(Debug)]
pub(crate) struct LockedDir {
    pub(crate) dir: DataDir,
    _lock: File,
}

impl LockedDir {
    /// A directory below, for the owner only: `pki` or `tuf`.
    pub(crate) fn private(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.dir.0.join(name);
        files::create_private_dir(&path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_has_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let lock = || DataDir::new(dir.path()).lock();
        let held = lock().unwrap();
        assert!(matches!(lock(), Err(Error::Locked(_))));
        drop(held);
        lock().unwrap();
    }
}
