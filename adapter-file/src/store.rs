//! The store.

use std::path::{Path, PathBuf};
#[cfg(feature = "encrypted")]
use std::sync::Arc;
use std::time::Duration;

use perennial_core::store::{LockGuard, Store, StoreError};
use perennial_core::wire::Body;

use crate::content::Form;
use crate::directory::Directory;
use crate::held::{self, Held};
use crate::place::{self, Place};
#[cfg(feature = "encrypted")]
use crate::seal::Key;

/// One session in one file. Clones, and stores of the same path, share it.
///
/// Building one touches nothing. The directory is made when the session is first locked; reading before that finds
/// nothing.
///
/// | kind of error | when |
/// | --- | --- |
/// | `Busy` | another store or process held the lock all the time |
/// | `Lost` | the lock file or the directory was moved away while we held the lock, or this is the child of a `fork` |
/// | `Unavailable` | no space, an I/O error: the old record stands |
/// | `MaybeWritten` | a failure while the new record was put in place, or while that was synced |
/// | `Unusable` | not allowed, read-only, not a private file of ours, the wrong key: see [`FileErrorKind`](crate::FileErrorKind) |
/// | `Refused` | more than [`MAX_BYTES`](crate::MAX_BYTES): left as it is, since it is hardly a session |
///
/// Each but the first two has a [`FileError`](crate::FileError) as its source, and where the system failed, an
/// [`io::Error`](std::io::Error) below that.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    form: Form,
}

impl FileStore {
    /// In this file. A relative path starts at the directory that is current now.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path: std::path::absolute(&path).unwrap_or(path), form: Form::Clear }
    }

    /// Where this system keeps what programs remember: `$XDG_STATE_HOME/APP/SESSION.session`, by default
    /// `~/.local/state/APP/SESSION.session`; on macOS `~/Library/Application Support/APP/SESSION.session`.
    ///
    /// `Unusable` where a name is empty, long, starts with a dot or holds a separator, and where there is no home.
    pub fn default_place(app: &str, session: &str) -> Result<Self, StoreError> {
        Ok(Self::new(place::default_path(app, session)?))
    }

    /// Keeps the record encrypted, under XChaCha20-Poly1305. Whoever has no key can neither read nor change it; they
    /// can bring back an older file of the same key.
    ///
    /// A wrong key, a changed file or a file in the clear is `Unusable`, and is left as it is: nothing is lost by a
    /// mistake, and nobody can put a record in the clear into its place. To encrypt a session that was kept in the
    /// clear, say so once:
    ///
    /// ```
    /// use perennial_core::store::{LOCK_TIMEOUT, STORE_TIMEOUT, Store, StoreError};
    /// use perennial_file::{FileStore, Key};
    ///
    /// fn encrypt(path: &str, key: Key) -> Result<FileStore, StoreError> {
    ///     let (clear, encrypted) = (FileStore::new(path), FileStore::new(path).encrypted_with(key));
    ///     let mut lock = encrypted.lock(LOCK_TIMEOUT, LOCK_TIMEOUT)?;
    ///     if let Some(record) = clear.read(STORE_TIMEOUT)? {
    ///         lock.write(&record, STORE_TIMEOUT)?;
    ///     }
    ///     Ok(encrypted)
    /// }
    /// # let directory = std::env::temp_dir().join(format!("perennial-doc-{}", std::process::id()));
    /// # let path = directory.join("session").to_str().unwrap().to_owned();
    /// # perennial_file::write_private(&path, b"{}").unwrap();
    /// # let store = encrypt(&path, Key::from_bytes(&[7; 32])).unwrap();
    /// # assert_eq!(store.read(STORE_TIMEOUT).unwrap().unwrap().as_ref(), b"{}");
    /// # assert!(encrypt(&path, Key::from_bytes(&[7; 32])).is_err());
    /// # std::fs::remove_dir_all(directory).unwrap();
    /// ```
    #[cfg(feature = "encrypted")]
    #[must_use]
    pub fn encrypted_with(self, key: Key) -> Self {
        Self { form: Form::Encrypted(Arc::new(key)), ..self }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn hold(&self, timeout: Duration) -> Result<Held, StoreError> {
        Held::take(Place::of(&self.path)?, self.form.clone(), timeout)
    }
}

impl Store for FileStore {
    fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        let place = Place::of(&self.path)?;
        match Directory::open(&place.directory)? {
            Some(directory) => held::read(&directory, &place, &self.form),
            None => Ok(None),
        }
    }

    fn lock(&self, timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        Ok(Box::new(self.hold(timeout)?))
    }
}
