//! A store in virtual time, for one session.

use perennial_core::store::{OpId, StoreCommand, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use perennial_core::wire::Body;

/// A store in memory for one session that is driven by hand. It never fails, and waits for nothing: give it what the
/// session asks for ([`execute`](Self::execute)), and the session what it answers.
#[derive(Clone, Debug, Default)]
pub struct FakeStore {
    record: Option<Body>,
    locked: Option<OpId>,
}

impl FakeStore {
    /// What is stored.
    pub fn record(&self) -> Option<&Body> {
        self.record.as_ref()
    }

    /// Whether the session has the lock.
    pub fn is_locked(&self) -> bool {
        self.locked.is_some()
    }

    /// Stores a record without the lock, as another process does.
    pub fn put(&mut self, record: Body) {
        self.record = Some(record);
    }

    /// Carries out what the session asks for.
    pub fn execute(&mut self, op: &StoreRequest) -> Result<StoreReply, StoreError> {
        match &op.command {
            StoreCommand::Read => Ok(StoreReply::Read(self.record.clone())),
            StoreCommand::Lock { .. } => {
                self.locked = Some(op.id);
                Ok(StoreReply::Locked { record: self.record.clone(), remaining: None })
            }
            StoreCommand::Write { lock, record } | StoreCommand::Clear { lock, record }
                if self.locked == Some(*lock) =>
            {
                self.record = Some(record.clone());
                Ok(StoreReply::Done)
            }
            StoreCommand::Quarantine { lock } | StoreCommand::Retire { lock } if self.locked == Some(*lock) => {
                self.record = None;
                Ok(StoreReply::Done)
            }
            StoreCommand::Unlock { lock } => {
                self.locked.take_if(|locked| locked == lock);
                Ok(StoreReply::Done)
            }
            StoreCommand::Write { .. }
            | StoreCommand::Clear { .. }
            | StoreCommand::Quarantine { .. }
            | StoreCommand::Retire { .. } => Err(StoreErrorKind::Lost.into()),
        }
    }
}
