//! The session's file, while a caller holds its lock.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::store::{LockGuard, StoreError, StoreErrorKind};
use perennial_core::wire::Body;

use crate::directory::Directory;
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::format::Format;
use crate::lock::{FileLock, LockTimeout, LockedDirectory};
use crate::paths::StorePaths;
use crate::temp_file::{self, TempFile};

/// How many files one session may have quarantined, and how many retired.
const MAX_QUARANTINED: u32 = 1000;

/// The guard of the lock. Rust drops fields in this order, so that the temporary file is removed while the lock is still
/// held.
pub(crate) struct FileLockGuard {
    /// The file for the next write. Creating it ahead proves that the directory can be written.
    spare: Option<TempFile>,
    lock: FileLock,
    directory: Arc<Directory>,
    paths: StorePaths,
    format: Format,
}

impl FileLockGuard {
    pub(crate) fn acquire(paths: StorePaths, format: Format, timeout: Duration) -> Result<Self, StoreError> {
        let LockedDirectory { lock, directory } = FileLock::acquire(&paths, &mut LockTimeout::new(timeout))?;
        let directory = Arc::new(directory);
        temp_file::remove_stale(&directory, &paths);
        let spare = Some(TempFile::preallocated(&directory, &paths)?);
        Ok(Self { spare, lock, directory, paths, format })
    }

    /// Replaces the record, in the format of this store.
    pub(crate) fn replace(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.check_held()?;
        let content = self.format.encode(record).map_err(|kind| self.error(kind))?;
        let temporary = match self.spare.take() {
            Some(spare) => spare,
            None => TempFile::create(&self.directory, &self.paths)?,
        };
        temporary.write_and_sync(&content)?;
        self.check_held()?; // syncing can take long
        temporary.persist(&self.paths)?;
        // A session writes twice under one lock: that it is about to use the refresh token, and the new tokens. The room
        // for the second record has to be there before the token is sent.
        self.spare = TempFile::preallocated(&self.directory, &self.paths).ok();
        Ok(())
    }

    /// Renames the session's file to the first of these names that nothing has.
    fn rename_to_free(&self, name: impl Fn(&StorePaths, u32) -> OsString) -> Result<(), StoreError> {
        self.check_held()?;
        for number in 1..=MAX_QUARANTINED {
            match self.directory.rename_no_replace(&self.paths.file_name, &name(&self.paths, number)) {
                Ok(()) => {
                    let synced = self.directory.sync().map_err(FileErrorKind::system("synced"));
                    return synced.map_err(|kind| self.error(kind).after_rename());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(self.error(FileErrorKind::system("set aside")(error)).during_rename()),
            }
        }
        Err(self.error(FileErrorKind::TooManyQuarantined).into())
    }

    /// Removes the files of other programs whose sessions were imported here.
    fn remove_retired(&self) -> Result<(), StoreError> {
        for name in self.directory.file_names().into_iter().filter(|name| self.paths.is_retired(name)) {
            match self.directory.remove(&name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(FileErrorKind::system("removed")(error).at(self.directory.path_of(&name)).into());
                }
            }
        }
        Ok(())
    }

    /// `Lost` if another process may hold the lock by now.
    fn check_held(&self) -> Result<(), StoreError> {
        if self.lock.is_held()? { Ok(()) } else { Err(StoreErrorKind::Lost.into()) }
    }

    fn error(&self, kind: FileErrorKind) -> FileError {
        kind.at(self.directory.path_of(&self.paths.file_name))
    }
}

impl LockGuard for FileLockGuard {
    fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        self.check_held()?;
        read(&self.directory, &self.paths, &self.format)
    }

    fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.replace(record.as_ref())
    }

    fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.rename_to_free(StorePaths::quarantine_name)
    }

    fn retire(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.rename_to_free(StorePaths::retired_name)
    }

    fn clear(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.check_held()?;
        // The write that follows syncs the directory, and with it the removal. It is done even if a file could not be
        // removed: the sign-out has to be saved.
        let removed = self.remove_retired();
        self.replace(record.as_ref())?;
        removed
    }
}

/// The record in the session's file. `None` if there is no file.
pub(crate) fn read(directory: &Directory, paths: &StorePaths, format: &Format) -> Result<Option<Body>, StoreError> {
    let Some(content) = file::read(directory, &paths.file_name)? else { return Ok(None) };
    let decoded = format.decode(content).map_err(|kind| kind.at(directory.path_of(&paths.file_name)));
    Ok(Some(decoded?))
}
