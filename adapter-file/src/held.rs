//! The file, while it is locked.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::store::{LockGuard, StoreError, StoreErrorKind};
use perennial_core::wire::Body;

use crate::content::Form;
use crate::directory::Directory;
use crate::error::{FileError, FileErrorKind};
use crate::file;
use crate::lock::{Lock, Patience, Taken};
use crate::place::Place;
use crate::temporary::{self, Temporary};

/// More than anybody looks at.
const MOST_ASIDE: u32 = 1000;

/// Fields are dropped in this order: the temporary file goes while the lock is still held.
pub(crate) struct Held {
    /// For the next write: that it could be made shows that the place can be written.
    spare: Option<Temporary>,
    lock: Lock,
    directory: Arc<Directory>,
    place: Place,
    form: Form,
}

impl Held {
    pub(crate) fn take(place: Place, form: Form, timeout: Duration) -> Result<Self, StoreError> {
        let Taken { lock, directory } = Lock::take(&place, &mut Patience::new(timeout))?;
        let directory = Arc::new(directory);
        temporary::sweep(&directory, &place);
        let spare = Some(Temporary::with_room(&directory, &place)?);
        Ok(Self { spare, lock, directory, place, form })
    }

    /// Replaces what is there by these bytes, in whatever form this store has.
    pub(crate) fn replace(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.check()?;
        let content = self.form.encode(record).map_err(|trouble| self.trouble(trouble))?;
        let temporary = match self.spare.take() {
            Some(spare) => spare,
            None => Temporary::make(&self.directory, &self.place)?,
        };
        temporary.fill(&content)?;
        self.check()?; // syncing can take long
        temporary.put_in_place(&self.place)?;
        // A mark is followed by a record: where there is room for the one there shall be for the other.
        self.spare = Temporary::with_room(&self.directory, &self.place).ok();
        Ok(())
    }

    /// Gives what is there a name that nothing has.
    fn move_away(&self, name: impl Fn(&Place, u32) -> OsString) -> Result<(), StoreError> {
        self.check()?;
        for number in 1..=MOST_ASIDE {
            match self.directory.rename_to_free(&self.place.name, &name(&self.place, number)) {
                Ok(()) => {
                    let synced = self.directory.sync().map_err(FileErrorKind::system("synced"));
                    return synced.map_err(|trouble| self.trouble(trouble).after_replacing());
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(self.trouble(FileErrorKind::system("set aside")(error)).while_replacing()),
            }
        }
        Err(self.trouble(FileErrorKind::TooManyAside).into())
    }

    /// Removes the files of other programs that were taken up here.
    fn remove_retired(&self) -> Result<(), StoreError> {
        for name in self.directory.names().into_iter().filter(|name| self.place.is_retired(name)) {
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

    fn check(&self) -> Result<(), StoreError> {
        if self.lock.is_held()? { Ok(()) } else { Err(StoreErrorKind::Lost.into()) }
    }

    fn trouble(&self, trouble: FileErrorKind) -> FileError {
        trouble.at(self.directory.path_of(&self.place.name))
    }
}

impl LockGuard for Held {
    fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        self.check()?;
        read(&self.directory, &self.place, &self.form)
    }

    fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.replace(record.as_ref())
    }

    fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.move_away(Place::aside_name)
    }

    fn retire(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        self.move_away(Place::retired_name)
    }

    fn clear(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.check()?;
        // What is written next syncs the directory. A file that cannot be removed does not stand in its way.
        let removed = self.remove_retired();
        self.replace(record.as_ref())?;
        removed
    }
}

/// The record that is there.
pub(crate) fn read(directory: &Directory, place: &Place, form: &Form) -> Result<Option<Body>, StoreError> {
    let Some(content) = file::read(directory, &place.name)? else { return Ok(None) };
    let decoded = form.decode(content).map_err(|trouble| trouble.at(directory.path_of(&place.name)));
    Ok(Some(decoded?))
}
