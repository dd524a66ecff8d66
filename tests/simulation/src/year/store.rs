//! Operations on the store: slow, failing.

use std::time::Duration;

use super::scenario::Sabotage;
use super::state::{Event, MARK};
use super::world::World;
use perennial_core::store::{StoreCommand, StoreErrorKind, StoreReply, StoreRequest};
use perennial_core::wire::Body;

impl World<'_> {
    pub(super) fn ask_store(&mut self, op: &StoreRequest) {
        self.report.store_ops += 1;
        self.note(|| format!("  it asks the store: {}", name_of(&op.command)));
        if let StoreCommand::Write { record, .. } = &op.command {
            self.mix_bytes(record.as_ref());
        }
        let mut takes = self.random.millis(1, 12);
        let down = self.now < self.store_down_until && !matches!(op.command, StoreCommand::Unlock { .. });
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
                drop(self.execute(op));
            }
            Err(kind.into())
        } else {
            self.execute(op)
        };
        // One after another.
        self.store_free_at = self.store_free_at.max(self.now) + takes;
        let delay: Duration = self.store_free_at - self.now;
        self.store_busy += 1;
        let (incarnation, id) = (self.incarnation, op.id);
        self.after(delay, Event::StoreReply { incarnation, id, result });
    }

    fn execute(&mut self, op: &StoreRequest) -> Result<StoreReply, perennial_core::store::StoreError> {
        let nothing_held = self.session.as_ref().is_some_and(|session| session.held().is_none());
        match (&op.command, self.year.sabotage) {
            (StoreCommand::Write { lock, record }, Some(Sabotage::SendsWithoutMark)) => {
                let text = String::from_utf8_lossy(record.as_ref()).replace(MARK, "\"refresh_never_at\":");
                let command = StoreCommand::Write { lock: *lock, record: Body::from(text.into_bytes()) };
                self.cell.execute(&StoreRequest { command, ..op.clone() })
            }
            (StoreCommand::Read | StoreCommand::Lock { .. }, Some(Sabotage::ForgetsRecord)) if nothing_held => {
                self.cell.execute(op).map(|stored| match stored {
                    StoreReply::Read(_) => StoreReply::Read(None),
                    StoreReply::Locked { remaining, .. } => StoreReply::Locked { record: None, remaining },
                    StoreReply::Done => StoreReply::Done,
                })
            }
            _ => self.cell.execute(op),
        }
    }
}

fn name_of(command: &StoreCommand) -> &'static str {
    match command {
        StoreCommand::Read => "read",
        StoreCommand::Lock { .. } => "lock",
        StoreCommand::Write { .. } => "write",
        StoreCommand::Clear { .. } => "clear",
        StoreCommand::Quarantine { .. } => "set aside",
        StoreCommand::Retire { .. } => "retire",
        StoreCommand::Unlock { .. } => "unlock",
    }
}
