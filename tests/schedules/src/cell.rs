//! A store whose locks the checker sees, and that can be in a bad mood.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use perennial_core::StoreError;
use perennial_core::store::{ChangeCallback, LockGuard, Store, WatchGuard};
use perennial_core::wire::Body;
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread;

/// What comes of the next operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// They work.
    Well,
    /// They panic.
    Panics,
}

/// A cell in memory. Clones are one cell.
#[derive(Clone)]
pub struct Cell(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    freed: Condvar,
    panicked: Condvar,
}

struct Inner {
    mood: Mood,
    panics: usize,
    locked: bool,
    record: Option<Body>,
    watchers: Vec<ChangeCallback>,
}

impl Cell {
    /// An empty one.
    pub fn new(mood: Mood) -> Self {
        let inner = Inner { mood, panics: 0, locked: false, record: None, watchers: Vec::new() };
        Self(Arc::new(Shared { inner: Mutex::new(inner), freed: Condvar::new(), panicked: Condvar::new() }))
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        self.0.inner().mood = mood;
    }

    /// What is there, whoever holds the lock.
    pub fn record(&self) -> Option<Body> {
        self.0.inner().record.clone()
    }

    /// Whether somebody holds the lock.
    pub fn is_locked(&self) -> bool {
        self.0.inner().locked
    }

    /// Waits until an operation has panicked.
    pub fn wait_for_a_panic(&self) {
        let inner = self.0.inner();
        drop(self.0.panicked.wait_while(inner, |inner| inner.panics == 0).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    /// Whoever panicked before: each change here is one assignment.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Disks take time, and some are in a mood.
    fn command(&self) -> Result<(), StoreError> {
        thread::yield_now();
        let mood = self.inner().mood;
        match mood {
            Mood::Well => Ok(()),
            // Without the hook: the checker takes what the hook hears of for the end of the story.
            Mood::Panics => {
                self.inner().panics += 1;
                self.panicked.notify_all();
                std::panic::resume_unwind(Box::new("this store panics"))
            }
        }
    }
}

impl Store for Cell {
    fn read(&self, _: Duration) -> Result<Option<Body>, StoreError> {
        self.0.command()?;
        Ok(self.0.inner().record.clone())
    }

    fn lock(&self, _: Duration, _: Duration) -> Result<Box<dyn LockGuard>, StoreError> {
        self.0.command()?;
        let mut inner = self.0.inner();
        // For as long as it takes: a lock that nobody gives back is a deadlock, which is what is looked for.
        while inner.locked {
            inner = self.0.freed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.locked = true;
        Ok(Box::new(Lock(Arc::clone(&self.0))))
    }

    fn watch(&self, changed: ChangeCallback) -> Option<WatchGuard> {
        self.0.inner().watchers.push(changed);
        Some(Box::new(()))
    }
}

struct Lock(Arc<Shared>);

impl LockGuard for Lock {
    fn read(&mut self, _: Duration) -> Result<Option<Body>, StoreError> {
        self.0.command()?;
        Ok(self.0.inner().record.clone())
    }

    fn write(&mut self, record: &Body, _: Duration) -> Result<(), StoreError> {
        self.0.command()?;
        let watchers = {
            let mut inner = self.0.inner();
            inner.record = Some(record.clone());
            inner.watchers.clone()
        };
        watchers.iter().for_each(|changed| changed());
        Ok(())
    }

    fn quarantine(&mut self, _: Duration) -> Result<(), StoreError> {
        self.0.command()?;
        self.0.inner().record = None;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.inner().locked = false;
        self.0.freed.notify_one();
    }
}
