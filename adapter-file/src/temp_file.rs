//! The temporary file that the next record is written to before it replaces the old one.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial_core::store::StoreError;
use rustix::fs::OFlags;

use crate::directory::{Directory, retry_interrupted, sync_file};
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::paths::StorePaths;

/// How many bytes are allocated ahead: 32 KiB, more than a usual record has. So a full disk is found before a one-use
/// token is sent.
const PREALLOCATED: usize = 32 << 10;

/// How many names are tried. A process in another container can have the same id, and so have used some of the names.
const MAX_ATTEMPTS: u32 = 100;

/// A private file under a name of its own. Dropping it removes the file, unless it was persisted.
pub(crate) struct TempFile {
    file: File,
    name: OsString,
    directory: Arc<Directory>,
    /// The process that created it.
    creator_pid: u32,
    persisted: bool,
}

impl TempFile {
    /// Creates a file and allocates 32 KiB for it.
    pub(crate) fn preallocated(directory: &Arc<Directory>, paths: &StorePaths) -> Result<Self, FileError> {
        let temporary = Self::create(directory, paths)?;
        let written = temporary.file.write_all_at(&[0; PREALLOCATED], 0).map_err(FileErrorKind::system("written"));
        written.map_err(|kind| temporary.error(kind))?;
        Ok(temporary)
    }

    /// Creates a file.
    pub(crate) fn create(directory: &Arc<Directory>, paths: &StorePaths) -> Result<Self, FileError> {
        let temporary = Self::create_new(directory, paths)?;
        file::make_private(&temporary.file).map_err(|kind| temporary.error(kind))?;
        Ok(temporary)
    }

    /// Replaces what the file holds by `content`, and syncs it to the disk.
    pub(crate) fn write_and_sync(&self, content: &[u8]) -> Result<(), FileError> {
        let write = || {
            self.file.write_all_at(content, 0).map_err(FileErrorKind::system("written"))?;
            retry_interrupted(|| self.file.set_len(content.len() as u64)).map_err(FileErrorKind::system("cut"))?;
            sync_file(&self.file).map_err(FileErrorKind::system("synced"))
        };
        write().map_err(|kind| self.error(kind))
    }

    /// Renames the file over the session's file, and syncs the directory: when this returns, a power cut leaves the new
    /// record.
    pub(crate) fn persist(mut self, paths: &StorePaths) -> Result<(), StoreError> {
        let error = |kind: FileErrorKind| kind.at(self.directory.path_of(&paths.file_name));
        let renamed = self.directory.rename(&self.name, &paths.file_name);
        renamed.map_err(FileErrorKind::system("replaced")).map_err(error).map_err(FileError::during_rename)?;
        self.persisted = true;
        let error = |kind: FileErrorKind| kind.at(self.directory.path_of(&paths.file_name));
        let synced = self.directory.sync();
        synced.map_err(FileErrorKind::system("synced")).map_err(error).map_err(FileError::after_rename)
    }

    /// Creates a file under a name that nothing has.
    fn create_new(directory: &Arc<Directory>, paths: &StorePaths) -> Result<Self, FileError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let creator_pid = process::id();
        let mut attempt = 0;
        loop {
            let name = paths.temporary_name(creator_pid, NUMBER.fetch_add(1, Ordering::Relaxed));
            attempt += 1;
            match directory.open_file(&name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
                Ok(file) => {
                    return Ok(Self { file, name, directory: Arc::clone(directory), creator_pid, persisted: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < MAX_ATTEMPTS => {}
                Err(error) => return Err(FileErrorKind::system("made")(error).at(directory.path_of(&name))),
            }
        }
    }

    fn error(&self, kind: FileErrorKind) -> FileError {
        kind.at(self.directory.path_of(&self.name))
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // The file belongs to the process that created it, not to a forked child with a copy of this value. If it cannot
        // be removed, the next lock removes it.
        if !self.persisted && process::id() == self.creator_pid {
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Removes the temporary files that killed processes left behind, because they hold secrets. Call it only under the lock:
/// then no other process has one in use. A file that cannot be removed is left to the next lock.
pub(crate) fn remove_stale(directory: &Directory, paths: &StorePaths) {
    for name in directory.file_names() {
        if paths.is_temporary(&name) {
            let _ = directory.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    #[test]
    fn a_temporary_file_is_removed_by_the_process_that_created_it_or_under_the_next_lock() {
        let paths = StorePaths::new(&env::temp_dir().join(format!("perennial-temporary-{}/a", process::id()))).unwrap();
        let directory = Arc::new(Directory::open_or_create(&paths.directory).unwrap());
        let mut temporary = TempFile::create(&directory, &paths).unwrap();
        let path = directory.path_of(&temporary.name);
        temporary.creator_pid += 1; // as in the child of a fork
        drop(temporary);
        assert!(path.exists());
        remove_stale(&directory, &paths);
        assert!(!path.exists());
        fs::remove_dir_all(&paths.directory).unwrap();
    }

    #[test]
    fn names_that_exist_already_are_skipped() {
        let paths = StorePaths::new(&env::temp_dir().join(format!("perennial-taken-{}/a", process::id()))).unwrap();
        let directory = Arc::new(Directory::open_or_create(&paths.directory).unwrap());
        // As if a process with the same id in another container had created them.
        let name = TempFile::create(&directory, &paths).unwrap().name.clone();
        let number: u64 = name.to_str().unwrap().rsplit(['-', '.']).nth(1).unwrap().parse().unwrap();
        let taken: Vec<_> = (number + 1..number + 9).map(|n| paths.temporary_name(process::id(), n)).collect();
        taken.iter().for_each(|name| fs::write(directory.path_of(name), "theirs").unwrap());
        let temporary = TempFile::create(&directory, &paths).unwrap();
        assert!(!taken.contains(&temporary.name));
        for name in &taken {
            assert_eq!(fs::read(directory.path_of(name)).unwrap(), b"theirs");
        }
        fs::remove_dir_all(&paths.directory).unwrap();
    }
}
