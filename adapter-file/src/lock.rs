//! The lock: a kernel lock (`flock`) on a file beside the session's file. The session's own file cannot be locked, because
//! every write replaces it by a new one.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{io, process, thread};

use perennial_core::store::{StoreError, StoreErrorKind};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use crate::directory::{Directory, retry_interrupted};
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::paths::StorePaths;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// How long to try to acquire the lock, with pauses from 1 to 25 ms. `flock` can wait, but not with a timeout.
pub(crate) struct LockTimeout {
    start: Instant,
    timeout: Duration,
    pause: Duration,
}

impl LockTimeout {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { start: Instant::now(), timeout, pause: FIRST_PAUSE }
    }

    /// Pauses before the next attempt. `Busy` if the timeout has passed.
    fn pause(&mut self) -> Result<(), StoreError> {
        let remaining = self.timeout.saturating_sub(self.start.elapsed());
        if remaining.is_zero() {
            return Err(StoreErrorKind::Busy.into());
        }
        thread::sleep(self.pause.min(remaining));
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// A lock that is held. Dropping it releases it; the kernel does if the process dies.
pub(crate) struct FileLock {
    file: File,
    path: PathBuf,
    /// The process that acquired it. A child made by `fork` has a copy that is of no use.
    owner_pid: u32,
}

/// A lock, and the directory of its file.
pub(crate) struct LockedDirectory {
    pub(crate) lock: FileLock,
    pub(crate) directory: Directory,
}

impl FileLock {
    /// Acquires the lock of this path. Creates the directory and the lock file if they are missing.
    pub(crate) fn acquire(paths: &StorePaths, timeout: &mut LockTimeout) -> Result<LockedDirectory, StoreError> {
        loop {
            let directory = Directory::open_or_create(&paths.directory)?;
            let lock = Self::acquire_in(&directory, paths, timeout)?;
            // If the lock file or its directory was removed or replaced during the wait, the next process locks the new
            // one, and this lock excludes nobody.
            if lock.is_held()? {
                return Ok(LockedDirectory { lock, directory });
            }
            timeout.pause()?;
        }
    }

    /// Whether this process still holds the lock of its path: the path leads to the locked file, and this is no child of
    /// the process that acquired it.
    pub(crate) fn is_held(&self) -> Result<bool, FileError> {
        let examined = |error| FileErrorKind::system("examined")(error).at(&self.path);
        let locked = retry_interrupted(|| self.file.metadata()).map_err(examined)?;
        match retry_interrupted(|| fs::symlink_metadata(&self.path)) {
            Ok(at_path) => {
                let same = (locked.dev(), locked.ino()) == (at_path.dev(), at_path.ino());
                Ok(same && self.owner_pid == process::id())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(examined(error)),
        }
    }

    fn acquire_in(directory: &Directory, paths: &StorePaths, timeout: &mut LockTimeout) -> Result<Self, StoreError> {
        let name = paths.lock_name();
        let path = directory.path_of(&name);
        let missing = || FileErrorKind::system("made")(Errno::NOENT.into()).at(&path);
        let file = file::open(directory, &name, OFlags::RDWR | OFlags::CREATE)?.ok_or_else(missing)?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, path, owner_pid: process::id() }),
                Err(Errno::WOULDBLOCK) => timeout.pause()?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(FileErrorKind::system("locked")(error.into()).at(path).into()),
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file does not release the lock while a forked child has a copy of the descriptor, so it is unlocked
        // explicitly. The child's copy must not do that: the lock is not the child's.
        if process::id() == self.owner_pid {
            let _ = retry_interrupted(|| Ok(rustix::fs::flock(&self.file, FlockOperation::Unlock)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    /// The copy of a lock that a forked child has. `fork` copies descriptors as `try_clone` does: both share one open
    /// file, and so one lock.
    fn forked(lock: &FileLock) -> FileLock {
        FileLock { file: lock.file.try_clone().unwrap(), path: lock.path.clone(), owner_pid: lock.owner_pid + 1 }
    }

    #[test]
    fn the_copy_of_a_lock_in_a_forked_child_is_not_held_and_does_not_release_it() {
        let paths = StorePaths::new(&env::temp_dir().join(format!("perennial-fork-{}/a", process::id()))).unwrap();
        let acquire = || FileLock::acquire(&paths, &mut LockTimeout::new(Duration::ZERO));
        let parent = acquire().unwrap().lock;
        let child = forked(&parent);
        assert!(!child.is_held().unwrap());
        drop(child);
        assert!(parent.is_held().unwrap());
        assert_eq!(acquire().err().map(|error| error.kind()), Some(StoreErrorKind::Busy));

        let child = forked(&parent);
        drop(parent);
        assert!(acquire().unwrap().lock.is_held().unwrap());
        drop(child);
        fs::remove_dir_all(&paths.directory).unwrap();
    }
}
