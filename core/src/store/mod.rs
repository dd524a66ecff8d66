//! Stores: where a session is saved and shared with other processes. A store holds one record, which can be read,
//! locked and written.
//!
//! Sessions on the same store share one account, whether they are in this process, on this machine or on others. Before
//! a session renews, it locks the record and reads it again. If another session has renewed meanwhile, it adopts those
//! credentials. Otherwise it renews, writes the new record and releases the lock. So N processes renew once.
//!
//! A session asks for an operation by a [`StoreRequest`]; a [`StoreDriver`] carries it out on any [`Store`]. The
//! adapters do this by themselves. If you drive a session yourself, it is one more branch of the loop:
//!
//! ```
//! # use perennial_core::store::{StoreDriver, Store};
//! # use perennial_core::{Input, Now, Output, Provider, Session};
//! # fn example<P: Provider>(session: &mut Session<P>, store: impl Store, now: Now) {
//! let mut driver = StoreDriver::new(store);
//! // …
//! if let Output::Store(request) = session.poll_output() {
//!     session.handle_input(Input::Store(request.id, driver.execute(request)), now);
//! }
//! # }
//! ```
//!
//! # A store of your own
//!
//! A [`Store`] has two methods, and its lock three more; dropping the lock releases it. A record is opaque text of up
//! to [`MAX_RECORD`] bytes, which holds secrets. A database with row locks makes a store. This one is in memory:
//!
//! ```
//! use std::sync::{Arc, Condvar, Mutex};
//! use std::time::Duration;
//!
//! use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
//! use perennial_core::wire::Body;
//!
//! #[derive(Default)]
//! struct Row {
//!     record: Mutex<Option<Body>>,
//!     quarantined: Mutex<Vec<Body>>,
//!     locked: Mutex<bool>,
//!     released: Condvar,
//! }
//!
//! struct Lock(Arc<Row>);
//!
//! struct Shared(Arc<Row>);
//!
//! impl Store for Shared {
//!     fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
//!         Ok(self.0.record.lock().unwrap().clone())
//!     }
//!
//!     fn lock(&self, timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
//!         let locked = self.0.locked.lock().unwrap();
//!         let (mut locked, _) = self.0.released.wait_timeout_while(locked, timeout, |locked| *locked).unwrap();
//!         if std::mem::replace(&mut *locked, true) {
//!             return Err(StoreErrorKind::Busy.into());
//!         }
//!         Ok(Box::new(Lock(Arc::clone(&self.0))))
//!     }
//! }
//!
//! impl LockGuard for Lock {
//!     fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
//!         Ok(self.0.record.lock().unwrap().clone())
//!     }
//!
//!     fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
//!         *self.0.record.lock().unwrap() = Some(record.clone()); // the whole record, or nothing
//!         Ok(())
//!     }
//!
//!     // A record that cannot be read is moved away and never deleted: it may be another program's.
//!     fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
//!         let record = self.0.record.lock().unwrap().take();
//!         self.0.quarantined.lock().unwrap().extend(record);
//!         Ok(())
//!     }
//! }
//!
//! impl Drop for Lock {
//!     fn drop(&mut self) {
//!         *self.0.locked.lock().unwrap() = false;
//!         self.0.released.notify_one();
//!     }
//! }
//! ```
//!
//! What a store has to do stands with each method, and `perennial_testing::conformance::store` tests it: `cargo test`
//! then names what your store does not do, and why sessions rely on it. The stores of Perennial run the same cases.
//! They do not test what differs from store to store, and matters as much: that a write survives a crash, that nobody
//! else can read the record, and what happens while a disk is full or a server cannot be reached.

mod driver;
mod failures;
mod form;
mod meta;
mod record;
mod saved;
mod stamp;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

pub use self::driver::StoreDriver;
pub(crate) use self::failures::{Failures, LoginAnswer, LoginDigest, LoginFailure, Refusal};
pub(crate) use self::meta::RecordMeta;
pub use self::record::{Record, RecordState};
pub use self::saved::SavedSession;
pub(crate) use self::stamp::WriteStamp;
#[doc(no_inline)]
pub use crate::error::{StoreError, StoreErrorKind};
use crate::wire::Body;

/// The largest record that a session reads, in bytes: 1 MiB. It writes less: six tokens of
/// [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) with every character escaped, and the other fields.
pub const MAX_RECORD: usize = 1024 * 1024;

/// The timeout of one operation of a store, without waiting for a lock: 5 seconds.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a session waits for another one to release the lock: 40 seconds, longer than any session holds it unless
/// something is wrong. [`STORE_TIMEOUT`] is added for the operation itself, so that a [`StoreCommand::Lock`] has a
/// timeout of 45 seconds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(40);

/// One record that several sessions share, in a file, a database or memory. Its calls block; the adapters keep them off
/// async threads.
///
/// Several stores may be opened on one record, in this process and in others: each reads what any of them wrote.
/// `perennial_testing::conformance::store` tests what is said here, for a store of your own.
///
/// Every timeout up to [`Duration::MAX`] has to be accepted. With a timeout of zero an operation may fail with
/// [`StoreErrorKind::Unavailable`] before it has tried. No error and no `Debug` output may show a part of a record.
pub trait Store: Send + Sync + 'static {
    /// The last record that was written completely, byte by byte; an empty one is a record, too. `None` where none was
    /// ever written, or the last one was moved away. Does not wait for the lock.
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError>;

    /// Locks the record against every other session on it, in any process, and against this one. Waits until the lock
    /// is released or expires, for at most `timeout`; then fails with [`StoreErrorKind::Busy`].
    ///
    /// A lock that expires by itself is requested for `ttl`, which is long enough to renew and write. A store may keep
    /// it for less, but must not let another one have it before [`LockGuard::remaining`] has passed.
    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError>;

    /// Calls `changed` from now on whenever another session has written, cleared or moved the record away, or may have;
    /// needless calls do no harm. By the time of the call the change can be read. `changed` may read the store and drop
    /// its own watch, so it must not be called under a lock that these need.
    ///
    /// Dropping the returned guard ends that and frees `changed`; a call that is under way may still come. Must not
    /// block. `None` where a store cannot notify: sessions then read when they need to.
    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        drop(changed);
        None
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        (**self).read(timeout)
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        (**self).lock(timeout, ttl)
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        (**self).watch(changed)
    }
}

/// Called when a store's record may have changed: the session then reads it.
pub type ChangeCallback = Arc<dyn Fn() + Send + Sync>;

/// Keeps a [`Store::watch`] going until it is dropped.
pub type WatchGuard = Box<dyn Any + Send>;

/// The lock on a store's record. Dropping it releases the lock, on any thread and while one panics: then the next one can
/// have it.
///
/// Where the lock is no longer held, because it has expired or was taken away, every operation fails with
/// [`StoreErrorKind::Lost`] and changes nothing, also if nobody holds the lock by now. Dropping such a guard does not
/// release the lock of another one.
pub trait LockGuard: Send {
    /// How long the lock is certainly held, counted from the call of [`Store::lock`]: for a lock that expires by
    /// itself, the time that the call had waited when it requested the lock, plus the lock's time to live. `None`,
    /// which is the default: it is held until it is released.
    fn remaining(&self) -> Option<Duration> {
        None
    }

    /// The record, read under the lock: what was written under it before, too.
    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError>;

    /// Replaces the record atomically: whatever happens, every reader sees the old record or the new one. Once this has
    /// returned, every store reads the new one, and it survives a crash. A record has up to [`MAX_RECORD`] bytes.
    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError>;

    /// Moves the record to where nothing reads or deletes it, because it cannot be read or is another program's; each
    /// to a place of its own. The store is empty afterwards, and still locked. Without a record nothing happens.
    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError>;

    /// As [`quarantine`](Self::quarantine), for a file of another program whose session was imported. It is kept until
    /// somebody signs out ([`clear`](Self::clear)), since its tokens may still work. By default it is quarantined, and
    /// stays.
    fn retire(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.quarantine(timeout)
    }

    /// As [`write`](Self::write), for the record of a sign-out: first removes what was [retired](Self::retire), since
    /// its tokens may still work. What was quarantined stays. By default it writes.
    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.write(record, timeout)
    }
}

/// The number of an operation, under which its result is handed back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// An operation that a session asks of its store. Carry operations out one after another, in the order they come.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    /// The operation's number.
    pub id: OpId,
    /// What to do.
    pub command: StoreCommand,
    /// How long it may take. The session waits for the result one second longer, then goes on without it.
    pub timeout: Duration,
}

/// A command to a store.
#[derive(Clone, Debug)]
pub enum StoreCommand {
    /// Read without a lock.
    Read,
    /// Lock, then read.
    Lock {
        /// For how long to lock, if the lock expires by itself.
        ttl: Duration,
    },
    /// Write a record under the lock: [`LockGuard::write`].
    Write {
        /// The operation that locked.
        lock: OpId,
        /// The new record.
        record: Body,
    },
    /// Write the record of a sign-out under the lock, and remove what was retired: [`LockGuard::clear`].
    Clear {
        /// The operation that locked.
        lock: OpId,
        /// The new record.
        record: Body,
    },
    /// Move the record away under the lock, for good: [`LockGuard::quarantine`].
    Quarantine {
        /// The operation that locked.
        lock: OpId,
    },
    /// Move another program's file away under the lock, until somebody signs out: [`LockGuard::retire`].
    Retire {
        /// The operation that locked.
        lock: OpId,
    },
    /// Release the lock.
    Unlock {
        /// The operation that locked.
        lock: OpId,
    },
}

/// The result of a [`StoreCommand`] that succeeded.
#[derive(Clone, Debug)]
pub enum StoreReply {
    /// The record that was read; `None` where there is none.
    Read(Option<Body>),
    /// The store is locked.
    Locked {
        /// The record, read under the lock.
        record: Option<Body>,
        /// How long the lock is held, counted from when it was requested. `None` where it is held until it is released.
        remaining: Option<Duration>,
    },
    /// Written, moved away or released.
    Done,
}
