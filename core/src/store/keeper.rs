//! Carries out what a session asks of its store.

use std::sync::Arc;

use super::{Locked, OpId, Store, StoreAct, StoreError, StoreErrorKind, StoreOp, Stored};

/// Carries out what one session asks of its store, and keeps the lock between two operations. Dropping it gives the
/// lock back.
pub struct Keeper {
    store: Arc<dyn Store>,
    held: Option<Held>,
}

struct Held {
    by: OpId,
    lock: Box<dyn Locked>,
}

impl Keeper {
    /// For this store.
    pub fn new(store: impl Store) -> Self {
        Self::shared(Arc::new(store))
    }

    /// For a store that others use, too.
    pub fn shared(store: Arc<dyn Store>) -> Self {
        Self { store, held: None }
    }

    /// Carries out one operation.
    pub fn perform(&mut self, op: StoreOp) -> Result<Stored, StoreError> {
        let StoreOp { id, act, timeout } = op;
        match act {
            StoreAct::Read => self.store.read(timeout).map(Stored::Read),
            StoreAct::Lock { lease } => {
                // A lock whose answer came too late is given back before another is asked for.
                self.held = None;
                let mut lock = self.store.lock(timeout, lease)?;
                let record = lock.read(super::STORE_TIMEOUT)?;
                let held_for = lock.held_for();
                self.held = Some(Held { by: id, lock });
                Ok(Stored::Locked { record, held_for })
            }
            StoreAct::Write { lock, record } => self.held(lock)?.write(&record, timeout).map(|()| Stored::Done),
            StoreAct::Clear { lock, record } => self.held(lock)?.clear(&record, timeout).map(|()| Stored::Done),
            StoreAct::Retire { lock } => self.held(lock)?.retire(timeout).map(|()| Stored::Done),
            StoreAct::SetAside { lock } => self.held(lock)?.set_aside(timeout).map(|()| Stored::Done),
            StoreAct::Unlock { lock } => {
                self.held.take_if(|held| held.by == lock);
                Ok(Stored::Done)
            }
        }
    }

    fn held(&mut self, lock: OpId) -> Result<&mut dyn Locked, StoreError> {
        match &mut self.held {
            Some(held) if held.by == lock => Ok(held.lock.as_mut()),
            _ => Err(StoreErrorKind::Lost.into()),
        }
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("held", &self.held.as_ref().map(|held| held.by)).finish_non_exhaustive()
    }
}
