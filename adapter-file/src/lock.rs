//! The lock: one file beside the session's file, since that one is replaced.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{io, process, thread};

use perennial_core::store::{StoreError, StoreErrorKind};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use crate::directory::{Directory, uninterrupted};
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::place::Place;

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// How long somebody goes on trying. A kernel lock can be waited for, but not for a given time.
pub(crate) struct Patience {
    start: Instant,
    timeout: Duration,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { start: Instant::now(), timeout, pause: FIRST_PAUSE }
    }

    /// Pauses, or says that it is over.
    fn pause(&mut self) -> Result<(), StoreError> {
        let left = self.timeout.saturating_sub(self.start.elapsed());
        if left.is_zero() {
            return Err(StoreErrorKind::Busy.into());
        }
        thread::sleep(self.pause.min(left));
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// A lock that is held, until it is dropped or its holder dies.
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
    taken_by: u32,
}

/// A lock, and the directory that it was taken in.
pub(crate) struct Taken {
    pub(crate) lock: Lock,
    pub(crate) directory: Directory,
}

impl Lock {
    /// Takes the lock of this place, in whatever directory stands there.
    pub(crate) fn take(place: &Place, patience: &mut Patience) -> Result<Taken, StoreError> {
        loop {
            let directory = Directory::make(&place.directory)?;
            let lock = Self::take_in(&directory, place, patience)?;
            // Somebody may have removed the file or the directory while we waited: the next one would lock another.
            if lock.is_held()? {
                return Ok(Taken { lock, directory });
            }
            patience.pause()?;
        }
    }

    /// Whether it is still this process that holds the lock of its path.
    pub(crate) fn is_held(&self) -> Result<bool, FileError> {
        let trouble = |error| FileErrorKind::system("examined")(error).at(&self.path);
        let ours = uninterrupted(|| self.file.metadata()).map_err(trouble)?;
        match uninterrupted(|| fs::symlink_metadata(&self.path)) {
            Ok(there) => {
                let same = (ours.dev(), ours.ino()) == (there.dev(), there.ino());
                Ok(same && self.taken_by == process::id())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(trouble(error)),
        }
    }

    fn take_in(directory: &Directory, place: &Place, patience: &mut Patience) -> Result<Self, StoreError> {
        let name = place.lock_name();
        let path = directory.path_of(&name);
        let gone = || FileErrorKind::system("made")(Errno::NOENT.into()).at(&path);
        let file = file::open(directory, &name, OFlags::RDWR | OFlags::CREATE)?.ok_or_else(gone)?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, path, taken_by: process::id() }),
                Err(Errno::WOULDBLOCK) => patience.pause()?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(FileErrorKind::system("locked")(error.into()).at(path).into()),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough where a forked child has a copy; and that copy must not free what is not the child's.
        if process::id() == self.taken_by {
            let _ = uninterrupted(|| Ok(rustix::fs::flock(&self.file, FlockOperation::Unlock)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    /// `fork` copies descriptors as `try_clone` does: they share one open file, and so one lock.
    fn after_a_fork(lock: &Lock) -> Lock {
        Lock { file: lock.file.try_clone().unwrap(), path: lock.path.clone(), taken_by: lock.taken_by + 1 }
    }

    #[test]
    fn the_copy_in_a_forked_child_is_of_no_use_and_does_no_harm() {
        let place = Place::of(&env::temp_dir().join(format!("perennial-fork-{}/a", process::id()))).unwrap();
        let take = || Lock::take(&place, &mut Patience::new(Duration::ZERO));
        let parent = take().unwrap().lock;
        let child = after_a_fork(&parent);
        assert!(!child.is_held().unwrap());
        drop(child);
        assert!(parent.is_held().unwrap());
        assert_eq!(take().err().map(|error| error.kind()), Some(StoreErrorKind::Busy));

        let child = after_a_fork(&parent);
        drop(parent);
        assert!(take().unwrap().lock.is_held().unwrap());
        drop(child);
        fs::remove_dir_all(&place.directory).unwrap();
    }
}
