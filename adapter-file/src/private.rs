//! Files of other programs, kept with the same care.

use std::path::PathBuf;

use perennial_core::store::{LOCK_TIMEOUT, STORE_TIMEOUT, Store, StoreError};
use perennial_core::wire::Body;

use crate::store::FileStore;

/// Writes a file that another program reads: whole or not at all, synced, only for its owner, in a directory that is
/// made if need be. A token for a client in another language, say.
///
/// It holds the lock on `NAME.lock` meanwhile, and waits for it for [`LOCK_TIMEOUT`] at most. Errors are those of a
/// [`FileStore`].
///
/// ```no_run
/// # fn main() -> Result<(), perennial_core::store::StoreError> {
/// perennial_file::write_private("/run/heater/token.json", b"{}")?;
/// # Ok(())
/// # }
/// ```
pub fn write_private(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<(), StoreError> {
    FileStore::new(path).hold(LOCK_TIMEOUT)?.replace(bytes)
}

/// Reads such a file; `None` where there is none. It is examined, and made private, as a session's file is.
pub fn read_private(path: impl Into<PathBuf>) -> Result<Option<Body>, StoreError> {
    FileStore::new(path).read(STORE_TIMEOUT)
}
