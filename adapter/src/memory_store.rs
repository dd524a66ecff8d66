//! A store in memory.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perennial_core::store::{ChangeCallback, LockGuard, Store, StoreError, StoreErrorKind, WatchGuard};
use perennial_core::wire::Body;

/// A store in memory: for several sessions of one process, and for tests. Clones share one cell.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cell: Mutex<Cell>,
    freed: Condvar,
}

#[derive(Default)]
struct Cell {
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
    /// Whoever panicked before: each change here is one assignment.
    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        let watchers: Vec<ChangeCallback> =
            self.cell().watchers.iter().map(|watcher| Arc::clone(&watcher.changed)).collect();
        watchers.iter().for_each(|changed| changed());
    }
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was set aside, oldest first.
    pub fn aside(&self) -> Vec<Body> {
        self.0.cell().aside.clone()
    }

    /// What other programs had left, was taken up, and is kept until somebody signs out, oldest first.
    pub fn retired(&self) -> Vec<Body> {
        self.0.cell().retired.clone()
    }
}

impl Store for MemoryStore {
    fn read(&self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        Ok(self.0.cell().record.clone())
    }

    fn lock(&self, timeout: Duration, _ttl: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        let cell = self.0.cell();
        let waited = self.0.freed.wait_timeout_while(cell, timeout, |cell| cell.locked);
        let (mut cell, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if cell.locked {
            return Err(StoreErrorKind::Busy.into());
        }
        cell.locked = true;
        Ok(Box::new(Lock(Arc::clone(&self.0))))
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        let mut cell = self.0.cell();
        cell.last_watcher += 1;
        let number = cell.last_watcher;
        cell.watchers.push(Watcher { number, changed });
        Some(Box::new(Watching { shared: Arc::clone(&self.0), number }))
    }
}

struct Lock(Arc<Shared>);

impl LockGuard for Lock {
    fn read(&mut self, _timeout: Duration) -> Result<Option<Body>, StoreError> {
        Ok(self.0.cell().record.clone())
    }

    fn write(&mut self, record: &Body, _timeout: Duration) -> Result<(), StoreError> {
        self.0.cell().record = Some(record.clone());
        self.0.tell();
        Ok(())
    }

    fn quarantine(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        let mut cell = self.0.cell();
        let record = cell.record.take();
        cell.aside.extend(record);
        Ok(())
    }

    fn retire(&mut self, _timeout: Duration) -> Result<(), StoreError> {
        let mut cell = self.0.cell();
        let record = cell.record.take();
        cell.retired.extend(record);
        Ok(())
    }

    fn clear(&mut self, record: &Body, timeout: Duration) -> Result<(), StoreError> {
        self.0.cell().retired.clear();
        self.write(record, timeout)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.cell().locked = false;
        self.0.freed.notify_one();
    }
}

struct Watching {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.shared.cell().watchers.retain(|watcher| watcher.number != self.number);
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore")
    }
}
