//! The driver of a store: it carries out a session's requests.

use std::sync::Arc;

use super::{LockGuard, OpId, Store, StoreCommand, StoreError, StoreErrorKind, StoreReply, StoreRequest};

/// Carries out one session's [`StoreRequest`]s on a [`Store`], and holds the lock between two of them. Dropping it
/// releases the lock.
pub struct StoreDriver {
    store: Arc<dyn Store>,
    held: Option<Held>,
}

struct Held {
    by: OpId,
    lock: Box<dyn LockGuard>,
}

impl StoreDriver {
    /// A driver for this store.
    pub fn new(store: impl Store) -> Self {
        Self::shared(Arc::new(store))
    }

    /// A driver for a store that others use too.
    pub fn shared(store: Arc<dyn Store>) -> Self {
        Self { store, held: None }
    }

    /// Carries out one request; hand the result to the session as [`Input::Store`](crate::Input::Store). Blocks for at
    /// most the request's timeout, and for a [`StoreCommand::Lock`] at most [`STORE_TIMEOUT`](super::STORE_TIMEOUT)
    /// longer, because it also reads the record.
    pub fn execute(&mut self, op: StoreRequest) -> Result<StoreReply, StoreError> {
        let StoreRequest { id, command, timeout } = op;
        match command {
            StoreCommand::Read => self.store.read(timeout).map(StoreReply::Read),
            StoreCommand::Lock { ttl } => {
                // Release a lock whose answer came too late for the session before asking for another one.
                self.held = None;
                let mut lock = self.store.lock(timeout, ttl)?;
                let record = lock.read(super::STORE_TIMEOUT)?;
                let remaining = lock.remaining();
                self.held = Some(Held { by: id, lock });
                Ok(StoreReply::Locked { record, remaining })
            }
            StoreCommand::Write { lock, record } => self.held(lock)?.write(&record, timeout).map(|()| StoreReply::Done),
            StoreCommand::Clear { lock, record } => self.held(lock)?.clear(&record, timeout).map(|()| StoreReply::Done),
            StoreCommand::Retire { lock } => self.held(lock)?.retire(timeout).map(|()| StoreReply::Done),
            StoreCommand::Quarantine { lock } => self.held(lock)?.quarantine(timeout).map(|()| StoreReply::Done),
            StoreCommand::Unlock { lock } => {
                self.held.take_if(|held| held.by == lock);
                Ok(StoreReply::Done)
            }
        }
    }

    fn held(&mut self, lock: OpId) -> Result<&mut dyn LockGuard, StoreError> {
        match &mut self.held {
            Some(held) if held.by == lock => Ok(held.lock.as_mut()),
            _ => Err(StoreErrorKind::Lost.into()),
        }
    }
}

impl std::fmt::Debug for StoreDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreDriver").field("held", &self.held.as_ref().map(|held| held.by)).finish_non_exhaustive()
    }
}
