//! A store in memory.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;

/// A store in memory, for several sessions of one account in one process, and for tests. Clones share one record, which
/// does not outlast the process.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<Stored>,
    freed: Condvar,
}

#[derive(Default)]
struct Stored {
    locked: bool,
    record: Option<Body>,
    aside: Vec<Body>,
    retired: Vec<Body>,
    watchers: Vec<Watcher>,
    last_watcher: u64,
}

struct Watcher {
    number: u64,
    changed: ChangeCallback,
}

impl Shared {
    /// Ignores poisoning: each change here is one assignment, so a panic leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, Stored> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        let watchers: Vec<ChangeCallback> =
            self.state().watchers.iter().map(|watcher| Arc::clone(&watcher.changed)).collect();
        watchers.iter().for_each(|changed| changed());
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The records that were quarantined because they could not be parsed, oldest first.
    pub fn aside(&self) -> Vec<Body> {
        self.0.state().aside.clone()
    }

    /// The records of other programs that were imported and retired, oldest first. They are kept until somebody signs
    /// out.
    pub fn retired(&self) -> Vec<Body> {
        self.0.state().retired.clone()
    }
}

impl Store for MemoryStore {
    fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        Ok(self.0.state().record.clone())
    }

    fn lock(&self, timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        let state = self.0.state();
        let waited = self.0.freed.wait_timeout_while(state, timeout, |state| state.locked);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.locked {
            return Err(StoreErrorKind::Busy.into());
        }
        state.locked = true;
        Ok(Box::new(Lock(Arc::clone(&self.0))))
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        let mut state = self.0.state();
        state.last_watcher += 1;
        let number = state.last_watcher;
        state.watchers.push(Watcher { number, changed });
        Some(Box::new(Watching { shared: Arc::clone(&self.0), number }))
    }
}

struct Lock(Arc<Shared>);

impl LockGuard for Lock {
    fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        Ok(self.0.state().record.clone())
    }

    fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.0.state().record = Some(record.clone());
        self.0.notify();
        Ok(())
    }

    fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        let mut state = self.0.state();
        let record = state.record.take();
        state.aside.extend(record);
        drop(state);
        self.0.notify();
        Ok(())
    }

    fn retire(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        let mut state = self.0.state();
        let record = state.record.take();
        state.retired.extend(record);
        drop(state);
        self.0.notify();
        Ok(())
    }

    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.0.state().retired.clear();
        self.write(record, timeout)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.state().locked = false;
        self.0.freed.notify_one();
    }
}

struct Watching {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.state().watchers.retain(|watcher| watcher.number != self.number);
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}
