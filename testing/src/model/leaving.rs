//! What the model knows of signing out: here, and in another session on the store.

use super::state::{Flight, Leaving, There};
use super::{Model, serial};
use crate::rule::Rule;
use crate::toy::{Toy, ToyLogin, ToyMethod};
use perennial_core::credentials::{Credentials, Secret, same_account};
use perennial_core::exchange::Provider;
use perennial_core::store::{Record, RecordState};
use perennial_core::wire::Body;
use perennial_core::{LeaseId, SignOut};

fn login_of(text: Option<&Secret>) -> Option<ToyLogin> {
    Toy.read_login(text?.expose())
}

fn same(one: &ToyLogin, other: &ToyLogin) -> bool {
    one.user() == other.user() && one.password().expose() == other.password().expose()
}

impl Model {
    /// Whether the session is signed out and has a login to come back with.
    pub fn can_sign_in_again(&self) -> bool {
        self.signed_out && self.has_login()
    }

    /// The login that it has.
    pub fn login(&self) -> Option<&ToyLogin> {
        self.login.as_ref()
    }

    fn has_login(&self) -> bool {
        self.login.is_some() && !self.login_refused
    }

    /// Whether what stands in the store is another account's than the login: nothing is noted there, and only a person
    /// signs in over it.
    pub fn is_another_account_there(&self) -> bool {
        let record = self.store.as_ref().and_then(|store| store.there.record.as_ref());
        let read = record.and_then(|record| Record::parse(record.as_ref(), self.now).ok());
        match (&self.user, read) {
            (Some(user), Some(record)) => {
                record.credentials().is_some_and(|held| !same_account(user, &held.account().id))
            }
            _ => false,
        }
    }

    /// Whether a person signs in where somebody had signed out: there is nothing else to go on with.
    pub(super) fn signs_in_over_a_sign_out(&self) -> bool {
        self.login_first && self.store.as_ref().is_some_and(|store| store.there.sign_out.is_some())
    }

    fn is_store_unread(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.there.is_unread)
    }

    // ---- Commands

    pub(super) fn signed_in_again(&mut self, begun: bool) {
        let may_begin = self.has_login() || self.is_store_unread() && self.login.is_some();
        if begun != may_begin {
            let what = format!("signing in again: {begun}, and there is a login: {may_begin}");
            self.breaks(Rule::SignedOutCanComeBack, what);
        }
        let Some(login) = self.login.clone().filter(|_| begun) else { return };
        if self.login_first || self.is_showing_login() {
            // The same sign-in, as if it were decided now: callers wait for it.
            if let Some(store) = &mut self.store {
                store.there.is_read_since = store.is_locked();
            }
            let valid = self.is_live(LeaseId::Access) && !self.lease(LeaseId::Access).named;
            self.lease(LeaseId::Access).asked |= !valid;
        } else {
            self.sign_in(&login);
            self.leases.iter_mut().for_each(|lease| lease.falls = None);
        }
    }

    pub(super) fn signed_out(&mut self, login: SignOut) {
        if login == SignOut::ForgetLogin {
            self.forget_login();
        }
        let before = self.leaving.unwritten.take_if(|before| *before == SignOut::ForgetLogin);
        self.leaving.unwritten = before.or(Some(login)).filter(|_| self.store.is_some());
        if self.signed_out {
            return;
        }
        self.signed_out = true;
        let access = self.leases[LeaseId::Access.index()].held.as_ref().map(|held| held.serial);
        self.revocations.extend(access);
        // What the store still holds of another account goes, too.
        let known = self.store.as_ref().filter(|store| !store.there.is_news);
        let saved = known.and_then(|store| store.saved);
        self.revocations.extend(saved.filter(|saved| Some(*saved) != access));
        for flight in [&mut self.flight, &mut self.continuing].into_iter().flatten() {
            flight.orphan |= flight.attempt.is_some();
        }
        self.leave();
    }

    fn leave(&mut self) {
        self.forget();
        self.leases.iter_mut().for_each(|lease| lease.asked = false);
    }

    pub(super) fn forget_login(&mut self) {
        self.login = None;
        self.login_refused = false;
        if let Some(unwritten) = &mut self.leaving.unwritten {
            *unwritten = SignOut::ForgetLogin;
        }
        // One that a sign-out left beside it is not kept for later either.
        let over_a_sign_out = self.signs_in_over_a_sign_out();
        self.leaving.forgets = self.store.is_some() && (self.signed_out || over_a_sign_out);
        if let Some(store) = &mut self.store {
            // Whoever wrote since did so before it, and this session has yet to see what.
            self.leaving.maybe_forgotten |= store.there.is_news;
            store.there.sign_out = store.there.sign_out.take().map(|login| login.filter(|_| !over_a_sign_out));
        }
    }

    /// A person has decided here.
    pub(super) fn decided(&mut self, brings: bool) {
        self.leaving = Leaving::default();
        if let Some(store) = &mut self.store {
            store.there.brought = brings;
            store.there.is_read_since = store.is_locked();
        }
    }

    fn is_showing_login(&self) -> bool {
        let flights = [&self.flight, &self.continuing];
        let shows = |flight: &Flight| {
            let attempt = flight.attempt.filter(|_| !flight.orphan && !flight.dropped);
            attempt.is_some_and(|attempt| attempt.lease_id == LeaseId::Access && attempt.method == ToyMethod::SignIn)
        };
        flights.into_iter().flatten().any(shows)
    }

    // ---- The store

    /// Another session has written this.
    pub fn is_stored_elsewhere(&mut self, record: &Body) {
        if let Some(store) = &mut self.store {
            (store.there.record, store.there.is_news) = (Some(record.clone()), true);
        }
        if Record::parse(record.as_ref(), self.now).is_ok_and(|record| record.is_signed_in()) {
            // Whoever has signed in there knows nothing of a refusal here.
            self.account.is_signed_in_elsewhere();
        }
    }

    /// The session has written this.
    pub(super) fn wrote(&mut self, record: &Body) {
        let written = Record::parse(record.as_ref(), self.now).ok();
        let login = written.as_ref().and_then(|written| login_of(written.login()));
        let signs_out = written.is_some_and(|written| written.is_signed_out());
        if signs_out {
            self.check_kept(login.as_ref());
            (self.leaving.unwritten, self.leaving.forgets) = (None, false);
        }
        let sign_out = signs_out.then(|| login.clone());
        self.account.quiet_was_written();
        // What others have met with a login stays, where this session has none.
        if self.login.is_some() || sign_out.is_some() {
            self.account.refusal_was_written(self.login.as_ref().filter(|_| self.login_refused));
        }
        if let Some(store) = &mut self.store {
            let record = Some(record.clone());
            store.there = There { record, login, sign_out, is_known: true, is_read_since: true, ..There::default() };
        }
    }

    fn check_kept(&mut self, login: Option<&ToyLogin>) {
        let keeps = self.policy.persist_login && self.has_login();
        let ours = self.login.as_ref().filter(|_| keeps);
        let choice = self.leaving.unwritten.or(self.leaving.forgets.then_some(SignOut::ForgetLogin));
        match (choice, login, ours) {
            (Some(SignOut::ForgetLogin), Some(_), _) => {
                self.breaks(Rule::SignedOutCanComeBack, "a login that was to be forgotten is in the store");
            }
            (Some(SignOut::KeepLogin), kept, Some(ours)) if kept.is_none_or(|kept| !same(kept, ours)) => {
                self.breaks(Rule::SignedOutCanComeBack, "a login that was to be kept is not in the store");
            }
            _ => {}
        }
    }

    /// The session has read what is there.
    pub(super) fn has_read(&mut self) {
        let decides = self.login_first && self.has_login();
        let ours = self.login.clone().filter(|_| self.policy.persist_login && self.has_login());
        let Some(store) = &mut self.store else { return };
        store.there.is_unread = false;
        let record = store.there.record.as_ref();
        let Some(Ok(read)) = record.map(|record| Record::parse(record.as_ref(), self.now)) else { return };
        let news = std::mem::take(&mut store.there.is_news);
        let decides = decides || store.there.brought;
        let is_later = std::mem::replace(&mut store.there.is_read_since, true) && news;
        self.leaving.forgets &= !news;
        store.there.sign_out = None;
        let beside = login_of(read.login());
        let before = std::mem::replace(&mut store.there.login, beside.clone());
        match read.state {
            RecordState::SignedOut { .. } => {
                store.saved = None;
                let login = beside.filter(|_| !self.leaving.forgets);
                store.there.sign_out = Some(login.clone());
                match self.leaving.unwritten {
                    Some(choice) => {
                        let is_kept = choice == SignOut::KeepLogin;
                        let kept = login.filter(|_| is_kept);
                        // A sign-out that says the same is as good.
                        let wanted = ours.filter(|_| is_kept).or_else(|| kept.clone());
                        let is_said = match (&wanted, &kept) {
                            (Some(wanted), Some(there)) => same(wanted, there),
                            (wanted, there) => wanted.is_none() && there.is_none(),
                        };
                        self.leaving.unwritten.take_if(|_| is_said);
                    }
                    None if decides && !is_later => {}
                    None if self.signed_out && !news => {}
                    None => self.follow_sign_out(login, before.as_ref()),
                }
            }
            RecordState::NeverSignedIn => {}
            RecordState::SignedIn(held) => {
                let access = serial(held.access().expose());
                store.saved = Some(access);
                let first = !store.there.is_known;
                let theirs = &held.account().id;
                let ours = self.login.as_ref().is_none_or(|login| same_account(login.user(), theirs));
                let bare = self.leases.iter().all(|lease| lease.held.is_none());
                if self.leaving.unwritten.is_some() {
                    self.revocations.extend(Some(access).filter(|_| news));
                } else if !decides && ours && (news || first || bare) {
                    self.leaving.is_over = self.signed_out;
                    self.follow_login(beside, first);
                }
            }
        }
    }

    /// Where a person's login is no good, the sign-out that it was to end stands.
    pub(super) fn falls_back_on_sign_out(&mut self) {
        self.login_first &= self.login.is_some() || self.is_showing_login() || self.is_grant_unsaved();
        let decides = self.login_first && self.has_login();
        let Some(there) = self.store.as_ref().map(|store| &store.there) else { return };
        let comes = self.is_showing_login() || self.is_grant_unsaved();
        if self.signed_out || decides || there.brought || comes {
            return;
        }
        if let Some(login) = there.sign_out.clone() {
            let before = there.login.clone();
            self.follow_sign_out(login, before.as_ref());
        }
    }

    /// Another session signed out: so does this one. `before`: the login that had stood there.
    fn follow_sign_out(&mut self, login: Option<ToyLogin>, before: Option<&ToyLogin>) {
        self.signed_out = true;
        self.leave();
        let Some(store) = &mut self.store else { return };
        let first = !std::mem::replace(&mut store.there.is_known, true);
        if login.is_some() {
            self.follow_login(login, first);
        } else if self.policy.persist_login
            && self.login.as_ref().zip(before).is_some_and(|(ours, before)| same(ours, before))
        {
            self.login = None;
            self.login_refused = false;
        }
    }

    /// A login that was given here stands against one that is found first, and not against a later one.
    fn follow_login(&mut self, found: Option<ToyLogin>, first: bool) {
        if let Some(store) = &mut self.store {
            store.there.is_known = true;
        }
        let wanted = self.policy.persist_login && (!self.has_login() || !first);
        if let Some(found) = found.filter(|_| wanted)
            && self.login.as_ref().is_none_or(|ours| !same(ours, &found))
        {
            self.login_refused = self.is_refused_there();
            self.login = Some(found);
            self.account.login_was_replaced();
            for lease in &mut self.leases {
                lease.attempted_at[ToyMethod::SignIn as usize] = None;
                (lease.answers, lease.falls) = Default::default();
            }
        }
    }

    /// Whether what stands there says of the login beside it that it was refused.
    fn is_refused_there(&self) -> bool {
        let record = self.store.as_ref().and_then(|store| store.there.record.as_ref());
        let record = record.and_then(|record| Record::parse(record.as_ref(), self.now).ok());
        record.is_some_and(|record| record.login().is_some_and(|login| record.refuses(login)))
    }

    /// The session took up what it found in the store.
    pub fn adopted(&mut self, credentials: &Credentials) {
        if self.leases.iter().any(|lease| lease.held.is_some()) {
            self.breaks(Rule::LockReadDecide, "takes up what is in the store in place of what is newer");
        }
        self.signed_out &= !std::mem::take(&mut self.leaving.is_over);
        let user = &credentials.account().id;
        self.user = Some(user.clone()).filter(|user| !user.is_empty()).or(self.user.take());
        self.hold(credentials);
    }

    // ---- Afterwards

    pub(super) fn check_can_come_back(&mut self, says: bool) {
        if std::mem::take(&mut self.leaving.is_over) {
            self.breaks(Rule::SignedOutCanComeBack, "somebody signed in on the store, and it stays signed out");
        }
        let maybe =
            self.login.as_ref().zip(self.account.maybe_refused.as_ref()).is_some_and(|(one, other)| same(one, other));
        if !says && self.leaving.maybe_forgotten {
            self.login = None;
        }
        self.leaving.maybe_forgotten &= self.store.as_ref().is_some_and(|store| store.there.is_news);
        // One whose endpoint is not there may be given up on a moment later.
        let maybe = maybe || self.missing[ToyMethod::SignIn as usize].is_some();
        if says != self.has_login() && !maybe && !self.is_store_unread() {
            let what = format!("it has a login: {says}, and should: {}", self.has_login());
            self.breaks(Rule::SignedOutCanComeBack, what);
        }
    }
}
