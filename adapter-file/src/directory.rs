//! One directory, opened once: what was checked is what is used, whatever happens to its path meanwhile.

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

/// An open directory that only we and root can put files into.
pub(crate) struct Directory {
    file: File,
    path: PathBuf,
}

impl Directory {
    /// Opens it; `None` where it is missing.
    ///
    /// Symbolic links on the way are followed, since homes are linked; what counts is the directory they lead to.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, FileError> {
        let trouble = |trouble: FileErrorKind| trouble.at(path);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = match uninterrupted(|| Ok(rustix::fs::open(path, flags, Mode::empty())?)) {
            Ok(file) => File::from(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble(FileErrorKind::system("opened")(error))),
        };
        let found = uninterrupted(|| file.metadata()).map_err(FileErrorKind::system("examined")).map_err(trouble)?;
        let root = 0;
        if found.uid() != geteuid().as_raw() && found.uid() != root {
            return Err(trouble(FileErrorKind::Foreign { owner: found.uid() }));
        }
        // Where each user has a group of the same number, that group is the user: a usual umask writes 0775.
        let own_group = found.gid() == getegid().as_raw() && found.gid() == geteuid().as_raw();
        let others = if own_group { WRITABLE_BY_ALL } else { WRITABLE_BY_ALL | WRITABLE_BY_GROUP };
        if found.mode() & others != 0 && found.mode() & STICKY == 0 {
            return Err(trouble(FileErrorKind::WritableByOthers));
        }
        Ok(Some(Self { file, path: path.to_owned() }))
    }

    /// Opens it; makes it, and what is missing above it, if need be.
    pub(crate) fn make(path: &Path) -> Result<Self, FileError> {
        if let Some(directory) = Self::open(path)? {
            return Ok(directory);
        }
        make_private(path).map_err(|error| FileErrorKind::system("made")(error).at(path))?;
        let gone = || FileErrorKind::system("opened")(io::ErrorKind::NotFound.into()).at(path);
        Self::open(path)?.ok_or_else(gone)
    }

    /// The path of a file in it, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file in it. Never follows a link, never waits for the other end of a pipe, never leaks into a program
    /// that is run.
    pub(crate) fn open_file(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let private = Mode::RUSR | Mode::WUSR;
        uninterrupted(|| Ok(rustix::fs::openat(&self.file, name, flags, private)?.into()))
    }

    /// Puts one file in the place of another, in one step.
    pub(crate) fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        uninterrupted(|| Ok(rustix::fs::renameat(&self.file, from, &self.file, to)?))
    }

    /// Gives a file a name that nothing has; else [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        {
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            let renamed = uninterrupted(|| Ok(rustix::fs::renameat_with(&self.file, from, &self.file, to, flags)?));
            let unable = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];
            match renamed.as_ref().err().and_then(Errno::from_io_error) {
                Some(error) if unable.contains(&error) => {} // not every file system can
                _ => return renamed,
            }
        }
        // In two steps: only who holds the lock gives such names.
        let found = uninterrupted(|| Ok(rustix::fs::statat(&self.file, to, AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.replace(from, to),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        uninterrupted(|| Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::empty())?))
    }

    /// Makes the names of its files outlast a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_names(&self.file)
    }

    /// The names in it, as far as they can be told.
    pub(crate) fn names(&self) -> Vec<OsString> {
        let entries = Dir::read_from(&self.file).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| OsString::from_vec(entry.file_name().to_bytes().to_vec())).collect()
    }
}

/// Carries `operation` out again for as long as a signal gets into its way.
pub(crate) fn uninterrupted<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Makes a directory, and those above it that are missing.
fn make_private(path: &Path) -> io::Result<()> {
    match (make_one(path), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            make_private(parent)?;
            make_one(path)
        }
        (made, _) => made,
    }
}

/// Its name is synced: a file in it is worth nothing after a power cut otherwise.
fn make_one(path: &Path) -> io::Result<()> {
    match uninterrupted(|| DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => match path.parent() {
            Some(parent) => sync_names(&uninterrupted(|| File::open(parent))?),
            None => Ok(()),
        },
    }
}

fn sync_names(directory: &File) -> io::Result<()> {
    match sync(directory) {
        // File systems that cannot sync a directory say so.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => Ok(()),
        done => done,
    }
}

/// Waits until it is on the disk; on macOS, where a plain `fsync` stops at the disk's own memory, this goes further.
pub(crate) fn sync(file: &File) -> io::Result<()> {
    let synced = uninterrupted(|| file.sync_all());
    #[cfg(target_vendor = "apple")]
    if synced.as_ref().err().and_then(Errno::from_io_error).is_some_and(|error| error == Errno::NOTSUP) {
        return uninterrupted(|| Ok(rustix::fs::fsync(file)?)); // a network's file system can do no more
    }
    synced
}
