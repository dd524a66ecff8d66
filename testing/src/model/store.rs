//! What the model makes of a session's dealings with its store.

use super::state::{StoreSide, There};
use super::{Model, is_reusable, serial};
use crate::rule::Rule;
use perennial_core::credentials::Credentials;
use perennial_core::store::{OpId, Record, StoreCommand, StoreRequest};
use perennial_core::wire::Body;

impl Model {
    pub(super) fn is_grant_unsaved(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.unsaved)
    }

    /// There is a store, and this is in it.
    pub fn expect_store(&mut self, record: Option<&Body>) {
        let mut store = StoreSide { there: There::of(record), ..StoreSide::default() };
        let read = record.and_then(|record| Record::parse(record.as_ref(), self.now).ok());
        if let Some(held) = read.as_ref().and_then(Record::credentials) {
            store.saved = Some(serial(held.access().expose()));
        }
        self.store = Some(store);
    }

    /// The store did what it was asked for. Say it before the session is told.
    pub fn was_stored(&mut self, id: OpId) {
        let now = self.now;
        let Some(store) = &mut self.store else { return };
        let Some(op) = store.out.take_if(|op| op.id == id) else { return };
        match op.command {
            StoreCommand::Lock { .. } => {
                store.locked = Some(id);
                self.has_read();
            }
            StoreCommand::Read => self.has_read(),
            StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => {
                store.unsaved = false;
                (store.saved, store.marked) = match Record::parse(record.as_ref(), now) {
                    Ok(record) => match record.credentials() {
                        Some(held) => {
                            let refresh = held.refresh_token().map(|token| serial(token.expose()));
                            (Some(serial(held.access().expose())), refresh.filter(|_| record.is_uncertain()))
                        }
                        None => (None, None),
                    },
                    Err(error) => {
                        self.breaks(Rule::SaveThenTell, format!("a record that nobody can read: {error}"));
                        return;
                    }
                };
                self.wrote(&record);
            }
            StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } => store.there.is_set_aside(),
            StoreCommand::Unlock { .. } => {}
        }
    }

    pub(super) fn asked_store(&mut self, op: &StoreRequest) {
        let signed_out = self.signed_out;
        let now = self.now;
        let Some(store) = &mut self.store else {
            return self.breaks(Rule::LockReadDecide, "asks for a store that there is not");
        };
        let under = match &op.command {
            StoreCommand::Write { lock, .. }
            | StoreCommand::Clear { lock, .. }
            | StoreCommand::Quarantine { lock }
            | StoreCommand::Retire { lock }
            | StoreCommand::Unlock { lock } => Some(*lock),
            StoreCommand::Read | StoreCommand::Lock { .. } => None,
        };
        let (out, locked) = (store.out.is_some(), store.locked);
        if matches!(op.command, StoreCommand::Unlock { .. }) {
            store.locked = None;
        } else {
            store.out = Some(op.clone());
        }
        if out {
            self.breaks(Rule::OneAtATime, "two operations of the store at once");
        }
        if under.is_some() && under != locked {
            self.breaks(Rule::LockReadDecide, format!("{:?} without the lock", op.id));
        } else if under.is_none() && locked.is_some() {
            self.breaks(Rule::LockReadDecide, "reads or locks while it holds the lock");
        }
        if let StoreCommand::Write { record, .. } = &op.command
            && signed_out
            && Record::parse(record.as_ref(), now).is_ok_and(|record| record.is_signed_in())
        {
            self.breaks(Rule::SignOutWins, "saves credentials after a sign-out");
        }
    }

    pub(super) fn check_lock_of_attempt(&mut self) {
        if self.store.as_ref().is_some_and(|store| store.locked.is_none()) {
            self.breaks(Rule::LockReadDecide, "an attempt without the lock");
        }
    }

    pub(super) fn check_mark(&mut self, token: u64) {
        let marked = self.store.as_ref().is_none_or(|store| store.marked == Some(token));
        if !marked && !is_reusable(&self.policy) {
            self.breaks(Rule::LockReadDecide, format!("sends refresh token {token}, which is not marked"));
        }
    }

    pub(super) fn note_grant(&mut self) {
        if let Some(store) = &mut self.store {
            store.unsaved = true;
        }
    }

    pub(super) fn check_saved_before_told(&mut self) {
        if self.store.as_ref().is_some_and(|store| store.unsaved) {
            self.breaks(Rule::SaveThenTell, "announced before it is saved");
        }
    }

    /// When all is quiet, what is held is what is saved, and the lock is given back.
    pub(super) fn check_store(&mut self, held: Option<&Credentials>) {
        let Some(store) = &self.store else { return };
        let access = held.map(|held| serial(held.access().expose()));
        let (saved, locked) = (store.saved, store.locked);
        if self.flight.is_some() || store.there.is_news() {
            return;
        }
        if self.signed_out && saved.is_some() {
            self.breaks(Rule::SignOutWins, "what was signed out is still saved");
        } else if access.is_some() && access != saved && !self.login_first {
            // While somebody signs in, what is held from before is not put over what is there.
            self.breaks(Rule::SaveThenTell, format!("{access:?} is held, {saved:?} is saved"));
        }
        if locked.is_some() {
            self.breaks(Rule::LockReadDecide, "keeps the lock for nothing");
        }
    }
}
