//! A store that tells what goes through it, and that can be made to say "somebody may have written".

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use perennial_adapter::{Clock, SystemClock};
use perennial_core::SavedSession;
use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, WatchGuard};
use perennial_core::wire::Body;
use perennial_tests::tenant::{Mark, News};

use crate::say::tell;

/// Makes the session look into its store.
#[derive(Clone, Default)]
pub(crate) struct Nudge(Arc<Mutex<Option<ChangeCallback>>>);

impl Nudge {
    pub(crate) fn nudge(&self) {
        let changed = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(changed) = changed {
            changed();
        }
    }
}

pub(crate) struct LookedOver {
    cell: usize,
    store: Arc<dyn Store>,
    nudge: Nudge,
}

impl LookedOver {
    pub(crate) fn new(cell: usize, store: Arc<dyn Store>, nudge: Nudge) -> Self {
        Self { cell, store, nudge }
    }
}

impl Store for LookedOver {
    fn read(&self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        let record = self.store.read(timeout)?;
        check(self.cell, record.as_ref());
        Ok(record)
    }

    fn lock(&self, timeout: Duration, ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        Ok(Box::new(Lock { cell: self.cell, lock: self.store.lock(timeout, ttl)? }))
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        *self.nudge.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&changed));
        Some(Box::new(self.store.watch(changed)))
    }
}

struct Lock {
    cell: usize,
    lock: Box<dyn LockGuard>,
}

impl LockGuard for Lock {
    fn remaining(&self) -> Option<Duration> {
        self.lock.remaining()
    }

    fn read(&mut self, timeout: Duration) -> Result<Option<Body>, StoreError> {
        let record = self.lock.read(timeout)?;
        check(self.cell, record.as_ref());
        tell(self.cell, News::Locked(mark(record.as_ref())));
        Ok(record)
    }

    fn write(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        tell(self.cell, News::Writes(mark(Some(record))));
        self.lock.write(record, timeout)
    }

    fn quarantine(&mut self, timeout: Duration) -> Result<(), StoreError> {
        self.lock.quarantine(timeout)
    }
}

fn mark(record: Option<&Body>) -> Mark {
    Mark::of(record.map(AsRef::as_ref))
}

/// Nobody signs out here: whatever is found is a session, whole.
fn check(cell: usize, record: Option<&Body>) {
    let torn = record.is_some_and(|record| SavedSession::parse(record.as_ref(), SystemClock.now()).is_err());
    if torn {
        tell(cell, News::Torn);
    }
}
