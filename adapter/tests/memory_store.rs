//! The store in memory, and the driver that carries out a session's operations on it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use perennial_adapter::MemoryStore;
use perennial_core::store::{
    ChangeCallback, LockGuard, OpId, STORE_TIMEOUT, Store, StoreCommand, StoreDriver, StoreError, StoreErrorKind,
    StoreReply, StoreRequest,
};
use perennial_core::wire::Body;
use perennial_testing::conformance::store::StoreUnderTest;

#[derive(Default)]
struct UnderTest(MemoryStore);

impl StoreUnderTest for UnderTest {
    type Store = MemoryStore;

    fn open(&self) -> MemoryStore {
        self.0.clone()
    }

    fn locks_expire(&self) -> bool {
        false
    }

    fn notifies(&self) -> bool {
        true
    }

    fn quarantined(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.0.aside().iter().map(|record| record.as_ref().to_vec()).collect())
    }

    fn retired(&self) -> Option<Vec<Vec<u8>>> {
        Some(self.0.retired().iter().map(|record| record.as_ref().to_vec()).collect())
    }

    fn debug(&self, store: &MemoryStore) -> Option<String> {
        Some(format!("{store:?}"))
    }
}

mod conformance {
    perennial_testing::store_conformance!(super::UnderTest::default);
}

const LEASE: Duration = Duration::from_secs(60);

fn body(text: &str) -> Body {
    Body::from(text.as_bytes().to_vec())
}

fn text(record: Result<Option<Body>, StoreError>) -> Option<String> {
    record.unwrap().map(|body| String::from_utf8(body.as_ref().to_vec()).unwrap())
}

fn kind<T>(result: Result<T, StoreError>) -> Option<StoreErrorKind> {
    result.err().map(|error| error.kind())
}

/// Counts its calls.
fn counter() -> (Arc<AtomicU32>, ChangeCallback) {
    let count = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&count);
    let changed = move || {
        counts.fetch_add(1, Ordering::SeqCst);
    };
    (count, Arc::new(changed))
}

#[test]
fn clones_share_one_record_and_only_one_holds_its_lock() {
    let store = MemoryStore::new();
    let other = store.clone();
    assert_eq!(text(store.read(STORE_TIMEOUT)), None);
    let mut lock = store.lock(Duration::ZERO, LEASE).unwrap();
    assert!(lock.remaining().is_none(), "it is held until it is given back");
    assert_eq!(kind(other.lock(Duration::ZERO, LEASE)), Some(StoreErrorKind::Busy));
    assert_eq!(text(lock.read(STORE_TIMEOUT)), None);
    lock.write(&body("one"), STORE_TIMEOUT).unwrap();
    assert_eq!(text(lock.read(STORE_TIMEOUT)).unwrap(), "one");
    assert_eq!(text(other.read(STORE_TIMEOUT)).unwrap(), "one");
    drop(lock);
    assert!(other.lock(Duration::ZERO, LEASE).is_ok());
}

#[test]
fn each_watcher_is_called_at_every_write_until_it_is_dropped() {
    let store = MemoryStore::new();
    let ((one, tell_one), (two, tell_two)) = (counter(), counter());
    let (first, second) = (store.watch(tell_one).unwrap(), Arc::new(store.clone()).watch(tell_two).unwrap());
    let mut lock = store.lock(Duration::ZERO, LEASE).unwrap();
    lock.write(&body("x"), STORE_TIMEOUT).unwrap();
    drop(first);
    lock.write(&body("y"), STORE_TIMEOUT).unwrap();
    drop(second);
    lock.write(&body("z"), STORE_TIMEOUT).unwrap();
    assert_eq!((one.load(Ordering::SeqCst), two.load(Ordering::SeqCst)), (1, 2));
}

/// A store with the required methods alone.
struct Bare;

struct BareLock;

impl Store for Bare {
    fn read(&self, _: Duration) -> Result<Option<Body>, StoreError> {
        Ok(Some(body("bare")))
    }

    fn lock(&self, _: Duration, _: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        Ok(Box::new(BareLock))
    }
}

impl LockGuard for BareLock {
    fn read(&mut self, _: Duration) -> Result<Option<Body>, StoreError> {
        Ok(None)
    }

    fn write(&mut self, _: &Body, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    fn quarantine(&mut self, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn a_store_need_not_notify_and_its_locks_need_not_expire() {
    let store = Arc::new(Bare);
    assert!(store.watch(counter().1).is_none());
    assert_eq!(text(store.read(STORE_TIMEOUT)).unwrap(), "bare");
    assert!(store.lock(Duration::ZERO, LEASE).unwrap().remaining().is_none());
}

fn op(id: u64, command: StoreCommand) -> StoreRequest {
    StoreRequest { id: OpId(id), command, timeout: Duration::ZERO }
}

#[test]
fn a_driver_works_under_the_named_lock_alone() {
    let store = MemoryStore::new();
    let mut driver = StoreDriver::new(store.clone());
    let write = |lock| op(9, StoreCommand::Write { lock: OpId(lock), record: body("mine") });
    assert_eq!(kind(driver.execute(write(1))), Some(StoreErrorKind::Lost));
    let locked = driver.execute(op(1, StoreCommand::Lock { ttl: LEASE }));
    assert!(matches!(locked, Ok(StoreReply::Locked { record: None, remaining: None })));
    assert_eq!(format!("{driver:?}"), "StoreDriver { held: Some(OpId(1)), .. }");
    assert_eq!(kind(driver.execute(write(2))), Some(StoreErrorKind::Lost));
    assert!(matches!(driver.execute(write(1)), Ok(StoreReply::Done)));
    // Unlocking by the number of another operation releases nothing.
    assert!(driver.execute(op(3, StoreCommand::Unlock { lock: OpId(2) })).is_ok());
    assert_eq!(kind(store.lock(Duration::ZERO, LEASE)), Some(StoreErrorKind::Busy));
    let aside = StoreCommand::Quarantine { lock: OpId(2) };
    assert_eq!(kind(driver.execute(op(4, aside))), Some(StoreErrorKind::Lost));
    assert!(matches!(driver.execute(op(5, StoreCommand::Quarantine { lock: OpId(1) })), Ok(StoreReply::Done)));
    assert_eq!(store.aside().len(), 1);
    assert!(driver.execute(op(6, StoreCommand::Unlock { lock: OpId(1) })).is_ok());
    assert!(store.lock(Duration::ZERO, LEASE).is_ok());
    assert!(matches!(driver.execute(op(7, StoreCommand::Read)), Ok(StoreReply::Read(None))));
}

#[test]
fn a_store_may_quarantine_what_is_retired() {
    /// The calls that it got.
    struct Told(Arc<std::sync::Mutex<Vec<&'static str>>>);
    impl LockGuard for Told {
        fn read(&mut self, _: Duration) -> Result<Option<Body>, StoreError> {
            Ok(None)
        }
        fn write(&mut self, _: &Body, _: Duration) -> Result<(), StoreError> {
            self.0.lock().unwrap().push("write");
            Ok(())
        }
        fn quarantine(&mut self, _: Duration) -> Result<(), StoreError> {
            self.0.lock().unwrap().push("set aside");
            Ok(())
        }
    }
    let asked = Arc::default();
    let mut told = Told(Arc::clone(&asked));
    told.retire(LEASE).unwrap();
    told.clear(&body("signed out"), LEASE).unwrap();
    assert_eq!(*asked.lock().unwrap(), ["set aside", "write"]);
}

#[test]
fn a_driver_releases_a_lock_before_it_requests_another() {
    let mut driver = StoreDriver::new(MemoryStore::new());
    for id in 1..3 {
        assert!(driver.execute(op(id, StoreCommand::Lock { ttl: LEASE })).is_ok());
    }
}
