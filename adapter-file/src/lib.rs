//! Stores OAuth 2 refresh tokens and sessions in a file, shared safely by all programs of one user on one machine:
//! locked, atomic, private, and encrypted if you like.
//!
//! A refresh token that the service rotates may be used once. If two programs send the same one, many services end the
//! session; if a program dies between the service's answer and the end of its write, the new one is lost. This crate is a
//! [`Store`] for a session of `perennial-hyper` or `perennial-blocking` that prevents both. For several machines
//! `perennial-redis` does the same.
//!
//! # Getting started
//!
//! ```
//! use perennial_core::store::{STORE_TIMEOUT, Store};
//! use perennial_core::{Now, SavedSession};
//! use perennial_file::FileStore;
//!
//! # fn example(now: Now) -> Result<(), Box<dyn std::error::Error>> {
//! // ~/.local/state/heater-control/greenhouse.session; or FileStore::new("/some/where")
//! let store = FileStore::default_place("heater-control", "greenhouse")?;
//!
//! // What is saved can be read without a session, a lock or the service:
//! if let Some(record) = store.read(STORE_TIMEOUT)? {
//!     println!("{}", SavedSession::parse(record.as_ref(), now)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Give the store to the builder of a session: `.store(store)`. The session does the rest. Its tokens outlast the program,
//! and all programs that name the same file share one account.
//!
//! # What is guaranteed
//!
//! | | |
//! | --- | --- |
//! | Atomicity | A record is written to a temporary file, synced, renamed over the old one, and the directory is synced. After a crash, a `kill -9` or a failed write the file has the old record or the new one, whole. A write that has returned survives a power cut. |
//! | Locking | A kernel lock (`flock`) on `NAME.lock` excludes other processes, and other stores in the same process. The kernel releases it when its holder dies. Who waits longer than the timeout gets [`Busy`]. |
//! | Space | Taking the lock creates the next temporary file and allocates 32 KiB. So a full or read-only disk is found before a one-use token is sent. |
//! | Permissions | Files have mode 0600 and directories 0700. A file that others may read is tightened when it is read. |
//! | Unsafe files | A symbolic link, a hard link, a pipe, a directory or another user's file in place of the file is [`Unusable`], and so is a directory in which other users may write (a group with the same id as the user counts as the user). Nothing waits for the other end of a pipe. |
//! | Stale files | Temporary files of killed programs hold secrets. The next lock removes them. |
//! | Nothing deleted | A record that cannot be parsed is quarantined: renamed to `NAME.aside-1`, and so on. Another program's file from which a session was imported is retired: renamed to `NAME.retired-1`. A sign-out deletes retired files, because their tokens may still work. |
//! | Encryption | With the feature `encrypted`, `FileStore::encrypted_with(key)` encrypts the record with XChaCha20-Poly1305. Keep the key elsewhere: in the system's key ring, say. |
//! | Secrecy | Buffers that held secrets are wiped. No error or `Debug` output has a part of the record. |
//!
//! # Features and settings
//!
//! | feature | default | |
//! | --- | --- | --- |
//! | `encrypted` | off | `Key` and `FileStore::encrypted_with` |
//!
//! | setting or limit | |
//! | --- | --- |
//! | `FileStore::default_place(app, session)` | `$XDG_STATE_HOME/APP/SESSION.session`, by default `~/.local/state/…`; on macOS `~/Library/Application Support/…`. A name has 1 to 120 bytes |
//! | waiting for a lock | the session's [`LOCK_TIMEOUT`](perennial_core::store::LOCK_TIMEOUT), 40 s; an attempt every 1 to 25 ms |
//! | largest record | [`MAX_BYTES`], 1 MiB; an encrypted file has 70 bytes more |
//! | quarantined and retired files | 1,000 each |
//!
//! # Files
//!
//! | | |
//! | --- | --- |
//! | `NAME` | the record |
//! | `NAME.lock` | the lock file, empty. It is never removed: if it were, two processes could lock two different files |
//! | `.NAME.PID-N.tmp` | the next record, while a process holds the lock |
//! | `NAME.aside-N` | a quarantined record. Never deleted; look at it and delete it |
//! | `NAME.retired-N` | another program's file from which the session was imported. Deleted at a sign-out |
//!
//! # Errors
//!
//! Every error is a [`StoreError`](perennial_core::store::StoreError), which a session reports; it goes on serving valid
//! credentials. All but the first two have a [`FileError`] as their source, with the path and the reason.
//!
//! | kind | when | what to do |
//! | --- | --- | --- |
//! | [`Busy`] | another process held the lock until the timeout | nothing: the session tries again |
//! | [`Lost`] | the lock file or its directory was removed or replaced; or this is a child made by `fork` | nothing: the session locks and reads again |
//! | `Unavailable` | no space or an I/O error; the old record is still there | make room; the session tries again |
//! | `MaybeWritten` | renaming the new file, or syncing the directory, failed | nothing: the session writes again |
//! | [`Unusable`] | missing permissions, a read-only file system, an unsafe file, a wrong key | read the [`FileErrorKind`], and change the path, the permissions or the key |
//! | `Refused` | the record has more than 1 MiB | choose another path |
//!
//! # Limits
//!
//! - It needs a local file system of Linux, macOS or a BSD. A network file system must support `flock` and an atomic
//!   `rename` on every machine.
//! - A child made by `fork` has a copy of a lock that its parent holds. The copy is of no use: its operations are
//!   [`Lost`], and dropping it neither releases the parent's lock nor removes its files. If the parent is *killed*, the
//!   copy of a child that has not called `exec` keeps the lock held. Nothing is cached, so a child reads the current
//!   record.
//! - Operations on files cannot be interrupted. Of the timeouts of [`Store`] only that of a lock counts here; a session
//!   keeps its own deadlines.
//! - There is no change notification: [`Store::watch`] returns `None`, and sessions read when they need to.
//!
//! [`Busy`]: perennial_core::store::StoreErrorKind::Busy
//! [`Lost`]: perennial_core::store::StoreErrorKind::Lost
//! [`Unusable`]: perennial_core::store::StoreErrorKind::Unusable
//! [`Store`]: perennial_core::store::Store
//! [`Store::watch`]: perennial_core::store::Store::watch

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

/// How many bytes a record may have, encrypted or not: 1 MiB, more than any session takes.
pub const MAX_BYTES: usize = perennial_core::store::MAX_RECORD;
