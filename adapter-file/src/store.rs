//! The store: reading and locking one session.

use std::path::{Path, PathBuf};
#[cfg(feature = "encrypted")]
use std::sync::Arc;
use std::time::Duration;

use perennial_core::store::{LockGuard, Store, StoreError};
use perennial_core::wire::Body;

use crate::directory::Directory;
#[cfg(feature = "encrypted")]
use crate::encryption::Key;
use crate::format::Format;
use crate::lock_guard::{self, FileLockGuard};
use crate::paths::{self, StorePaths};

/// One session in one file. Clones, and stores of the same path in any process, share it.
///
/// Building a store touches no file. The directory is created when the session is first locked; reading before that
/// finds no record.
///
/// | [`StoreErrorKind`](perennial_core::store::StoreErrorKind) | when |
/// | --- | --- |
/// | `Busy` | another store or process held the lock until the timeout |
/// | `Lost` | the lock file or its directory was moved or removed while the lock was held, or this is the child of a `fork` |
/// | `Unavailable` | no space or an I/O error: the old record is still there |
/// | `MaybeWritten` | the new file could not be renamed over the old one, or the directory could not be synced |
/// | `Unusable` | a missing permission, a read-only file system, a file that is not private to this user, the wrong key: see [`FileErrorKind`](crate::FileErrorKind) |
/// | `Refused` | more than [`MAX_BYTES`](crate::MAX_BYTES), which no session has: the file is not changed |
///
/// All but the first two have a [`FileError`](crate::FileError) as their source. If a system call failed, that has its
/// [`io::Error`](std::io::Error) as a source in turn.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    format: Format,
}

impl FileStore {
    /// The session in this file. A relative path is resolved now, at the current directory.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path: std::path::absolute(&path).unwrap_or(path), format: Format::Plaintext }
    }

    /// The session in the user's state directory: `$XDG_STATE_HOME/APP/SESSION.session`, by default
    /// `~/.local/state/APP/SESSION.session`; on macOS `~/Library/Application Support/APP/SESSION.session`.
    ///
    /// `Unusable` if a name is empty, has more than 120 bytes, starts with a dot, or contains a separator or a control
    /// character; or if the user has no home directory.
    pub fn default_place(app: &str, session: &str) -> Result<Self, StoreError> {
        Ok(Self::new(paths::default_path(app, session)?))
    }

    /// Encrypts the record with XChaCha20-Poly1305. Without the key nobody can read it or change it unnoticed; an older
    /// file of the same key can be put back unnoticed.
    ///
    /// A wrong key, a changed file or a plaintext file is `Unusable`, and is not changed: nothing is lost by a mistake,
    /// and nobody can replace the record by a plaintext one. A session that was kept in plaintext is encrypted once like
    /// this:
    ///
    /// ```
    /// use perennial_core::store::{LOCK_TIMEOUT, STORE_TIMEOUT, Store, StoreError};
    /// use perennial_file::{FileStore, Key};
    ///
    /// fn encrypt(path: &str, key: Key) -> Result<FileStore, StoreError> {
    ///     let (plaintext, encrypted) = (FileStore::new(path), FileStore::new(path).encrypted_with(key));
    ///     let mut lock = encrypted.lock(LOCK_TIMEOUT, LOCK_TIMEOUT)?;
    ///     if let Some(record) = plaintext.read(STORE_TIMEOUT)? {
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
        Self { format: Format::Encrypted(Arc::new(key)), ..self }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn lock_file(&self, timeout: Duration) -> Result<FileLockGuard, StoreError> {
        FileLockGuard::acquire(StorePaths::new(&self.path)?, self.format.clone(), timeout)
    }
}

impl Store for FileStore {
    fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        let paths = StorePaths::new(&self.path)?;
        match Directory::open(&paths.directory)? {
            Some(directory) => lock_guard::read(&directory, &paths, &self.format),
            None => Ok(None),
        }
    }

    fn lock(&self, timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        Ok(Box::new(self.lock_file(timeout)?))
    }
}
