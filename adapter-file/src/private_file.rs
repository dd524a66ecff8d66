//! Private files for other programs, written and read with the same guarantees.

use std::path::PathBuf;

use perennial_core::store::{LOCK_TIMEOUT, STORE_TIMEOUT, Store, StoreError};
use perennial_core::wire::Body;

use crate::store::FileStore;

/// Writes a file that another program reads, a token for a client in another language, say: atomically, synced to the
/// disk, with mode 0600, in a directory that is created if it is missing.
///
/// It holds the lock on `NAME.lock` meanwhile, and waits for it for [`LOCK_TIMEOUT`] (40 s) at most. Errors are those of
/// a [`FileStore`].
///
/// ```no_run
/// # fn main() -> Result<(), perennial_core::store::StoreError> {
/// perennial_file::write_private("/run/heater/token.json", b"{}")?;
/// # Ok(())
/// # }
/// ```
pub fn write_private(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<(), StoreError> {
    FileStore::new(path).lock_file(LOCK_TIMEOUT)?.replace(bytes)
}

/// Reads such a file. `None` if there is none. It is checked as a session's file is, and its mode is tightened to 0600.
pub fn read_private(path: impl Into<PathBuf>) -> Result<Option<Body>, StoreError> {
    FileStore::new(path).read(STORE_TIMEOUT)
}
