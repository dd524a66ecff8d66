//! Where a session is saved: one cell that can be read, locked and written.
//!
//! A session with a store shares its account with every other session on the same store: in this process, on this
//! machine, or on others. Before it renews it locks the cell and reads it again. If somebody else has renewed
//! meanwhile, it takes that up; else it renews, saves, and gives the lock back. So N processes renew once.
//!
//! A session says what it wants in a [`StoreRequest`]; a [`StoreDriver`] carries that out on any [`Store`]. The adapters do
//! this by themselves. By hand it is one more line of the loop:
//!
//! ```
//! # use perennial_core::store::{StoreDriver, Store};
//! # use perennial_core::{Input, Now, Output, Provider, Session};
//! # fn example<P: Provider>(session: &mut Session<P>, store: impl Store, now: Now) {
//! let mut keeper = StoreDriver::new(store);
//! // …
//! if let Output::Store(op) = session.poll_output() {
//!     session.handle_input(Input::Store(op.id, keeper.execute(op)), now);
//! }
//! # }
//! ```
//!
//! # A store of your own
//!
//! Two methods, and three more for the lock; dropping the lock gives it back. What is kept is text that only a session
//! reads, up to [`MAX_RECORD`] bytes of it; it holds secrets. A database with row locks, for instance, or, here, a cell in memory:
//!
//! ```
//! use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
//! use std::time::Duration;
//!
//! use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
//! use perennial_core::wire::Body;
//!
//! #[derive(Default)]
//! struct Cell {
//!     record: Mutex<Option<Body>>,
//!     aside: Mutex<Vec<Body>>,
//!     busy: Arc<Mutex<bool>>,
//! }
//!
//! struct Held {
//!     cell: Arc<Cell>,
//! }
//!
//! struct Shared(Arc<Cell>);
//!
//! impl Store for Shared {
//!     fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
//!         Ok(self.0.record.lock().unwrap().clone())
//!     }
//!
//!     fn lock(&self, _timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
//!         let mut busy = self.0.busy.lock().unwrap();
//!         if std::mem::replace(&mut *busy, true) {
//!             return Err(StoreErrorKind::Busy.into()); // a better one waits for as long as `within` says
//!         }
//!         Ok(Box::new(Held { cell: Arc::clone(&self.0) }))
//!     }
//! }
//!
//! impl LockGuard for Held {
//!     fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
//!         Ok(self.cell.record.lock().unwrap().clone())
//!     }
//!
//!     fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
//!         *self.cell.record.lock().unwrap() = Some(record.clone()); // whole or not at all
//!         Ok(())
//!     }
//!
//!     fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
//!         let record = self.cell.record.lock().unwrap().take();
//!         self.cell.aside.lock().unwrap().extend(record);
//!         Ok(())
//!     }
//! }
//!
//! impl Drop for Held {
//!     fn drop(&mut self) {
//!         *self.cell.busy.lock().unwrap() = false;
//!     }
//! }
//! ```

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
pub use self::failures::Failures;
pub(crate) use self::failures::{LoginAnswer, LoginDigest, LoginFailure, Refusal};
pub use self::meta::RecordMeta;
pub use self::record::{Record, RecordState};
pub use self::saved::SavedSession;
pub use self::stamp::WriteStamp;
pub use crate::error::{StoreError, StoreErrorKind};
use crate::wire::Body;

/// The largest record that a session reads, and more than it writes, in bytes: six tokens of
/// [`MAX_TOKEN`](crate::credentials::MAX_TOKEN) in which every character has to be escaped, and what is kept beside them.
pub const MAX_RECORD: usize = 1024 * 1024;

/// The time that one operation of a store may take, waiting for a lock apart.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a session waits for a lock: longer than another one holds it, unless something is wrong.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(40);

/// A cell that several sessions share. Its calls block; the adapters keep them off async threads.
pub trait Store: Send + Sync + 'static {
    /// What is there now: the last record that was written whole. `None`: nothing was ever written.
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError>;

    /// Locks the cell against every other session on it, in any process. Waits no longer than `timeout`.
    ///
    /// A lock that ends by itself is asked for `ttl`: long enough to renew and to save.
    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError>;

    /// Calls `changed` from now on when another session has written, or may have: too often is fine. Dropping what
    /// this returns ends that. Does not block. `None` where a store cannot tell: sessions then look when they need to.
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

/// Tells a session to look at its store.
pub type ChangeCallback = Arc<dyn Fn() + Send + Sync>;

/// Something that goes on until it is dropped.
pub type WatchGuard = Box<dyn Any + Send>;

/// The cell, while it is locked. Dropping this gives the lock back.
pub trait LockGuard: Send {
    /// For how long the lock is ours, counted from the call of [`Store::lock`]. `None`: until it is given back.
    fn remaining(&self) -> Option<Duration> {
        None
    }

    /// What is there now, read under the lock.
    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError>;

    /// Replaces what is there: the old record or the new one is read afterwards, by whomever and whatever happens.
    /// When this returns, the new one outlasts a crash. Refused with [`StoreErrorKind::Lost`] where the lock is no
    /// longer ours.
    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError>;

    /// Moves what is there to where nobody reads or deletes it, because it cannot be understood or is of another
    /// program. Afterwards there is nothing.
    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError>;

    /// As [`quarantine`](Self::quarantine), for the file of another program whose session was taken up: it is there for
    /// that program until somebody signs out ([`clear`](Self::clear)). By default it is set aside like all else, and
    /// stays.
    fn retire(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.quarantine(timeout)
    }

    /// As [`write`](Self::write), where somebody has signed out: what was [retired](Self::retire) here is removed first,
    /// since its tokens may still work. What was set aside stays.
    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.write(record, timeout)
    }
}

/// Names an operation; its answer comes back under this name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// What a session asks of its store. Operations are carried out one after another, in this order.
#[derive(Clone, Debug)]
pub struct StoreRequest {
    /// Its name.
    pub id: OpId,
    /// What to do.
    pub command: StoreCommand,
    /// How long it may take. The session keeps this deadline too, with a bit to spare.
    pub timeout: Duration,
}

/// What to do with a store.
#[derive(Clone, Debug)]
pub enum StoreCommand {
    /// Read without a lock.
    Read,
    /// Lock, then read.
    Lock {
        /// For so long.
        ttl: Duration,
    },
    /// Write under this lock.
    Write {
        /// The operation that locked.
        lock: OpId,
        /// What to write.
        record: Body,
    },
    /// Write under this lock that somebody has signed out, and remove what was retired.
    Clear {
        /// The operation that locked.
        lock: OpId,
        /// What to write.
        record: Body,
    },
    /// Set aside under this lock what is there.
    Quarantine {
        /// The operation that locked.
        lock: OpId,
    },
    /// Set aside under this lock the file of another program, until somebody signs out.
    Retire {
        /// The operation that locked.
        lock: OpId,
    },
    /// Give this lock back.
    Unlock {
        /// The operation that locked.
        lock: OpId,
    },
}

/// What a store answers.
#[derive(Clone, Debug)]
pub enum StoreReply {
    /// What was read.
    Read(Option<Body>),
    /// Locked, and read.
    Locked {
        /// What was read.
        record: Option<Body>,
        /// For how long the lock is held, from the moment at which it was asked for. `None`: until it is given back.
        remaining: Option<Duration>,
    },
    /// Written, set aside, given back.
    Done,
}
