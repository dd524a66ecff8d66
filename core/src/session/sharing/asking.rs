//! What is asked of a store, and what is written there.

use std::time::Duration;

use super::state::{FileOf, Operation, PendingOp, Purpose, Saving};
use super::{GRACE, PEEK_INTERVAL};
use crate::credentials::{Credentials, LeaseId, Secret};
use crate::error::ImportError;
use crate::exchange::{Consumes, Provider};
use crate::session::flight::Mode;
use crate::session::methods::Standing;
use crate::session::work::caught;
use crate::session::{MIN_RETRY_INTERVAL, Output, Session};
use crate::store::{
    Failures, LOCK_TIMEOUT, OpId, Record, RecordMeta, RecordState, STORE_TIMEOUT, StoreCommand, StoreRequest,
    WriteStamp,
};

impl<P: Provider> Session<P> {
    pub(super) fn ask(&mut self, command: StoreCommand, timeout: Duration, what: Option<Operation>) -> OpId {
        let now = self.now;
        let Some(cell) = &mut self.store else { return OpId::default() };
        cell.last_op = OpId(cell.last_op.0.wrapping_add(1));
        let id = cell.last_op;
        if let Some(what) = what {
            let deadline = now.monotonic.saturating_add(timeout).saturating_add(GRACE);
            cell.op = Some(PendingOp { id, what, since: now, deadline });
        }
        self.outbox.outputs.push_back(Output::Store(StoreRequest { id, command, timeout }));
        id
    }

    pub(super) fn poll(&mut self) {
        // Whoever asks while nobody is signed in makes us look.
        let gap = if self.mode == Mode::SignedOut { MIN_RETRY_INTERVAL } else { PEEK_INTERVAL };
        if let Some(cell) = &mut self.store {
            cell.look.is_wanted = false;
            cell.look.at = self.now.monotonic.saturating_add(gap);
        }
        self.ask(StoreCommand::Read, STORE_TIMEOUT, Some(Operation::Poll));
    }

    pub(super) fn lock(&mut self) {
        // A request, the mark before it and the save after it, and a bit.
        let lease = self.time_needed().saturating_add(2 * STORE_TIMEOUT);
        self.ask(StoreCommand::Lock { ttl: lease }, LOCK_TIMEOUT + STORE_TIMEOUT, Some(Operation::Lock));
    }

    pub(super) fn unlock(&mut self) {
        if let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.take()) {
            self.ask(StoreCommand::Unlock { lock: hold.op }, STORE_TIMEOUT, None);
        }
    }

    pub(super) fn save(&mut self, purpose: Purpose) {
        let Some(cell) = &self.store else { return };
        let Some(hold) = &cell.held_lock else { return };
        let lock = hold.op;
        // What is only put back is as old as it was: somebody may hold what is newer, and not yet saved.
        let changed = cell.unsaved.changes != cell.unsaved.saved && cell.unsaved.changes != cell.unsaved.restores
            || purpose == Purpose::Note;
        let (revision, change) = (hold.revision.saturating_add(changed.into()), cell.unsaved.changes);
        let fingerprint = self.to_save().map(Credentials::fingerprint);
        let saving = Saving { revision, fingerprint, change, purpose };
        let aside = match hold.file {
            FileOf::Perennial => None,
            FileOf::Predecessor => Some(StoreCommand::Retire { lock }),
            FileOf::Stranger => Some(StoreCommand::Quarantine { lock }),
        };
        if let Some(command) = aside {
            let what = Operation::Quarantine(ImportError::Malformed { what: "it is of another program" });
            self.ask(command, STORE_TIMEOUT, Some(what));
            return;
        }
        let left = match purpose {
            Purpose::Note => self.noted(saving),
            Purpose::Mark | Purpose::Keep => Some(self.kept(saving)),
        };
        let Some(left) = left else { return };
        let record = left.to_body();
        if let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.as_mut()) {
            hold.stored = Some(left);
        }
        let command = match self.mode {
            Mode::SignedIn => StoreCommand::Write { lock, record },
            Mode::SignedOut => StoreCommand::Clear { lock, record },
        };
        self.ask(command, STORE_TIMEOUT, Some(Operation::Save(saving)));
    }

    /// What a record would hold; `None` where somebody has signed out.
    fn to_save(&self) -> Option<&Credentials> {
        self.newest().filter(|_| self.mode == Mode::SignedIn)
    }

    /// What is held, announced or not.
    pub(super) fn newest(&self) -> Option<&Credentials> {
        let pending = self.unreported.as_ref().and_then(|pending| pending.granted());
        pending.map(|granted| &granted.credentials).or(self.credentials.as_deref())
    }

    /// What stands there, as it is, and what the service made of a new login.
    fn noted(&mut self, saving: Saving) -> Option<Record> {
        let failures = self.failures_to_save();
        let mut record = self.store.as_ref()?.held_lock.as_ref()?.stored.clone()?;
        if let Some(credentials) = record.credentials() {
            record.meta.written = Some(WriteStamp::now(credentials, self.now));
        }
        // The service still wants the quiet that it asked for before a person tried here.
        let not_before = failures.not_before.max(record.meta.failures.not_before);
        (record.meta.revision, record.meta.failures) = (Some(saving.revision), Failures { not_before, ..failures });
        let cell = self.store.as_ref()?;
        record.meta.login.take_if(|_| cell.claim.decided.forgets_login());
        Some(record)
    }

    /// What is held.
    fn kept(&mut self, saving: Saving) -> Record {
        let failures = self.failures_to_save();
        let (revision, login) = (Some(saving.revision), self.login_to_keep());
        let Some(held) = self.to_save() else {
            let state = match self.mode {
                Mode::SignedIn => RecordState::NeverSignedIn,
                Mode::SignedOut => RecordState::SignedOut { at: self.signed_out_at() },
            };
            return self.record(state, RecordMeta { revision, login, failures, ..RecordMeta::default() });
        };
        let granted = self.unreported.as_ref().and_then(|pending| pending.granted());
        let new = granted.is_some_and(|granted| granted.covers[LeaseId::Access.index()]);
        let known = self.is_in_doubt() || self.store.as_ref().is_some_and(|cell| cell.is_marked());
        let sent = saving.purpose == Purpose::Mark || (!new && known);
        let refresh_sent_at = sent.then_some(self.now.wall);
        let (written, signed_in_at) = (Some(WriteStamp::now(held, self.now)), self.signed_in_at());
        let meta = RecordMeta { revision, refresh_sent_at, written, login, failures, signed_in_at };
        self.record(RecordState::SignedIn(Box::new(held.clone())), meta)
    }

    pub(super) fn record(&self, state: RecordState, meta: RecordMeta) -> Record {
        Record { meta, ..Record::new(self.provider.name(), &self.provider.namespace(), state) }
    }

    /// The login for the record: ours where that is wished for, else the one that is there already.
    pub(super) fn login_to_keep(&self) -> Option<Secret> {
        let kept = self.policy.persist_login && self.has_login();
        let ours = if kept { self.written_login() } else { None };
        ours.or_else(|| self.store.as_ref()?.claim.kept_login.clone())
    }

    /// Our login, in the provider's words.
    pub(super) fn written_login(&self) -> Option<Secret> {
        caught(|| self.provider.write_login(self.login.given.as_ref()?)).flatten()
    }

    /// Whether a one-use token went out, and nobody knows what became of it.
    pub(in crate::session) fn is_in_doubt(&self) -> bool {
        self.one_use_positions()
            .any(|(lease_id, position)| self.leases[lease_id.index()].methods.standing(position) != Standing::Open)
    }

    pub(super) fn doubt(&mut self) {
        let positions: Vec<_> = self.one_use_positions().collect();
        for (lease_id, position) in positions {
            self.leases[lease_id.index()].methods.lose_answer(position);
        }
    }

    pub(super) fn one_use_positions(&self) -> impl Iterator<Item = (LeaseId, usize)> {
        LeaseId::ALL.into_iter().flat_map(move |lease_id| {
            let methods = self.provider.methods(lease_id).iter().enumerate();
            let one_use = methods.filter(|(_, method)| self.consumes(**method) == Consumes::RefreshToken);
            one_use.map(move |(position, _)| (lease_id, position))
        })
    }
}
