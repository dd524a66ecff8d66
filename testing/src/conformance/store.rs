//! What every [`Store`] has to do, as cases that have a name and a reason: run them on a store of your own.
//!
//! Say how to open stores on one record, and what the store promises ([`StoreUnderTest`]);
//! [`store_conformance!`](crate::store_conformance) makes a `#[test]` of each case, so that `cargo test` names those
//! that fail:
//!
//! ```
//! use std::sync::{Arc, Condvar, Mutex};
//! use std::time::Duration;
//!
//! use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
//! use perennial_core::wire::Body;
//! use perennial_testing::conformance::store::{self, StoreUnderTest};
//!
//! // The store: a row that the stores of one program share.
//! #[derive(Default)]
//! struct Row {
//!     record: Mutex<Option<Body>>,
//!     quarantined: Mutex<Vec<Body>>,
//!     locked: Mutex<bool>,
//!     released: Condvar,
//! }
//!
//! struct RowStore(Arc<Row>);
//!
//! struct RowLock(Arc<Row>);
//!
//! impl Store for RowStore {
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
//!         Ok(Box::new(RowLock(Arc::clone(&self.0))))
//!     }
//! }
//!
//! impl LockGuard for RowLock {
//!     fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
//!         Ok(self.0.record.lock().unwrap().clone())
//!     }
//!
//!     fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
//!         *self.0.record.lock().unwrap() = Some(record.clone());
//!         Ok(())
//!     }
//!
//!     fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
//!         let record = self.0.record.lock().unwrap().take();
//!         self.0.quarantined.lock().unwrap().extend(record);
//!         Ok(())
//!     }
//! }
//!
//! impl Drop for RowLock {
//!     fn drop(&mut self) {
//!         *self.0.locked.lock().unwrap() = false;
//!         self.0.released.notify_one();
//!     }
//! }
//!
//! // Its test: a fresh row for each case.
//! #[derive(Default)]
//! struct FreshRow(Arc<Row>);
//!
//! impl StoreUnderTest for FreshRow {
//!     type Store = RowStore;
//!
//!     fn open(&self) -> RowStore {
//!         RowStore(Arc::clone(&self.0))
//!     }
//!
//!     fn locks_expire(&self) -> bool {
//!         false
//!     }
//!
//!     fn notifies(&self) -> bool {
//!         false
//!     }
//!
//!     fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
//!         Some(self.0.quarantined.lock().unwrap().iter().map(|record| record.as_ref().to_vec()).collect())
//!     }
//! }
//!
//! # mod conformance {
//! # use super::FreshRow;
//! perennial_testing::store_conformance!(FreshRow::default);
//! # }
//! # fn main() {
//!
//! // Or all in one test:
//! store::check(FreshRow::default);
//! # }
//! ```
//!
//! [`check`] runs all cases and panics with every one that failed, [`failures`] returns them, and [`run`] runs one. The
//! cases are in [`CASES`].
//!
//! # How it tests
//!
//! - Each case has a fresh store, and several stores opened on it, as several processes have.
//! - No case sleeps or depends on how fast a thread runs. What has to happen is awaited for as long as
//!   [`StoreUnderTest::patience`]; what must not succeed is tried with 60 ms, and with ten times as much where the store
//!   was not reached in that time. A case that hangs fails after ten times the patience.
//! - A case that a store does not promise (an expiry, a notification) passes, and prints that it does not apply.
//! - Nothing is tested of a crash in the middle of a write, of durability, of the network or of permissions: what can
//!   fail there differs from store to store. Nor is a timeout of zero, at which a store may fail before it has tried.
//!   Nor is a record above [`MAX_RECORD`](perennial_core::store::MAX_RECORD), which no session writes.

#[macro_use]
mod list;
mod expiry;
mod locks;
mod moves;
mod records;
mod rig;
mod secrecy;
mod watches;

use std::time::Duration;

use perennial_core::store::Store;

pub use super::case::{Case, Failure};
use super::case::{expect_passed, report};

/// A store that is tested: how to open it, and what it promises. One value is one record, empty at first: a row, a key,
/// a file in a directory of its own. Dropping it may remove that.
pub trait StoreUnderTest: Send + Sync + 'static {
    /// The store.
    type Store: Store;

    /// Opens one more store on the same record, as another process would.
    fn open(&self) -> Self::Store;

    /// Whether a lock expires after its time to live, although nobody released it. Then
    /// [`remaining`](perennial_core::store::LockGuard::remaining) has to be told, and otherwise not.
    fn locks_expire(&self) -> bool;

    /// Whether [`Store::watch`] watches, or returns `None`.
    fn notifies(&self) -> bool;

    /// The records that were quarantined and are still there, in any order. `None` (the default) where nobody can look.
    fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
        None
    }

    /// The records that were retired and are still there, in any order. `None` (the default) where nobody can look, or
    /// where retired records are quarantined.
    fn retired(&self) -> Option<Vec<Vec<u8>>> {
        None
    }

    /// Takes the lock away from whoever holds it, as an accident would: somebody removes the lock's file, say. `false`
    /// (the default) where that cannot be done. It is not called where locks expire.
    fn break_lock(&self) -> bool {
        false
    }

    /// What `{:?}` shows of a store. `None` (the default) where it has no `Debug`.
    fn debug(&self, store: &Self::Store) -> Option<String> {
        let _ = store;
        None
    }

    /// Why this store cannot be tested here: its server is not installed, say. Each case then passes, and prints it.
    fn skipped(&self) -> Option<String> {
        None
    }

    /// How long whatever has to happen may take, and the timeout of each call that has to succeed: 60 s by default.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

store_cases!(@all table);

/// Runs all cases, each on a store of its own, and panics with those that failed.
///
/// # Panics
///
/// With the name of each case that failed, what the store did, and why it matters.
#[track_caller]
pub fn check<S: StoreUnderTest>(make: impl Fn() -> S) {
    report(&failures(make), CASES.len());
}

/// Runs all cases, each on a store of its own, and returns those that failed.
pub fn failures<S: StoreUnderTest>(make: impl Fn() -> S) -> Vec<Failure> {
    CASES.iter().filter_map(|case| outcome(*case, make()).err()).collect()
}

/// Runs the case of this name. [`store_conformance!`](crate::store_conformance) makes a test of each.
///
/// # Panics
///
/// With what the store did and why it matters, if the case fails; or if none has this name.
#[track_caller]
pub fn run<S: StoreUnderTest>(name: &str, make: impl FnOnce() -> S) {
    expect_passed(outcome(Case::named(name, CASES), make()));
}

/// Runs a case in a thread of its own, so that one that hangs fails too.
fn outcome<S: StoreUnderTest>(case: Case, store: S) -> Result<(), Failure> {
    if let Some(why) = store.skipped() {
        eprintln!("SKIPPED: {}: {why}", case.name);
        return Ok(());
    }
    let test = test_of::<S>(case.name).ok_or_else(|| case.failure("it has no test"))?;
    case.outcome(10 * store.patience(), move || test(&store))
}
