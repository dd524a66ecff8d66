//! What the cases share: short ways to lock, read and write, each with an error that says what failed.

use std::error::Error;
use std::panic;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;

use super::StoreUnderTest;
use crate::conformance::case::does_not_apply;

/// A time to live that no lock reaches within a case: an hour.
pub(super) const TTL: Duration = Duration::from_secs(3600);

/// A time to live that a case waits for.
pub(super) const SHORT_TTL: Duration = Duration::from_millis(50);

/// The timeouts of a lock that must not succeed. The next one is taken if the store was not reached in time.
const BUSY_TIMEOUTS: [Duration; 3] =
    [Duration::from_millis(60), Duration::from_millis(600), Duration::from_millis(6000)];

pub(super) fn body(text: impl Into<Vec<u8>>) -> Body {
    Body::from(text.into())
}

/// The record that was read, as text where it is text.
#[track_caller]
pub(super) fn text(read: Result<Option<Body>, StoreError>) -> Option<String> {
    let record = read.unwrap_or_else(|error| panic!("`read` fails: {}", shown(&error)));
    record.map(|record| String::from_utf8_lossy(record.as_ref()).into_owned())
}

/// Asserts that this record was found, where that one is expected.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "callers read it for this alone")]
pub(super) fn expect_record(when: &str, found: Option<String>, expected: Option<&str>) {
    let brief = |record: Option<&str>| match record {
        None => "no record".into(),
        Some(record) if record.len() > 60 => format!("one of {} bytes", record.len()),
        Some(record) => format!("{record:?}"),
    };
    let found = found.as_deref();
    assert!(found == expected, "{when}: {} is found, and not {}", brief(found), brief(expected));
}

/// Waits for these threads, and goes on with the panic of the first that panicked.
pub(super) fn all_of(threads: Vec<ScopedJoinHandle<'_, ()>>) {
    for thread in threads {
        thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
    }
}

/// Asserts that the operation succeeded.
#[track_caller]
pub(super) fn done(what: &str, outcome: Result<(), StoreError>) {
    outcome.unwrap_or_else(|error| panic!("`{what}` fails: {}", shown(&error)));
}

/// Asserts that the operation failed with `Lost`.
#[track_caller]
pub(super) fn assert_lost<T>(what: &str, outcome: Result<T, StoreError>) {
    match outcome {
        Ok(_) => panic!("`{what}` succeeds under a lock that was lost"),
        Err(error) if error.kind() == StoreErrorKind::Lost => {}
        Err(error) => panic!("`{what}` under a lock that was lost is not `Lost`: {}", shown(&error)),
    }
}

/// The error's kind and its sources.
pub(super) fn shown(error: &StoreError) -> String {
    let mut text = format!("{:?}", error.kind());
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// A watch, and what its callback read at each call.
pub(super) struct Watching {
    pub(super) guard: WatchGuard,
    pub(super) changes: Receiver<Result<Option<Body>, StoreError>>,
}

/// What a case does with the store under test.
pub(super) trait Rig: StoreUnderTest {
    /// Locks by another store, for long.
    #[track_caller]
    fn lock(&self) -> Box<dyn LockGuard> {
        self.lock_for(TTL)
    }

    #[track_caller]
    fn lock_for(&self, ttl: Duration) -> Box<dyn LockGuard> {
        let lock = self.open().lock(self.patience(), ttl);
        lock.unwrap_or_else(|error| panic!("`lock` fails although nobody holds the lock: {}", shown(&error)))
    }

    /// Locks and writes by another store.
    #[track_caller]
    fn write(&self, record: &str) {
        done("write", self.lock().write(&body(record), self.patience()));
    }

    /// Reads by another store, without the lock.
    #[track_caller]
    fn read(&self) -> Option<String> {
        text(self.open().read(self.patience()))
    }

    /// Asserts that another store does not get the lock.
    #[track_caller]
    fn assert_held(&self) {
        for timeout in self.busy_timeouts() {
            if self.refused(timeout).kind() == StoreErrorKind::Busy {
                return;
            }
        }
        // It was not reached in time, which one case alone is about: nobody got the lock all the same.
    }

    /// [`BUSY_TIMEOUTS`]: the first one, and those that are far below the patience.
    fn busy_timeouts(&self) -> Vec<Duration> {
        let longest = self.patience() / 10;
        let [first, more @ ..] = BUSY_TIMEOUTS;
        [first].into_iter().chain(more.into_iter().filter(|timeout| *timeout <= longest)).collect()
    }

    /// Asserts that another store does not get the lock, and that it is told so in time. Returns what it is told: that
    /// the lock is busy, or that the store was not reached.
    #[track_caller]
    fn refused(&self, timeout: Duration) -> StoreError {
        let (store, (answer, answers)) = (self.open(), mpsc::channel());
        thread::spawn(move || {
            let _ = answer.send(store.lock(timeout, TTL));
        });
        match answers.recv_timeout(self.patience()) {
            Ok(Ok(_)) => panic!("a second store gets the lock that another one holds"),
            Ok(Err(error)) => match error.kind() {
                StoreErrorKind::Busy | StoreErrorKind::Unavailable | StoreErrorKind::TimedOut => error,
                _ => panic!("`lock` is not `Busy` while another holds the lock: {}", shown(&error)),
            },
            Err(RecvTimeoutError::Timeout) => {
                panic!("`lock` with a timeout of {timeout:?} has not ended after {:?}", self.patience());
            }
            Err(RecvTimeoutError::Disconnected) => panic!("`lock` panics while another holds the lock"),
        }
    }

    /// A lock that was lost, while nobody holds it. `None` where none can be.
    fn lost_lock(&self) -> Option<Box<dyn LockGuard>> {
        if self.locks_expire() {
            let lost = self.lock_for(SHORT_TTL);
            drop(self.lock()); // waits for the expiry
            return Some(lost);
        }
        let held = self.lock();
        if self.break_lock() {
            return Some(held);
        }
        does_not_apply("no lock can be lost");
        None
    }

    /// Watches. `None` where the store says that it does not.
    #[track_caller]
    fn watch(&self) -> Option<Watching> {
        let (store, (sender, changes)) = (Arc::new(self.open()), mpsc::channel());
        let (reader, patience) = (Arc::clone(&store), self.patience());
        let guard = store.watch(Arc::new(move || {
            let _ = sender.send(reader.read(patience));
        }));
        match (guard, self.notifies()) {
            (Some(guard), true) => Some(Watching { guard, changes }),
            (None, false) => {
                does_not_apply("it does not notify");
                None
            }
            (Some(_), false) => panic!("`watch` returns a guard, but `StoreUnderTest::notifies` is false"),
            (None, true) => panic!("`watch` returns None, but `StoreUnderTest::notifies` is true"),
        }
    }

    /// Waits for a call that reads this record.
    #[track_caller]
    fn expect_change(&self, watching: &Watching, what: &str, record: Option<&str>) {
        let started = Instant::now();
        loop {
            let left = self.patience().saturating_sub(started.elapsed());
            let Ok(read) = watching.changes.recv_timeout(left) else {
                panic!("`{what}` of another store can be read at no call within {:?}", self.patience());
            };
            if text(read).as_deref() == record {
                return;
            }
        }
    }
}

impl<S: StoreUnderTest> Rig for S {}
