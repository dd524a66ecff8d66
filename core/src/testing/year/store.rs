//! Operations on the store: slow, failing.

use std::time::Duration;

use super::scenario::Sabotage;
use super::world::{Event, World};
use crate::store::{StoreAct, StoreErrorKind, StoreOp, Stored};
use crate::wire::Body;

/// How a record says that its one-use token was sent.
pub(super) const MARK: &str = "\"refresh_sent_at\":";

impl World<'_> {
    pub(super) fn ask_store(&mut self, op: &StoreOp) {
        self.report.store_ops += 1;
        self.note(|| format!("  it asks the store: {}", name_of(&op.act)));
        if let StoreAct::Write { record, .. } = &op.act {
            self.mix_bytes(record.as_ref());
        }
        let mut takes = self.random.millis(1, 12);
        let down = self.now < self.store_down_until && !matches!(op.act, StoreAct::Unlock { .. });
        let result = if down {
            self.report.store_failures += 1;
            let kind = match self.random.below(4) {
                0 | 1 => StoreErrorKind::Unavailable,
                2 => StoreErrorKind::MaybeWritten,
                _ => StoreErrorKind::TimedOut,
            };
            if kind == StoreErrorKind::TimedOut {
                takes = op.timeout;
            }
            if kind != StoreErrorKind::Unavailable && self.random.one_in(2) {
                drop(self.perform(op));
            }
            Err(kind.into())
        } else {
            self.perform(op)
        };
        // One after another.
        self.store_free_at = self.store_free_at.max(self.now) + takes;
        let delay: Duration = self.store_free_at - self.now;
        self.store_busy += 1;
        let (incarnation, id) = (self.incarnation, op.id);
        self.after(delay, Event::Stored { incarnation, id, result });
    }

    fn perform(&mut self, op: &StoreOp) -> Result<Stored, crate::store::StoreError> {
        let nothing_held = self.session.as_ref().is_some_and(|session| session.held().is_none());
        match (&op.act, self.year.sabotage) {
            (StoreAct::Write { lock, record }, Some(Sabotage::SendsWithoutMark)) => {
                let text = String::from_utf8_lossy(record.as_ref()).replace(MARK, "\"refresh_never_at\":");
                let act = StoreAct::Write { lock: *lock, record: Body::from(text.into_bytes()) };
                self.cell.perform(&StoreOp { act, ..op.clone() })
            }
            (StoreAct::Read | StoreAct::Lock { .. }, Some(Sabotage::ForgetsRecord)) if nothing_held => {
                self.cell.perform(op).map(|stored| match stored {
                    Stored::Read(_) => Stored::Read(None),
                    Stored::Locked { held_for, .. } => Stored::Locked { record: None, held_for },
                    Stored::Done => Stored::Done,
                })
            }
            _ => self.cell.perform(op),
        }
    }
}

fn name_of(act: &StoreAct) -> &'static str {
    match act {
        StoreAct::Read => "read",
        StoreAct::Lock { .. } => "lock",
        StoreAct::Write { .. } => "write",
        StoreAct::Clear { .. } => "clear",
        StoreAct::SetAside { .. } => "set aside",
        StoreAct::Retire { .. } => "retire",
        StoreAct::Unlock { .. } => "unlock",
    }
}
