//! A store in virtual time, for one session.

use crate::store::{OpId, StoreAct, StoreError, StoreErrorKind, StoreOp, Stored};
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

    pub(super) fn perform(&mut self, op: &StoreOp) -> Result<Stored, StoreError> {
        match &op.act {
            StoreAct::Read => Ok(Stored::Read(self.record.clone())),
            StoreAct::Lock { .. } => {
                self.locked = Some(op.id);
                Ok(Stored::Locked { record: self.record.clone(), held_for: None })
            }
            StoreAct::Write { lock, record } | StoreAct::Clear { lock, record } if self.locked == Some(*lock) => {
                self.record = Some(record.clone());
                Ok(Stored::Done)
            }
            StoreAct::SetAside { lock } | StoreAct::Retire { lock } if self.locked == Some(*lock) => {
                self.record = None;
                Ok(Stored::Done)
            }
            StoreAct::Unlock { lock } => {
                self.locked.take_if(|locked| locked == lock);
                Ok(Stored::Done)
            }
            StoreAct::Write { .. } | StoreAct::Clear { .. } | StoreAct::SetAside { .. } | StoreAct::Retire { .. } => {
                Err(StoreErrorKind::Lost.into())
            }
        }
    }
}
