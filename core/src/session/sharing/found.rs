//! What is found in a store, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use super::state::{Decided, FileOf, Known, LoginBeside, Note, Operation, Over, ReadUnder, StoreSync};
use crate::credentials::{Credentials, LeaseId, Now, Secret, Timestamp, same_account};
use crate::error::ImportError;
use crate::exchange::Provider;
use crate::session::flight::{Mode, Source};
use crate::session::login::LoginState;
use crate::session::schedule::MAX_BACKOFF_FOREGROUND;
use crate::session::work::caught;
use crate::session::{Event, Output, Session, SignOut};
use crate::store::{MAX_RECORD, STORE_TIMEOUT, StoreCommand, StoreError, StoreErrorKind};
use crate::store::{Record, RecordMeta, RecordState};
use crate::wire::Body;

/// What is in a store.
enum Found {
    Nothing,
    Unreadable(ImportError),
    Record(Record),
    /// A session that another program left there.
    Foreign(Box<Credentials>),
}

impl Found {
    fn revision(&self) -> Option<u64> {
        match self {
            Found::Nothing | Found::Unreadable(_) => None,
            Found::Record(record) => Some(record.meta.revision.unwrap_or(0)),
            Found::Foreign(_) => Some(0),
        }
    }
}

impl Found {
    fn login(&self) -> Option<&Secret> {
        match self {
            Found::Record(record) => record.meta.login.as_ref(),
            Found::Nothing | Found::Unreadable(_) | Found::Foreign(_) => None,
        }
    }
}

/// How what is there stands to what is held here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Newer,
    Same,
    Older,
}

impl<P: Provider> Session<P> {
    /// What was read, by an operation that began at `since`.
    pub(super) fn examine(&mut self, record: Option<&Body>, under: ReadUnder, since: Now) {
        let found = self.understand(record);
        let login = found.as_ref().ok().and_then(Found::login).cloned();
        let understood = found.is_ok();
        let revision = found.as_ref().ok().and_then(Found::revision);
        match found {
            Ok(Found::Nothing) => self.find_nobody(RecordMeta::default(), under),
            Ok(Found::Unreadable(error)) => self.find_unreadable(error, under),
            Ok(Found::Foreign(credentials)) => self.find_session(*credentials, RecordMeta::default(), true, under),
            Ok(Found::Record(Record { state, meta, .. })) => {
                let failures = meta.failures.clone();
                match state {
                    RecordState::NeverSignedIn => {
                        self.keep_login_there(meta.login.clone());
                        self.find_nobody(meta, under);
                    }
                    // Before it, since a login that was refused does not stand against one that is there; and after it,
                    // since it may tell of that one.
                    RecordState::SignedOut { at } => {
                        self.heed(&failures);
                        self.find_signed_out(at, meta, under);
                    }
                    RecordState::SignedIn(credentials) => {
                        self.heed(&failures);
                        self.find_session(*credentials, meta, false, under);
                    }
                }
                self.heed(&failures);
            }
            Err(error) => {
                let error = StoreError::new(StoreErrorKind::Refused(error));
                self.unlock();
                if let Some(cell) = &mut self.store {
                    cell.unsaved.retry_at = self.now.monotonic.saturating_add(MAX_BACKOFF_FOREGROUND);
                }
                self.fail_save(&error);
                self.fail_callers(&error);
            }
        }
        let Some(cell) = &mut self.store else { return };
        if understood {
            cell.claim.decided.has_found(revision.unwrap_or(0), under, since);
            cell.known.login = login;
        }
        if revision.is_some() && revision == cell.known.revision {
            cell.known.at = Some(since);
        }
    }

    /// An error where it is somebody else's: it is left as it is.
    fn understand(&self, record: Option<&Body>) -> Result<Found, ImportError> {
        let Some(record) = record else { return Ok(Found::Nothing) };
        if record.as_ref().len() > MAX_RECORD {
            return Ok(Found::Unreadable(ImportError::Malformed { what: "it is larger than any session" }));
        }
        let (name, namespace) = (self.provider.name(), self.provider.namespace());
        let found = match Record::parse(record.as_ref(), self.now) {
            Ok(record) if record.provider != name || record.namespace != namespace => {
                return Err(ImportError::OtherProvider);
            }
            Ok(record) if !record.is_signed_in() => return Ok(Found::Record(record)),
            Ok(record) => Found::Record(record),
            Err(ImportError::Malformed { .. }) => {
                let read = caught(|| self.provider.read_saved_session(record.as_ref(), self.now));
                let panicked = ImportError::Malformed { what: "the provider's code panicked at it" };
                match read.unwrap_or(Err(panicked)) {
                    Ok(saved) if saved.provider() != name || saved.namespace() != namespace => {
                        return Err(ImportError::OtherProvider);
                    }
                    Ok(saved) => Found::Foreign(Box::new(saved.into_credentials())),
                    Err(error @ ImportError::Malformed { .. }) => return Ok(Found::Unreadable(error)),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        let (credentials, signed_in_since) = match &found {
            Found::Record(record) => (record.credentials(), self.is_signed_in_since(&record.meta)),
            Found::Foreign(credentials) => (Some(&**credentials), self.is_signed_in_since(&RecordMeta::default())),
            Found::Nothing | Found::Unreadable(_) => (None, false),
        };
        let ours = self.login.given.as_ref().and_then(|login| self.provider.account_id(login));
        let held = self.credentials.as_ref().map(|held| held.account().id.as_str());
        let said = self.store.as_ref().and_then(|cell| cell.claim.account.as_deref());
        let user = ours.or(said).or(held.filter(|user| !user.is_empty()));
        let counts = self.store.as_ref().is_some_and(|cell| matches!(cell.claim.decided, Decided::Nothing));
        let user = user.filter(|_| counts || signed_in_since);
        let theirs = credentials.map_or("", |credentials| &credentials.account().id);
        match user {
            Some(user) if !theirs.is_empty() && !same_account(theirs, user) => Err(ImportError::OtherAccount),
            _ => Ok(found),
        }
    }

    /// Nobody has signed in there, or the store has forgotten it.
    fn find_nobody(&mut self, beside: RecordMeta, under: ReadUnder) {
        self.find_gone(beside.revision.unwrap_or(0), under);
        let record = self.record(RecordState::NeverSignedIn, beside);
        if let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.as_mut()) {
            hold.stored = Some(record);
        }
    }

    /// There is nothing, or what is there is older than what was seen.
    fn find_gone(&mut self, revision: u64, under: ReadUnder) {
        let held = self.newest().is_some();
        let Some(cell) = &mut self.store else { return };
        let seen = cell.known.revision;
        if let Some(hold) = &mut cell.held_lock {
            hold.revision = seen.unwrap_or(0).max(revision);
        }
        if !held || self.mode == Mode::SignedOut {
            return;
        }
        if cell.unsaved.changes == cell.unsaved.saved {
            cell.unsaved.changes += 1;
            cell.unsaved.restores = cell.unsaved.changes;
        }
        if under == ReadUnder::Lock && seen.is_some() && matches!(cell.claim.decided, Decided::Nothing) {
            // Nobody knows what others did with the token since then.
            self.outbox.outputs.push_back(Output::Event(Event::StoreRegressed));
            self.doubt();
        }
    }

    fn find_unreadable(&mut self, error: ImportError, under: ReadUnder) {
        if under == ReadUnder::Nothing {
            return;
        }
        self.find_gone(0, under);
        if let Some(hold) = self.store.as_ref().and_then(|cell| cell.held_lock.as_ref()) {
            let lock = hold.op;
            self.ask(StoreCommand::Quarantine { lock }, STORE_TIMEOUT, Some(Operation::Quarantine(error)));
        }
    }

    fn find_signed_out(&mut self, at: Option<Timestamp>, beside: RecordMeta, under: ReadUnder) {
        let (revision, login) = (beside.revision.unwrap_or(0), beside.login.clone());
        let record = self.record(RecordState::SignedOut { at }, beside);
        let mut age = self.age(revision);
        let holds = self.newest().is_some();
        // A sign-in that has lost its login decides nothing.
        let lost = self.is_taking_over() && !self.has_login();
        let Some(cell) = &mut self.store else { return };
        let another = at.is_none() || at != cell.known.signed_out_at;
        let later = match &cell.claim.decided {
            Decided::SignIn { found: Some(found), .. } => lost || another && revision > *found,
            // The store could not be read in between: only clocks can tell.
            Decided::SignIn { at: decided, found: None, .. } => {
                lost || cell.unsaved.failures > 0 && at > Some(decided.wall)
            }
            Decided::SignOut(_) | Decided::Nothing => false,
        };
        if later {
            (cell.claim.decided, age) = (Decided::Nothing, Age::Newer);
        }
        cell.known.signed_out_at = at;
        if age == Age::Older && (holds || self.mode == Mode::SignedOut) {
            return self.find_gone(revision, under);
        }
        if let Some(hold) = &mut cell.held_lock {
            hold.revision = revision.max(cell.known.revision.unwrap_or(0));
            hold.stored = Some(record);
        }
        let known = age == Age::Same && self.mode == Mode::SignedOut;
        // A login that was to be forgotten here stays forgotten.
        let forgets = cell.claim.decided.forgets_login();
        match &mut cell.claim.decided {
            Decided::SignIn { over, differs, .. } => {
                *differs = true;
                let login = if forgets { LoginBeside::Forgotten } else { LoginBeside::Kept(login) };
                *over = Over::SignOut { revision, login };
            }
            Decided::SignOut(leaving) if at.is_none_or(|at| at <= leaving.at) => self.keep_login_there(login),
            // Somebody has signed out since: what could not be told is.
            Decided::SignOut(_) => {
                self.keep_login_there(login.clone());
                self.find_done(revision, login.as_ref());
            }
            Decided::Nothing if !known => self.follow_sign_out(revision, login),
            Decided::Nothing => {}
        }
    }

    /// The sign-out that is there is as good as ours, if it says the same of the login.
    fn find_done(&mut self, revision: u64, login: Option<&Secret>) {
        let ours = self.login_to_keep();
        if login.map(Secret::expose) == ours.as_ref().map(Secret::expose)
            && let Some(cell) = &mut self.store
        {
            cell.claim.decided = Decided::Nothing;
            self.take_sign_out(revision);
        }
    }

    /// Somebody signs out here: the login that is there stays there, if that was said.
    fn keep_login_there(&mut self, login: Option<Secret>) {
        if let Some(cell) = &mut self.store
            && matches!(&cell.claim.decided, Decided::SignOut(leaving) if leaving.login == SignOut::KeepLogin)
        {
            cell.claim.kept_login = login;
        }
    }

    /// Somebody has signed out elsewhere: that holds here, too, until somebody signs in.
    pub(super) fn follow_sign_out(&mut self, revision: u64, login: Option<Secret>) {
        self.follow_login(login);
        self.take_sign_out(revision);
    }

    fn take_sign_out(&mut self, revision: u64) {
        let unsaved = self.take_unsaved();
        let Some(cell) = &mut self.store else { return };
        (cell.known.revision, cell.known.fingerprint) = (Some(revision), None);
        (cell.unsaved.error, cell.unsaved.maybe_written_from, cell.unsaved.retry_at) = (None, None, Duration::ZERO);
        // What the service said of the login stays to be told.
        let is_known = !self.has_failures();
        if let Some(cell) = self.store.as_mut().filter(|_| is_known) {
            cell.unsaved.saved = cell.unsaved.changes;
        }
        self.leave(unsaved);
    }

    /// Takes what is held away, and answers it where the store does not know of it: whoever signs out revokes the rest.
    pub(super) fn take_unsaved(&mut self) -> Option<Arc<Credentials>> {
        let cell = self.store.as_ref()?;
        let was_saved = |held: &Credentials| cell.known.fingerprint == Some(held.fingerprint());
        let imported = cell.claim.imports && cell.known.revision.is_none();
        self.credentials.take().filter(|held| !imported && !was_saved(held))
    }

    /// Nobody is signed in any more. What the store does not know of is revoked here.
    pub(super) fn leave(&mut self, unsaved: Option<Arc<Credentials>>) {
        if std::mem::replace(&mut self.mode, Mode::SignedOut) == Mode::SignedOut {
            return;
        }
        self.exchanges.revocations.begin();
        self.orphan_flight();
        self.exchanges.revocations.extend(unsaved);
        self.forget_credentials();
        self.outbox.outputs.push_back(Output::Event(Event::SignedOut));
    }

    /// Whether somebody has signed in since a sign-out of ours that could not be written. Only then clocks are asked:
    /// a sign-out that is written at once is of all that it finds.
    fn is_signed_in_since(&self, beside: &RecordMeta) -> bool {
        self.store.as_ref().is_some_and(|cell| match &cell.claim.decided {
            Decided::SignOut(leaving) => {
                let another = beside.signed_in_at != cell.known.signed_in_at;
                another && cell.unsaved.failures > 0 && beside.signed_in_at > Some(leaving.at)
            }
            _ => false,
        })
    }

    fn find_session(&mut self, credentials: Credentials, beside: RecordMeta, foreign: bool, under: ReadUnder) {
        let revision = beside.revision.unwrap_or(0);
        let credentials = self.date(credentials, &beside);
        let mut age = self.age(revision);
        let sent = beside.refresh_sent_at.is_some();
        let same = |account: &String| same_account(account, &credentials.account().id);
        let may_stay = |cell: &StoreSync| {
            cell.held_lock.is_some() && (!cell.takes_over() || cell.claim.account.as_ref().is_some_and(same))
        };
        if !foreign && self.store.as_deref().is_some_and(may_stay) {
            let record = self.record(RecordState::SignedIn(Box::new(credentials.clone())), beside.clone());
            if let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.as_mut()) {
                hold.stored = Some(record);
            }
        }
        let held = self.newest().filter(|held| same_account(&held.account().id, &credentials.account().id));
        // Somebody has signed in since, or what we have saved is there after all, and went on perhaps.
        let issued_later = held.is_some_and(|held| credentials.issued_at() > held.issued_at());
        let goes_on = held.is_some() && self.was_tried(revision);
        let signed_in_since = self.is_signed_in_since(&beside);
        let rests = self.login_rests_until().is_some();
        let Some(cell) = &mut self.store else { return };
        // It is of after the sign-out that a sign-in here was put over; a store that began anew counts from one again.
        let anew = beside.signed_in_at > cell.known.signed_out_at;
        if let Decided::SignIn { over, .. } = &mut cell.claim.decided
            && matches!(over, Over::SignOut { revision: before, .. } if *before < revision || anew)
        {
            *over = Over::Session;
        }
        // Somebody has signed in elsewhere while a sign-in of ours still waits, or this session was there before and our
        // login rests: that serves as well.
        let serves_meanwhile = rests
            && cell.claim.account.as_ref().is_some_and(same)
            && matches!(cell.claim.decided, Decided::SignIn { over: Over::Session, .. });
        let is_seen = rests && beside.signed_in_at == cell.known.signed_in_at;
        let joins = match &cell.claim.decided {
            _ if serves_meanwhile => true,
            Decided::SignIn { found: Some(found), .. } => {
                let another = beside.signed_in_at.is_some() && beside.signed_in_at != cell.known.signed_in_at;
                another && revision > *found && cell.claim.account.as_ref().is_some_and(same)
            }
            _ => false,
        };
        if signed_in_since || joins || cell.takes_over() && goes_on {
            (cell.claim.decided, cell.unsaved.note, age) = (Decided::Nothing, Note::None, Age::Newer);
        }
        let floor = revision.max(cell.known.revision.unwrap_or(0));
        match &mut cell.claim.decided {
            Decided::SignIn { over, differs, .. } => {
                if matches!(over, Over::Session) && cell.claim.account.as_ref().is_some_and(|ours| !same(ours)) {
                    *over = Over::AnotherAccount;
                }
                let held = self.credentials.as_ref();
                let known = held.is_some_and(|held| held.same_token(LeaseId::Access, &credentials));
                *differs = !known;
                cell.known.signed_in_at = beside.signed_in_at;
                // What is held from before may be saved again, under the same mark.
                cell.known.is_marked = sent && held.is_some_and(|held| held.has_same_refresh_token(&credentials));
                if let Some(hold) = &mut cell.held_lock {
                    hold.revision = floor;
                    hold.file = if foreign { FileOf::Stranger } else { FileOf::Perennial };
                    hold.displaced = (!known).then(|| Arc::new(credentials));
                }
                return;
            }
            Decided::SignOut(leaving) => {
                if leaving.login == SignOut::KeepLogin {
                    cell.claim.kept_login = beside.login;
                }
                cell.known.signed_in_at = beside.signed_in_at;
                if let Some(hold) = &mut cell.held_lock {
                    let theirs = &credentials.account().id;
                    let ours =
                        leaving.account.as_deref().is_none_or(|user| user.is_empty() || same_account(user, theirs));
                    hold.revision = floor;
                    // What was saved of this account goes, whoever wrote it.
                    hold.file = if foreign && !ours { FileOf::Stranger } else { FileOf::Perennial };
                    // Another program goes on with what is its own.
                    if ours || !foreign {
                        self.exchanges.revocations.extend([credentials]);
                    }
                }
                return;
            }
            Decided::Nothing => {}
        }
        if self.mode == Mode::SignedOut {
            // Nobody but a person writes a session over a sign-out. A store that has forgotten may hold what was signed
            // out, or begin anew.
            if age != Age::Newer && !anew {
                if let Some(hold) = &mut cell.held_lock {
                    hold.revision = floor;
                }
                return;
            }
            self.mode = Mode::SignedIn;
        }
        age = match self.newest() {
            // Nothing is held that it could be the same as.
            None => Age::Newer,
            // A store that began anew, where somebody has signed in.
            Some(_) if age == Age::Older && issued_later => Age::Newer,
            // Two branches of one history: somebody wrote what the store had forgotten. All have to agree on which
            // stands.
            Some(ours) if age == Age::Same && self.is_branch(&credentials, ours) => {
                if ours.is_newer_than(&credentials) { Age::Older } else { Age::Newer }
            }
            Some(_) => age,
        };
        if age == Age::Older {
            return self.find_gone(revision, under);
        }
        if let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.as_mut()) {
            (hold.revision, hold.file) = (revision, if foreign { FileOf::Predecessor } else { FileOf::Perennial });
        }
        let concerns_ours = match age {
            Age::Newer => {
                self.adopt(credentials, beside, serves_meanwhile || is_seen);
                true
            }
            _ => self.credentials.as_ref().is_some_and(|ours| ours.has_same_refresh_token(&credentials)),
        };
        if let Some(cell) = &mut self.store {
            cell.known.is_marked = sent && concerns_ours;
        }
        // Under the lock nobody is still waiting for the answer.
        let granted = self.unreported.as_ref().and_then(|pending| pending.granted());
        if sent && concerns_ours && under == ReadUnder::Lock && granted.is_none() {
            self.doubt();
        }
    }

    /// Whether what has the revision that was seen is something else, and not ours either.
    fn is_branch(&self, found: &Credentials, ours: &Credentials) -> bool {
        let seen = self.store.as_ref().and_then(|cell| cell.known.fingerprint);
        seen != Some(found.fingerprint()) && !ours.same_token(LeaseId::Access, found)
    }

    /// Machines that share a store need not share a clock. What is newer than what was seen here was written since then.
    fn date(&self, credentials: Credentials, beside: &RecordMeta) -> Credentials {
        let Some(Known { revision: Some(seen), at: Some(seen_at), .. }) = self.store.as_ref().map(|cell| &cell.known)
        else {
            return credentials;
        };
        match &beside.written {
            Some(written) if beside.revision > Some(*seen) && written.is_by_another_clock(*seen_at, self.now) => {
                written.rebased_on_read(credentials, *seen_at)
            }
            _ => credentials,
        }
    }

    /// Whether a save of ours that failed may have come before this revision.
    pub(super) fn was_tried(&self, revision: u64) -> bool {
        self.store.as_ref().and_then(|cell| cell.unsaved.maybe_written_from).is_some_and(|tried| revision >= tried)
    }

    fn age(&self, revision: u64) -> Age {
        match self.store.as_ref().and_then(|cell| cell.known.revision) {
            None => Age::Newer,
            Some(seen) if revision > seen => Age::Newer,
            Some(seen) if revision == seen => Age::Same,
            Some(_) => Age::Older,
        }
    }

    /// Takes up what another session saved, whole: a grant of ours that was not saved is given up for it. `for_now`: a
    /// login that a person has given here rests, and stays the one to try.
    fn adopt(&mut self, credentials: Credentials, beside: RecordMeta, for_now: bool) {
        let RecordMeta { revision, login, signed_in_at, .. } = beside;
        let Some(cell) = &mut self.store else { return };
        let first = cell.known.revision.is_none() || for_now;
        (cell.known.revision, cell.known.fingerprint) = (Some(revision.unwrap_or(0)), Some(credentials.fingerprint()));
        (cell.unsaved.saved, cell.unsaved.error) = (cell.unsaved.changes, None);
        cell.unsaved.maybe_written_from = None;
        (cell.claim.kept_login, cell.known.signed_in_at) = (login.clone(), signed_in_at);
        self.unreported = None;
        self.adopt_login(login, first);
        let old = self.credentials.clone();
        let covers = LeaseId::ALL.map(|lease_id| {
            let same = old.as_ref().is_some_and(|old| credentials.same_token(lease_id, old));
            credentials.validity(lease_id).is_some() && !same
        });
        self.publish(credentials.reuse_unchanged(old.as_deref()), covers, None, Source::SavedSession);
    }

    /// A login that stood in the store, and that a sign-out took out of it, is forgotten; one that it left there is not.
    fn follow_login(&mut self, found: Option<Secret>) {
        let first = self.store.as_ref().is_none_or(|cell| cell.known.revision.is_none());
        let Some(cell) = &mut self.store else { return };
        cell.claim.kept_login.clone_from(&found);
        let before = cell.known.login.clone();
        if found.is_some() {
            return self.adopt_login(found, first);
        }
        let ours = self.written_login();
        let stood_there = matches!((&ours, &before), (Some(ours), Some(before)) if ours.expose() == before.expose());
        if stood_there && self.policy.persist_login {
            (self.login.given, self.login.state) = (None, LoginState::Open);
        }
    }

    /// A login that was given here stands against one that was found; one that somebody saved later does not.
    fn adopt_login(&mut self, found: Option<Secret>, first: bool) {
        if !self.policy.persist_login {
            return;
        }
        let ours = self.written_login();
        let same = match (&ours, &found) {
            (Some(ours), Some(found)) => ours.expose() == found.expose(),
            _ => false,
        };
        match found {
            Some(found) if !same && (!self.has_login() || !first) => {
                if let Some(login) = caught(|| self.provider.read_login(found.expose())).flatten() {
                    self.login.given = Some(login);
                    self.login.state = LoginState::Open;
                    self.leases_have_new_login();
                }
            }
            // A login that was refused is not kept.
            None if ours.is_some() && self.has_login() => {
                if let Some(cell) = &mut self.store {
                    cell.unsaved.changes += 1;
                }
            }
            _ => {}
        }
    }
}
