//! The file that becomes the next record.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use perennial_core::store::StoreError;
use rustix::fs::OFlags;

use crate::directory::{Directory, sync, uninterrupted};
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::place::Place;

/// Room for a usual record, taken ahead so that a full disk is found before a token is spent.
const ROOM: usize = 32 << 10;

/// Names that others may have taken, before something must be wrong: a process in another container can have our
/// number.
const ATTEMPTS: u32 = 100;

/// A private file under a name of its own, removed when dropped.
pub(crate) struct Temporary {
    file: File,
    name: OsString,
    directory: Arc<Directory>,
    made_by: u32,
    in_place: bool,
}

impl Temporary {
    /// Makes one, and takes room for a record.
    pub(crate) fn with_room(directory: &Arc<Directory>, place: &Place) -> Result<Self, FileError> {
        let temporary = Self::make(directory, place)?;
        let written = temporary.file.write_all_at(&[0; ROOM], 0).map_err(FileErrorKind::system("written"));
        written.map_err(|trouble| temporary.trouble(trouble))?;
        Ok(temporary)
    }

    /// Makes one.
    pub(crate) fn make(directory: &Arc<Directory>, place: &Place) -> Result<Self, FileError> {
        let temporary = Self::make_empty(directory, place)?;
        file::make_private(&temporary.file).map_err(|trouble| temporary.trouble(trouble))?;
        Ok(temporary)
    }

    /// Makes `content` all that it holds, to outlast a power cut.
    pub(crate) fn fill(&self, content: &[u8]) -> Result<(), FileError> {
        let filled = || {
            self.file.write_all_at(content, 0).map_err(FileErrorKind::system("written"))?;
            uninterrupted(|| self.file.set_len(content.len() as u64)).map_err(FileErrorKind::system("cut"))?;
            sync(&self.file).map_err(FileErrorKind::system("synced"))
        };
        filled().map_err(|trouble| self.trouble(trouble))
    }

    /// Puts it in the place of the record, for good.
    pub(crate) fn put_in_place(mut self, place: &Place) -> Result<(), StoreError> {
        let at_place = |trouble: FileErrorKind| trouble.at(self.directory.path_of(&place.name));
        let replaced = self.directory.replace(&self.name, &place.name);
        replaced.map_err(FileErrorKind::system("replaced")).map_err(at_place).map_err(FileError::while_replacing)?;
        self.in_place = true;
        let at_place = |trouble: FileErrorKind| trouble.at(self.directory.path_of(&place.name));
        let synced = self.directory.sync();
        synced.map_err(FileErrorKind::system("synced")).map_err(at_place).map_err(FileError::after_replacing)
    }

    fn make_empty(directory: &Arc<Directory>, place: &Place) -> Result<Self, FileError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let made_by = process::id();
        let mut attempt = 0;
        loop {
            let name = place.temporary_name(made_by, NUMBER.fetch_add(1, Ordering::Relaxed));
            attempt += 1;
            match directory.open_file(&name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL) {
                Ok(file) => {
                    return Ok(Self { file, name, directory: Arc::clone(directory), made_by, in_place: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {}
                Err(error) => return Err(FileErrorKind::system("made")(error).at(directory.path_of(&name))),
            }
        }
    }

    fn trouble(&self, trouble: FileErrorKind) -> FileError {
        trouble.at(self.directory.path_of(&self.name))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // The copy in a forked child is not the child's to remove. What cannot be removed is swept later.
        if !self.in_place && process::id() == self.made_by {
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Removes what killed programs left behind: it holds secrets. Only under the lock, where nobody has one in use. What
/// cannot be removed is left to the next one.
pub(crate) fn sweep(directory: &Directory, place: &Place) {
    for name in directory.names() {
        if place.is_temporary(&name) {
            let _ = directory.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs};

    use super::*;

    #[test]
    fn only_who_made_it_removes_it() {
        let place = Place::of(&env::temp_dir().join(format!("perennial-temporary-{}/a", process::id()))).unwrap();
        let directory = Arc::new(Directory::make(&place.directory).unwrap());
        let mut temporary = Temporary::make(&directory, &place).unwrap();
        let path = directory.path_of(&temporary.name);
        temporary.made_by += 1; // as in the child of a fork
        drop(temporary);
        assert!(path.exists());
        sweep(&directory, &place);
        assert!(!path.exists());
        fs::remove_dir_all(&place.directory).unwrap();
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over() {
        let place = Place::of(&env::temp_dir().join(format!("perennial-taken-{}/a", process::id()))).unwrap();
        let directory = Arc::new(Directory::make(&place.directory).unwrap());
        // Another container's process of our number has made some.
        let name = Temporary::make(&directory, &place).unwrap().name.clone();
        let number: u64 = name.to_str().unwrap().rsplit(['-', '.']).nth(1).unwrap().parse().unwrap();
        let taken: Vec<_> = (number + 1..number + 9).map(|n| place.temporary_name(process::id(), n)).collect();
        taken.iter().for_each(|name| fs::write(directory.path_of(name), "theirs").unwrap());
        let temporary = Temporary::make(&directory, &place).unwrap();
        assert!(!taken.contains(&temporary.name));
        for name in &taken {
            assert_eq!(fs::read(directory.path_of(name)).unwrap(), b"theirs");
        }
        fs::remove_dir_all(&place.directory).unwrap();
    }
}
