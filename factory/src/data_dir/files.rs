//! Writes files. A file appears whole, with its final mode, or not at all.
// The workspace bans these methods so that they stand in one place per crate; this is it.
#![allow(clippy::disallowed_methods)]

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;

/// Mode of private keys: nobody has a reason to write to one in place.
pub(crate) const PRIVATE: u32 = 0o400;
/// Mode of certificates and other public files.
pub(crate) const PUBLIC: u32 = 0o444;

/// Creates the directory and its missing parents; what is new is for the owner only.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(Error::file("create", path))
}

/// Opens a file for writing and creates it with mode 600 if it is missing.
pub(crate) fn open_private(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("open", path))
}

/// The file's bytes, or `None` if there is no such file.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// A private key, or `None` if there is no such file.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let bytes = read_if_present(path)?.map(Zeroizing::new);
    if bytes.is_some() {
        let facts = fs::metadata(path).map_err(Error::file("read", path))?;
        if facts.permissions().mode() & 0o077 != 0 {
            return Err(Error::unusable(path)("others may read it; chmod 400 it"));
        }
    }
    Ok(bytes)
}

/// What is in a directory, but what every new file system has; `None` if there is no directory.
pub(crate) fn names(path: &Path) -> Result<Option<Vec<OsString>>, Error> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => {
            entries.and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        }
    };
    let mut names: Vec<_> = entries.map_err(Error::file("read", path))?;
    names.retain(|name| name != "lost+found");
    Ok(Some(names))
}

/// Writes `contents` to `path` through a temporary file: created with `mode`, synced, renamed, and
/// the directory synced. The caller holds the data directory's lock, so the temporary name is free.
pub(crate) fn write(path: &Path, contents: &[u8], mode: u32) -> Result<(), Error> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        let source = io::Error::from(io::ErrorKind::InvalidFilename);
        return Err(Error::file("write", path)(source));
    };
    let mut staged_name = OsString::from(".");
    staged_name.push(name);
    staged_name.push(".tmp");
    let staged = dir.join(staged_name);

    // What a killed run left behind is not ours to continue.
    match fs::remove_file(&staged) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", staged)(error));
        }
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&staged)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&staged, path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_read_only_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("some.key");
        write(&path, b"one", PRIVATE).unwrap();
        fs::write(dir.path().join(".some.key.tmp"), b"half").unwrap();
        write(&path, b"two", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            PRIVATE
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
