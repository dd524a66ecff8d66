//! A store in virtual time, for one session.

use crate::store::{OpId, StoreCommand, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use crate::wire::Body;

/// A cell that never fails and that nobody else uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    record: Option<Body>,
    locked: Option<OpId>,
}

impl Cell {
    pub(super) fn record(&self) -> Option<&Body> {
        self.record.as_ref()
    }

    pub(super) fn is_locked(&self) -> bool {
        self.locked.is_some()
    }

    /// Another session writes.
    pub(super) fn put(&mut self, record: Body) {
        self.record = Some(record);
    }

    pub(super) fn execute(&mut self, op: &StoreRequest) -> Result<StoreReply, StoreError> {
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
