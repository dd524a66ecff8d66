//! What a store answers.

use super::state::{Decided, FileOf, HeldLock, Note, Operation, Over, Purpose, ReadUnder, Saving};
use crate::credentials::{Deadline, LeaseId, Now};
use crate::exchange::Provider;
use crate::session::schedule::{MAX_BACKOFF_FOREGROUND, Pace};
use crate::session::{Event, Output, Session};
use crate::store::{OpId, STORE_TIMEOUT, StoreCommand, StoreError, StoreErrorKind, StoreReply};

impl<P: Provider> Session<P> {
    pub(in crate::session) fn stored(&mut self, id: OpId, result: Result<StoreReply, StoreError>) {
        let Some(cell) = &mut self.store else { return };
        let Some(asked) = cell.op.take_if(|op| op.id == id) else {
            if let Ok(StoreReply::Locked { .. }) = result {
                self.ask(StoreCommand::Unlock { lock: id }, STORE_TIMEOUT, None);
            }
            return;
        };
        match (asked.what, result) {
            (Operation::Poll, Ok(StoreReply::Read(record))) => {
                cell.look.is_done = true;
                self.examine(record.as_ref(), ReadUnder::Nothing, asked.since);
            }
            (Operation::Lock, Ok(StoreReply::Locked { record, remaining })) => {
                let until = remaining.map(|remaining| Deadline::after(asked.since, remaining));
                (cell.look.is_done, cell.look.is_wanted) = (true, false);
                cell.held_lock = Some(HeldLock::new(id, until));
                self.examine(record.as_ref(), ReadUnder::Lock, asked.since);
            }
            (Operation::Save(saving), Ok(StoreReply::Done)) => self.was_saved(saving, asked.since),
            (Operation::Quarantine(error), Ok(StoreReply::Done)) => {
                if let Some(hold) = &mut cell.held_lock {
                    hold.file = FileOf::Perennial;
                }
                self.outbox.outputs.push_back(Output::Event(Event::Quarantined { error }));
            }
            (what, Ok(_)) => {
                let error = StoreError::new(StoreErrorKind::Unavailable).with_source("the answer to something else");
                self.store_failed(what, &error);
            }
            (what, Err(error)) => self.store_failed(what, &error),
        }
    }

    /// Whoever carried out the operations is gone.
    pub(in crate::session) fn store_gone(&mut self) {
        let Some(cell) = &mut self.store else { return };
        cell.held_lock = None;
        if let Some(asked) = cell.op.take() {
            let error = StoreError::new(StoreErrorKind::MaybeWritten).with_source("the operation was given up");
            self.store_failed(asked.what, &error);
        }
    }

    pub(in crate::session) fn store_changed(&mut self) {
        if let Some(cell) = &mut self.store {
            // What we write ourselves is no news.
            cell.look.is_wanted |= cell.held_lock.is_none();
        }
    }

    fn was_saved(&mut self, saving: Saving, since: Now) {
        let granted = self.unreported.as_ref().and_then(|pending| pending.granted());
        let brings_access = granted.is_some_and(|granted| granted.covers[LeaseId::Access.index()]);
        let signs_in = self.is_taking_over() && !brings_access;
        let Some(cell) = &mut self.store else { return };
        cell.known.login = cell.held_lock.as_ref().and_then(|hold| hold.stored.as_ref()?.meta.login.clone());
        if saving.purpose == Purpose::Note {
            (cell.unsaved.note, cell.unsaved.failures) = (Note::None, 0);
            if let Decided::SignIn { over: Over::SignOut { revision, .. }, .. } = &mut cell.claim.decided {
                *revision = saving.revision;
            }
            if let Some(hold) = &mut cell.held_lock {
                // What was not taken up before is not now either: it is still another revision than the one that was seen.
                cell.known.revision =
                    cell.known.revision.map(|seen| if seen == hold.revision { saving.revision } else { seen });
                hold.revision = saving.revision;
            }
            return self.report_pending();
        }
        let news = cell.unsaved.changes != cell.unsaved.saved;
        if let Some(hold) = &mut cell.held_lock {
            (hold.revision, hold.displaced) = (saving.revision, None);
            // Somebody may have brought another token meanwhile: that one is not marked.
            hold.marked |= saving.purpose == Purpose::Mark && saving.change == cell.unsaved.changes;
        }
        (cell.known.revision, cell.known.fingerprint, cell.known.at) =
            (Some(saving.revision), saving.fingerprint, Some(since));
        cell.unsaved.failures = 0;
        cell.known.is_marked &= !brings_access;
        cell.unsaved.maybe_written_from = None;
        if let Decided::SignIn { differs, .. } = &mut cell.claim.decided {
            *differs = false;
        }
        if cell.unsaved.changes != saving.change {
            return;
        }
        cell.unsaved.saved = saving.change;
        cell.unsaved.error = None;
        match cell.claim.decided {
            // A session stands there now, of a login that was good: no sign-out waits beneath it.
            Decided::SignIn { ref mut over, .. } if signs_in => *over = Over::Session,
            Decided::SignIn { at, .. } => {
                (cell.claim.decided, cell.known.signed_in_at) = (Decided::Nothing, Some(at.wall));
            }
            Decided::SignOut(ref leaving) => {
                cell.known.signed_out_at = Some(leaving.at);
                cell.claim.decided = Decided::Nothing;
            }
            Decided::Nothing => {}
        }
        if news {
            self.outbox.outputs.push_back(Output::Event(Event::Saved));
        }
        let login = self.login_to_keep();
        if let Some(cell) = &mut self.store {
            cell.claim.kept_login = login;
        }
        self.report_pending();
    }

    pub(super) fn store_failed(&mut self, what: Operation, error: &StoreError) {
        let pause = match &mut self.store {
            Some(cell) => {
                cell.unsaved.failures = cell.unsaved.failures.saturating_add(1);
                self.random.backoff(cell.unsaved.failures, MAX_BACKOFF_FOREGROUND)
            }
            None => return,
        };
        if let Some(cell) = &mut self.store {
            cell.unsaved.retry_at = self.now.monotonic.saturating_add(pause);
            if error.kind() == StoreErrorKind::Lost {
                cell.held_lock = None;
            }
            // It may be there, or come late: what is written next is another revision.
            if let (Operation::Save(saving), Some(hold)) = (&what, &mut cell.held_lock) {
                hold.revision = hold.revision.max(saving.revision);
                if saving.purpose != Purpose::Note {
                    hold.stored = None;
                }
            }
            let maybe = matches!(error.kind(), StoreErrorKind::MaybeWritten | StoreErrorKind::TimedOut);
            if let (Operation::Save(saving), true) = (&what, maybe)
                && saving.purpose != Purpose::Note
            {
                cell.unsaved.maybe_written_from.get_or_insert(saving.revision);
            }
        }
        self.fail_save(error);
        match what {
            Operation::Save(Saving { purpose: Purpose::Keep | Purpose::Note, .. }) => {}
            // Only news was missed: whoever needs something locks and reads.
            Operation::Poll if self.store.as_ref().is_some_and(|cell| cell.look.is_done) => {}
            Operation::Poll | Operation::Lock | Operation::Save(_) | Operation::Quarantine(_) => {
                self.fail_callers(error);
            }
        }
    }

    /// Says that what is held is not saved.
    pub(super) fn fail_save(&mut self, error: &StoreError) {
        if !self.has_unsaved() {
            return;
        }
        if let Some(cell) = &mut self.store {
            cell.unsaved.error = Some(error.clone());
        }
        self.outbox.outputs.push_back(Output::Event(Event::NotSaved { error: error.clone() }));
    }

    /// Nothing is asked of the service without the store: whoever waits is told.
    pub(super) fn fail_callers(&mut self, error: &StoreError) {
        for lease_id in LeaseId::ALL {
            if self.is_ready(lease_id) {
                self.back_off(lease_id, "store", error.clone().into(), Pace::Outage);
            }
        }
    }
}
