//! A directory that is opened once and checked. All files are reached through its descriptor (`openat`, `renameat`), so
//! that it stays the directory that was checked, whatever happens to its path.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::error::{FileError, FileErrorKind};

const PRIVATE_DIRECTORY: u32 = 0o700;
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// An open directory in which only this user and root can create files.
pub(crate) struct Directory {
    file: File,
    path: PathBuf,
}

impl Directory {
    /// Opens and checks a directory. `None` if there is none.
    ///
    /// Symbolic links in the path are followed, because home directories are often linked. The directory that they lead
    /// to is checked.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, FileError> {
        let error = |kind: FileErrorKind| kind.at(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = match retry_interrupted(|| Ok(rustix::fs::open(path, flags, Mode::empty())?)) {
            Ok(file) => File::from(file),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(error(FileErrorKind::system("opened")(cause))),
        };
        let metadata =
            retry_interrupted(|| file.metadata()).map_err(FileErrorKind::system("examined")).map_err(error)?;
        let root = 0;
        if metadata.uid() != geteuid().as_raw() && metadata.uid() != root {
            return Err(error(FileErrorKind::Foreign { owner: metadata.uid() }));
        }
        // Many systems give each user a group with the same id and a umask that makes directories with mode 0775. Such a
        // group has no other members.
        let own_group = metadata.gid() == getegid().as_raw() && metadata.gid() == geteuid().as_raw();
        let writable = if own_group { WRITABLE_BY_ALL } else { WRITABLE_BY_ALL | WRITABLE_BY_GROUP };
        if metadata.mode() & writable != 0 && metadata.mode() & STICKY == 0 {
            return Err(error(FileErrorKind::WritableByOthers));
        }
        Ok(Some(Self { file, path: path.to_owned() }))
    }

    /// Opens and checks a directory. Creates it, and missing ones above it, with mode 0700.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, FileError> {
        if let Some(directory) = Self::open(path)? {
            return Ok(directory);
        }
        create_all_private(path).map_err(|error| FileErrorKind::system("made")(error).at(path))?;
        let gone = || FileErrorKind::system("opened")(io::ErrorKind::NotFound.into()).at(path);
        Self::open(path)?.ok_or_else(gone)
    }

    /// The path of a file in it, for errors.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file in it. Does not follow a symbolic link, does not wait for the other end of a pipe, and does not pass
    /// the descriptor on to programs that this one runs. A file that is created gets mode 0600.
    pub(crate) fn open_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let private = Mode::RUSR | Mode::WUSR;
        retry_interrupted(|| Ok(rustix::fs::openat(&self.file, name, flags, private)?.into()))
    }

    /// Renames a file, atomically, over another if there is one.
    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        retry_interrupted(|| Ok(rustix::fs::renameat(&self.file, from, &self.file, to)?))
    }

    /// Renames a file to a name that nothing has; else [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn rename_no_replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            let renamed = retry_interrupted(|| Ok(rustix::fs::renameat_with(&self.file, from, &self.file, to, flags)?));
            let unable = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
            match renamed.as_ref().err().and_then(Errno::from_io_error) {
                Some(error) if unable.contains(&error) => {} // the file system has no RENAME_NOREPLACE
                _ => return renamed,
            }
        }
        // Checked and renamed in two steps. Only the holder of the lock uses such names, so nothing comes in between.
        let found = retry_interrupted(|| Ok(rustix::fs::statat(&self.file, to, AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.rename(from, to),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        retry_interrupted(|| Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::empty())?))
    }

    /// Syncs it to the disk, so that the names of its files survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_directory(&self.file)
    }

    /// The names of the files in it. Names that cannot be read are left out.
    pub(crate) fn file_names(&self) -> Vec<OsString> {
        let entries = Dir::read_from(&self.file).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| OsString::from_vec(entry.file_name().to_bytes().to_vec())).collect()
    }
}

/// Repeats `operation` as long as a signal interrupts it (`EINTR`).
pub(crate) fn retry_interrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Creates a directory, and those above it that are missing.
fn create_all_private(path: &Path) -> io::Result<()> {
    match (create_private(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            create_all_private(parent)?;
            create_private(path)
        }
        (created, _) => created,
    }
}

/// Creates a directory and syncs the one above it. Otherwise a power cut could take the new directory, with the files
/// that are synced in it.
fn create_private(path: &Path) -> io::Result<()> {
    match retry_interrupted(|| DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => match path.parent() {
            Some(parent) => sync_directory(&retry_interrupted(|| File::open(parent))?),
            None => Ok(()),
        },
    }
}

fn sync_directory(directory: &File) -> io::Result<()> {
    match sync_file(directory) {
        // Some file systems cannot sync a directory, and say so with this error.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(()),
        done => done,
    }
}

/// Waits until the file is on the disk. On macOS `sync_all` also flushes the disk's own cache (`F_FULLFSYNC`), which some
/// file systems refuse.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    let synced = retry_interrupted(|| file.sync_all());
    #[cfg(target_vendor = "apple")]
    if synced.as_ref().err().and_then(Errno::from_io_error).is_some_and(|error| error == Errno::NOTSUP) {
        return retry_interrupted(|| Ok(rustix::fs::fsync(file)?)); // a network file system can do no more
    }
    synced
}
