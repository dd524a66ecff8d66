//! Keeps a session in a file. Give a [`FileStore`] to a session, and its tokens outlive the program; give the same
//! place to several programs, and they renew once for all.
//!
//! ```
//! use perennial_core::store::{STORE_TIMEOUT, Store};
//! use perennial_core::{Now, SavedSession};
//! use perennial_file::FileStore;
//!
//! # fn example(now: Now) -> Result<(), Box<dyn std::error::Error>> {
//! let store = FileStore::default_place("heater-control", "greenhouse")?; // or FileStore::new("/some/where")
//! // A session does the rest by itself. What it saved is there to be looked at:
//! if let Some(record) = store.read(STORE_TIMEOUT)? {
//!     println!("{}", SavedSession::parse(record.as_ref(), now)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What it does for you
//!
//! | | |
//! | --- | --- |
//! | whole | A record is written to a temporary file, synced, renamed over the old one, and the directory synced: whatever happens, the old record or the new one is read. A write that returned outlasts a power cut. |
//! | locked | A kernel lock (`flock`) on `NAME.lock` excludes other processes and other stores in this one. The kernel frees it when its holder dies. Who waits gets [`Busy`] after the time that it allowed. |
//! | early | Locking proves that the place can be written, and takes room for the next record: a full or read-only disk is found before a token is spent. |
//! | private | Files have mode 0600. A looser one is tightened when it is read. Directories are made with mode 0700. |
//! | careful | A symbolic link, a second hard link, a pipe, a directory, a file of another user, a directory in which others may write (a group of the same number as the user is the user): [`Unusable`], with a [`FileError`] as its source. Nothing can hang on a pipe. |
//! | swept | Temporary files of programs that were killed hold secrets: the next lock removes them. |
//! | never deleted | A record that nobody understands is renamed to `NAME.aside-1`, and so on. Another program's file, whose session was taken up, to `NAME.retired-1`: a sign-out removes it, since its tokens may still work. |
//!
//! # What is in the directory
//!
//! | name | what |
//! | --- | --- |
//! | `NAME` | the record, as it is: JSON that a person can read, and [`SavedSession::parse`] too; or encrypted |
//! | `NAME.lock` | empty. It stays: removing a lock file would let two in |
//! | `.NAME.PID-N.tmp` | the next record, while somebody holds the lock |
//! | `NAME.aside-N` | what could not be understood |
//! | `NAME.retired-N` | another program's file, whose session was taken up: removed when somebody signs out |
//!
//! # Good to know
//!
//! - It is for a local file system of Linux, macOS or a BSD. One on a network has to know `flock` and an atomic
//!   `rename` on every machine.
//! - A child made by `fork` has a copy of a lock that its parent held. The copy is of no use there: it says [`Lost`],
//!   and dropping it neither frees the parent's lock nor removes its files. A `fork` without `exec` can keep the lock
//!   from ending with a parent that was *killed*; one that gives the lock back does give it back. Nothing is cached,
//!   so a child reads anew.
//! - Operations on files cannot be given up half-way: of the times in [`Store`], only waiting for a lock is
//!   bounded here. A session keeps its own deadlines.
//! - There is nothing to watch: sessions look when they need to.
//!
//! # Encrypted
//!
//! With the feature `encrypted`, `FileStore::encrypted_with(key)` keeps the record under XChaCha20-Poly1305. The key
//! is yours to keep: in the system's key ring, say.
//!
//! [`Busy`]: perennial_core::store::StoreErrorKind::Busy
//! [`Lost`]: perennial_core::store::StoreErrorKind::Lost
//! [`Unusable`]: perennial_core::store::StoreErrorKind::Unusable
//! [`SavedSession::parse`]: perennial_core::SavedSession::parse
//! [`Store`]: perennial_core::store::Store

#[cfg(not(unix))]
compile_error!(
    "perennial-file needs the locks, modes and atomic renames of Unix; on other systems, implement `perennial_core::store::Store` over what the system offers"
);

mod directory;
#[cfg(feature = "encrypted")]
mod encryption;
mod error;
mod file;
mod format;
mod lock;
mod lock_guard;
mod paths;
mod private_file;
mod store;
mod temp_file;

#[cfg(feature = "encrypted")]
pub use self::encryption::Key;
pub use self::error::{FileError, FileErrorKind};
pub use self::private_file::{read_private, write_private};
pub use self::store::FileStore;

/// How many bytes a file may have, encrypted or not: 1 MiB, more than any session takes.
pub const MAX_BYTES: usize = perennial_core::store::MAX_RECORD;
