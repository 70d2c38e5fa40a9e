//! The only writer of files.
//!
//! Every write is the same: a temporary file made with its final mode, never through a symbolic
//! link, flushed to the disk, renamed into place, and the directory flushed too. A reader sees the
//! old file or the new one, also after a power cut. A call that a signal interrupts is made again.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, Access, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::{Error, Kind, Result};

/// Mode of a file that only its owner may read: keys, and whatever holds a PIN.
pub(crate) const PRIVATE: u32 = 0o600;
/// Mode of a file that everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// Ending of a file that is being written.
const TEMPORARY: &str = ".tmp";

/// An open directory; all paths below it are resolved relative to this handle, so that renaming
/// its parents cannot divert a write.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens an existing directory.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| fs::open(path, flags, Mode::empty())).map_err(|cause| {
            let error = failure("open the directory", path, cause);
            match cause {
                Errno::NOENT => error.hint(format!("create it: mkdir -p {path:?}")),
                _ => error,
            }
        })?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    pub(super) fn handle(&self) -> &OwnedFd {
        &self.fd
    }

    /// Where it is, as it was given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Fails unless files may be made here; leaves nothing behind.
    pub(crate) fn check_writable(&self) -> Result<()> {
        let wanted = Access::WRITE_OK | Access::EXEC_OK;
        retry_on_intr(|| fs::accessat(&self.fd, ".", wanted, AtFlags::EACCESS))
            .map_err(|cause| failure("write into", &self.path, cause))
    }

    /// Fails unless it is this user's.
    pub(crate) fn check_owner(&self) -> Result<()> {
        let facts = retry_on_intr(|| fs::fstat(&self.fd))
            .map_err(|cause| failure("look at", &self.path, cause))?;
        if facts.st_uid == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        Err(Error::registration(format!(
            "{:?} is another user's",
            self.path
        )))
    }

    /// Takes the directory's lock, which ends with this process; `false` if another one holds it.
    pub(crate) fn try_lock(&self) -> Result<bool> {
        match retry_on_intr(|| fs::flock(&self.fd, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(cause) => Err(failure("lock", &self.path, cause)),
        }
    }

    /// Free space and free inodes for an unprivileged process: (bytes, inodes).
    pub(crate) fn free(&self) -> Result<(u64, u64)> {
        let facts = retry_on_intr(|| fs::fstatvfs(&self.fd))
            .map_err(|cause| failure("read the free space of", &self.path, cause))?;
        // Some file systems (btrfs) count no inodes: then they cannot run out.
        let inodes = if facts.f_files == 0 {
            u64::MAX
        } else {
            facts.f_favail
        };
        Ok((facts.f_bavail.saturating_mul(facts.f_frsize), inodes))
    }

    /// Whether anything of that name is here, a dangling symbolic link too.
    pub(crate) fn has(&self, name: &str) -> Result<bool> {
        Ok(self.mode(name, AtFlags::SYMLINK_NOFOLLOW)?.is_some())
    }

    /// Whether a directory has that name; `None` if nothing has.
    pub(crate) fn has_directory(&self, name: &str) -> Result<Option<bool>> {
        let mode = self.mode(name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(mode.map(|mode| FileType::from_raw_mode(mode) == FileType::Directory))
    }

    /// The permissions of a file, through a symbolic link; `None` if there is none.
    pub(crate) fn permissions(&self, name: &str) -> Result<Option<u32>> {
        let mode = self.mode(name, AtFlags::empty())?;
        Ok(mode.map(|mode| mode & 0o7777))
    }

    fn mode(&self, name: &str, flags: AtFlags) -> Result<Option<u32>> {
        match retry_on_intr(|| fs::statat(&self.fd, name, flags)) {
            Ok(facts) => Ok(Some(facts.st_mode)),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(failure("look at", &self.path.join(name), cause)),
        }
    }

    /// Reads a regular file of at most `limit` bytes; `None` if there is none.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let content = self.read_secret(name, limit)?;
        Ok(content.map(|mut content| std::mem::take(&mut *content)))
    }

    /// The same for a file that may hold a key or a PIN: what was read is wiped on drop.
    pub(crate) fn read_secret(
        &self,
        name: &str,
        limit: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match retry_on_intr(|| fs::openat(&self.fd, name, flags, Mode::empty())) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(cause) => return Err(failure("open", &path, cause)),
        };
        read_limited(&fd, &path, limit).map(Some)
    }

    /// Opens the directory `name` inside this one; a symbolic link is not followed.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<Option<Directory>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = self.path.join(name);
        match retry_on_intr(|| fs::openat(&self.fd, name, flags, Mode::empty())) {
            Ok(fd) => Ok(Some(Directory { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(cause) => Err(failure("open", &path, cause)),
        }
    }

    /// Writes a whole file; after an error it is as it was before. The content is on the disk, the
    /// name perhaps not before [`sync`](Self::sync).
    pub(crate) fn write(&self, name: &str, content: &[u8], mode: u32) -> Result<()> {
        let temporary = format!("{name}{TEMPORARY}");
        let path = self.path.join(name);
        let written = self
            .create(&temporary, mode)
            .map_err(|cause| failure("create", &path, cause))
            .and_then(|mut file| {
                file.write_all(content)
                    .and_then(|()| file.sync_all())
                    .map_err(|cause| storage("write", &path, cause))
            })
            .and_then(|()| {
                retry_on_intr(|| fs::renameat(&self.fd, &temporary, &self.fd, name))
                    .map_err(|cause| failure("write", &path, cause))
            });
        if written.is_err() {
            // Best effort: the error that is reported is the first one.
            let _ = fs::unlinkat(&self.fd, &temporary, AtFlags::empty());
        }
        written
    }

    /// A new file of that name and mode, instead of whatever has the name.
    pub(super) fn create(&self, name: &str, mode: u32) -> rustix::io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let fd = match retry_on_intr(|| fs::openat(&self.fd, name, flags, mode)) {
            // A run that was cut off left it, or somebody planted it: either way it goes.
            Err(Errno::EXIST) => {
                retry_on_intr(|| fs::unlinkat(&self.fd, name, AtFlags::empty()))?;
                retry_on_intr(|| fs::openat(&self.fd, name, flags, mode))?
            }
            other => other?,
        };
        // The umask may have taken bits away, and the update client must be able to read.
        retry_on_intr(|| fs::fchmod(&fd, mode))?;
        Ok(File::from(fd))
    }

    /// Removes a file if it is there; a symbolic link itself.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match retry_on_intr(|| fs::unlinkat(&self.fd, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(failure("remove", &self.path.join(name), cause)),
        }
    }

    /// Removes what a write of these files left that was cut off.
    pub(crate) fn remove_temporary<'a>(
        &self,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        names.try_for_each(|name| self.remove(&format!("{name}{TEMPORARY}")))
    }

    /// Removes an empty directory if it is there.
    pub(crate) fn remove_directory(&self, name: &str) -> Result<()> {
        match retry_on_intr(|| fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(cause) => Err(failure("remove", &self.path.join(name), cause)),
        }
    }

    /// Removes whatever has that name: a file, a link, a directory with all that is in it.
    pub(crate) fn clear(&self, name: &str) -> Result<()> {
        match retry_on_intr(|| fs::unlinkat(&self.fd, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR) => {}
            Err(cause) => return Err(failure("remove", &self.path.join(name), cause)),
        }
        if let Some(inner) = self.subdirectory(name)? {
            for inside in inner.names()? {
                inner.clear(&inside)?;
            }
        }
        self.remove_directory(name)
    }

    /// The names in this directory, in no order.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let list = || -> rustix::io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name != "." && name != ".." {
                    names.push(name);
                }
            }
            Ok(names)
        };
        retry_on_intr(list).map_err(|cause| failure("list", &self.path, cause))
    }

    /// Makes the names in this directory durable.
    pub(crate) fn sync(&self) -> Result<()> {
        retry_on_intr(|| fs::fsync(&self.fd)).map_err(|cause| failure("flush", &self.path, cause))
    }
}

/// Whether anything has that name, also a link to nowhere or what may not be looked at: such a
/// file is unreadable, and not a setting that nobody made.
pub(crate) fn is_there(path: &Path) -> bool {
    let gone = [
        std::io::ErrorKind::NotFound,
        std::io::ErrorKind::NotADirectory,
    ];
    match path.symlink_metadata() {
        Ok(_) => true,
        Err(cause) => !gone.contains(&cause.kind()),
    }
}

/// Reads a regular file of at most `limit` bytes that lies outside the registration. It may hold a
/// PIN or an API token: the text is wiped on drop. One that is unreadable is a wrong setting.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<Zeroizing<String>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let bytes = retry_on_intr(|| fs::open(path, flags, Mode::empty()))
        .map_err(|cause| failure("read", path, cause))
        .and_then(|fd| read_limited(&fd, path, limit));
    text(bytes, path)
}

/// The same of standard input, to its end, whatever it is.
pub(crate) fn read_standard_input(limit: usize) -> Result<Zeroizing<String>> {
    let path = Path::new("standard input");
    text(read_to_end(std::io::stdin(), path, 1024, limit), path)
}

fn text(bytes: Result<Zeroizing<Vec<u8>>>, path: &Path) -> Result<Zeroizing<String>> {
    let mut bytes = bytes.map_err(|error| error.with_kind(Kind::Configuration))?;
    let text = String::from_utf8(std::mem::take(&mut *bytes));
    text.map(Zeroizing::new).map_err(|error| {
        error.into_bytes().zeroize();
        Error::setting(format!("{path:?} is not UTF-8 text"))
    })
}

pub(super) fn read_limited(fd: &OwnedFd, path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
    let facts =
        retry_on_intr(|| fs::fstat(fd.as_fd())).map_err(|cause| failure("read", path, cause))?;
    // Opened without waiting, so that a pipe in the file's place cannot hang us.
    if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
        return Err(Error::new(
            Kind::Storage,
            format!("{path:?} is no regular file"),
        ));
    }
    let expected = usize::try_from(facts.st_size).unwrap_or(limit);
    read_to_end(fd, path, expected.min(limit), limit)
}

/// Every buffer is wiped, also one that became too small: `Read::read_to_end` would leave pieces of
/// the file on the stack and in the heap.
fn read_to_end(
    fd: impl AsFd,
    path: &Path,
    expected: usize,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    // One byte more shows the end, or that the file is larger than it said.
    let mut content = Zeroizing::new(vec![0; expected + 1]);
    let mut length = 0;
    loop {
        let read = retry_on_intr(|| rustix::io::read(&fd, &mut content[length..]));
        match read.map_err(|cause| failure("read", path, cause))? {
            0 => break,
            read => length += read,
        }
        if length > limit {
            return Err(Error::new(
                Kind::Storage,
                format!("{path:?} is larger than {limit} bytes"),
            ));
        }
        if length == content.len() {
            let mut larger = Zeroizing::new(vec![0; (2 * length).min(limit + 1)]);
            larger[..length].copy_from_slice(&content);
            content = larger;
        }
    }
    content.truncate(length);
    Ok(content)
}

pub(super) fn failure(action: &str, path: &Path, cause: Errno) -> Error {
    storage(action, path, cause.into())
}

pub(super) fn storage(action: &str, path: &Path, cause: std::io::Error) -> Error {
    let error = Error::new(Kind::Storage, format!("cannot {action} {path:?}"));
    let hint = match Errno::from_io_error(&cause) {
        Some(Errno::NOSPC | Errno::DQUOT) => Some("free some space and run this again"),
        Some(Errno::ROFS) => Some("remount the file system read-write and run this again"),
        Some(Errno::ACCESS | Errno::PERM) => Some("run this as root, or as the directory's owner"),
        _ => None,
    };
    let error = error.because(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
