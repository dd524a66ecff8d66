//! What is found in a store, and what becomes of it.

use std::sync::Arc;

use super::{Cell, Left, Under, What};
use crate::credentials::{Beside, Credentials, Need, Now, RecordOf, SavedError, Secret, same_user};
use crate::exchange::Provider;
use crate::session::lease::Lease;
use crate::session::login::LoginState;
use crate::session::machine::{Origin, Standing};
use crate::session::schedule::MAX_BACKOFF_ASKED;
use crate::session::work::caught;
use crate::session::{Event, Output, Session, StoredLogin};
use crate::store::{MAX_RECORD, STORE_TIMEOUT, StoreAct, StoreError, StoreErrorKind};
use crate::wire::Body;

/// What is in a store.
enum Found {
    Nothing,
    Unreadable(SavedError),
    NeverSignedIn { beside: Beside },
    SignedOut { revision: u64 },
    Session { credentials: Box<Credentials>, beside: Beside, foreign: bool },
}

impl Found {
    fn revision(&self) -> Option<u64> {
        match self {
            Found::Nothing | Found::Unreadable(_) => None,
            Found::SignedOut { revision } => Some(*revision),
            Found::NeverSignedIn { beside } | Found::Session { beside, .. } => Some(beside.revision.unwrap_or(0)),
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
    pub(super) fn examine(&mut self, record: Option<&Body>, under: Under, since: Now) {
        let found = self.understand(record);
        let revision = found.as_ref().ok().and_then(Found::revision);
        match found {
            Ok(Found::Nothing) => self.find_nobody(Beside::default(), under),
            Ok(Found::NeverSignedIn { beside }) => {
                // Written after the session that was seen here: somebody has signed out in between.
                match beside.revision.filter(|revision| self.follows_a_session(*revision)) {
                    Some(revision) => self.find_signed_out(revision, under),
                    None => self.find_nobody(beside.clone(), under),
                }
                self.heed(&beside.failures);
            }
            Ok(Found::Unreadable(error)) => self.find_unreadable(error, under),
            Ok(Found::SignedOut { revision }) => self.find_signed_out(revision, under),
            Ok(Found::Session { credentials, beside, foreign }) => {
                let failures = beside.failures.clone();
                self.find_session(*credentials, beside, foreign, under);
                self.heed(&failures);
            }
            Err(error) => {
                let error = StoreError::new(StoreErrorKind::Refused(error));
                self.unlock();
                if let Some(cell) = &mut self.cell {
                    cell.save_at = self.now.monotonic.saturating_add(MAX_BACKOFF_ASKED);
                }
                self.fail_save(&error);
                self.fail_waiting(&error);
            }
        }
        if let Some(cell) = &mut self.cell
            && revision.is_some()
            && revision == cell.seen
        {
            cell.seen_at = Some(since);
        }
    }

    /// An error where it is somebody else's: it is left as it is.
    fn understand(&self, record: Option<&Body>) -> Result<Found, SavedError> {
        let Some(record) = record else { return Ok(Found::Nothing) };
        if record.as_ref().len() > MAX_RECORD {
            return Ok(Found::Unreadable(SavedError::Malformed { what: "it is larger than any session" }));
        }
        let (name, realm) = (self.provider.name(), self.provider.realm());
        let read = match RecordOf::parse(record.as_ref(), self.now) {
            Ok(RecordOf::SignedOut { provider, realm: at, revision }) => {
                if provider != name || at != realm {
                    return Err(SavedError::OtherProvider);
                }
                return Ok(Found::SignedOut { revision: revision.unwrap_or(0) });
            }
            Ok(RecordOf::NeverSignedIn { provider, realm: at, beside }) => {
                if provider != name || at != realm {
                    return Err(SavedError::OtherProvider);
                }
                return Ok(Found::NeverSignedIn { beside });
            }
            Ok(RecordOf::Session { saved, beside }) => Ok((*saved, beside, false)),
            Err(SavedError::Malformed { .. }) => {
                let read = caught(|| self.provider.read_saved(record.as_ref(), self.now));
                let panicked = SavedError::Malformed { what: "the provider's code panicked at it" };
                read.unwrap_or(Err(panicked)).map(|saved| (saved, Beside::default(), true))
            }
            Err(error) => Err(error),
        };
        let (saved, beside, foreign) = match read {
            Ok(read) => read,
            Err(error @ SavedError::Malformed { .. }) => return Ok(Found::Unreadable(error)),
            Err(error) => return Err(error),
        };
        let ours = self.login.as_ref().and_then(|login| self.provider.user_id(login));
        let held = self.credentials.as_ref().map(|held| held.account().user_id.as_str());
        let said = self.cell.as_ref().and_then(|cell| cell.account.as_deref());
        let user = ours.or(said).or(held.filter(|user| !user.is_empty()));
        let takes_over = self.cell.as_ref().is_some_and(|cell| cell.takes_over);
        let user = user.filter(|_| !takes_over && self.standing == Standing::SignedIn);
        saved.check(name, &realm, user)?;
        Ok(Found::Session { credentials: Box::new(saved.into_credentials()), beside, foreign })
    }

    /// Nobody has signed in there, or the store has forgotten it.
    fn find_nobody(&mut self, beside: Beside, under: Under) {
        self.find_gone(beside.revision.unwrap_or(0), under);
        if let Some(hold) = self.cell.as_mut().and_then(|cell| cell.hold.as_mut()) {
            hold.left = Some(Left::Nobody(beside));
        }
    }

    /// There is nothing, or what is there is older than what was seen.
    fn find_gone(&mut self, revision: u64, under: Under) {
        let held = self.newest().is_some();
        let Some(cell) = &mut self.cell else { return };
        let seen = cell.seen;
        if let Some(hold) = &mut cell.hold {
            hold.found = seen.unwrap_or(0).max(revision);
        }
        if !held || self.standing == Standing::SignedOut {
            return;
        }
        if cell.changes == cell.saved {
            cell.changes += 1;
            cell.restores = cell.changes;
        }
        if under == Under::Lock && seen.is_some() && !cell.takes_over {
            // Nobody knows what others did with the token since then.
            self.outputs.push_back(Output::Event(Event::StoreWentBack));
            self.doubt();
        }
    }

    fn find_unreadable(&mut self, error: SavedError, under: Under) {
        if under == Under::Nothing {
            return;
        }
        self.find_gone(0, under);
        if let Some(hold) = self.cell.as_ref().and_then(|cell| cell.hold.as_ref()) {
            let lock = hold.by;
            self.ask(StoreAct::SetAside { lock }, STORE_TIMEOUT, Some(What::SetAside(error)));
        }
    }

    fn find_signed_out(&mut self, revision: u64, under: Under) {
        let mut age = self.age(revision);
        let tried = self.was_tried(revision);
        let Some(cell) = &mut self.cell else { return };
        // What we have saved was there after all, and was signed out since.
        if tried && self.standing == Standing::SignedIn {
            (cell.takes_over, age) = (false, Age::Newer);
        }
        // Two branches of one history: somebody signed out in what the store had forgotten.
        if age == Age::Same && !cell.seen_left {
            age = Age::Newer;
        }
        let restored = cell.imports && cell.seen.is_none() && self.credentials.is_some();
        match age {
            Age::Older => return self.find_gone(revision, under),
            Age::Newer if !cell.takes_over && !restored && self.standing == Standing::SignedIn => {
                // Somebody else signed out: nothing is held any longer. Whoever asks again may sign in again.
                (cell.seen, cell.seen_print) = (Some(revision), None);
                (cell.saved, cell.login) = (cell.changes, None);
                cell.seen_left = true;
                self.pending = None;
                self.forget_credentials();
            }
            Age::Newer | Age::Same => cell.differs = true,
        }
        let Some(cell) = &mut self.cell else { return };
        if restored {
            cell.changes += u64::from(cell.changes == cell.saved);
        }
        if let Some(hold) = &mut cell.hold {
            hold.found = revision;
        }
    }

    fn find_session(&mut self, credentials: Credentials, beside: Beside, foreign: bool, under: Under) {
        let revision = beside.revision.unwrap_or(0);
        let credentials = self.date(credentials, &beside);
        let mut age = self.age(revision);
        let sent = beside.refresh_sent_at.is_some();
        let same = |account: &String| same_user(account, &credentials.account().user_id);
        if let Some(cell) = &mut self.cell
            && (!cell.takes_over || cell.account.as_ref().is_some_and(same))
            && let Some(hold) = cell.hold.as_mut().filter(|_| !foreign)
        {
            hold.left = Some(Left::Session(Box::new((credentials.clone(), beside.clone()))));
        }
        let held = self.newest().filter(|held| same_user(&held.account().user_id, &credentials.account().user_id));
        // Somebody has signed in since, or what we have saved is there after all, and went on perhaps.
        let issued_later = held.is_some_and(|held| credentials.issued_at() > held.issued_at());
        let goes_on = held.is_some() && self.was_tried(revision);
        let Some(cell) = &mut self.cell else { return };
        if cell.takes_over && goes_on && self.standing == Standing::SignedIn {
            cell.takes_over = false;
            age = Age::Newer;
        }
        if cell.takes_over || self.standing == Standing::SignedOut {
            let held = self.credentials.as_ref().or(cell.given_up.as_ref());
            let known = held.is_some_and(|held| held.is_same(Need::Access, &credentials));
            cell.differs = !known;
            // What is held from before may be saved again, under the same mark.
            cell.sent = sent && held.is_some_and(|held| held.refreshes_as(&credentials));
            let other = (!known).then(|| Arc::new(credentials));
            if let Some(hold) = &mut cell.hold {
                (hold.found, hold.foreign) = (revision.max(cell.seen.unwrap_or(0)), foreign);
                match self.standing {
                    Standing::SignedIn => hold.other = other,
                    Standing::SignedOut => self.revocations.extend(other),
                }
            }
            return;
        }
        age = match self.newest() {
            // Nothing is held that it could be the same as.
            None => Age::Newer,
            // A store that began anew, where somebody has signed in.
            Some(_) if age == Age::Older && issued_later => Age::Newer,
            // Two branches of one history: somebody wrote what the store had forgotten. All have to agree on which
            // stands.
            Some(ours) if age == Age::Same && self.is_branch(&credentials, ours) => {
                if ours.stands_against(&credentials) { Age::Older } else { Age::Newer }
            }
            Some(_) => age,
        };
        if age == Age::Older {
            return self.find_gone(revision, under);
        }
        if let Some(hold) = self.cell.as_mut().and_then(|cell| cell.hold.as_mut()) {
            (hold.found, hold.foreign) = (revision, foreign);
        }
        let concerns_ours = match age {
            Age::Newer => {
                self.adopt(credentials, beside);
                true
            }
            _ => self.credentials.as_ref().is_some_and(|ours| ours.refreshes_as(&credentials)),
        };
        if let Some(cell) = &mut self.cell {
            cell.sent = sent && concerns_ours;
        }
        // Under the lock nobody is still waiting for the answer.
        let granted = self.pending.as_ref().and_then(|pending| pending.granted());
        if sent && concerns_ours && under == Under::Lock && granted.is_none() {
            self.doubt();
        }
    }

    /// Whether a record of this revision was written after the session that is held and was seen there.
    fn follows_a_session(&self, revision: u64) -> bool {
        let seen_session = self.cell.as_ref().is_some_and(|cell| cell.seen.is_some() && !cell.seen_left);
        seen_session && self.newest().is_some() && self.age(revision) == Age::Newer
    }

    /// Whether what has the revision that was seen is something else, and not ours either.
    fn is_branch(&self, found: &Credentials, ours: &Credentials) -> bool {
        let seen = self.cell.as_ref().and_then(|cell| cell.seen_print);
        seen != Some(found.print()) && !ours.is_same(Need::Access, found)
    }

    /// Machines that share a store need not share a clock. What is newer than what was seen here was written since then.
    fn date(&self, credentials: Credentials, beside: &Beside) -> Credentials {
        let Some(Cell { seen: Some(seen), seen_at: Some(seen_at), .. }) = self.cell.as_deref() else {
            return credentials;
        };
        match &beside.written {
            Some(written) if beside.revision > Some(*seen) && written.is_by_another_clock(*seen_at, self.now) => {
                written.dated_by_look(credentials, *seen_at)
            }
            _ => credentials,
        }
    }

    /// Whether a save of ours that failed may have come before this revision.
    pub(super) fn was_tried(&self, revision: u64) -> bool {
        self.cell.as_ref().and_then(|cell| cell.tried).is_some_and(|tried| revision >= tried)
    }

    fn age(&self, revision: u64) -> Age {
        match self.cell.as_ref().and_then(|cell| cell.seen) {
            None => Age::Newer,
            Some(seen) if revision > seen => Age::Newer,
            Some(seen) if revision == seen => Age::Same,
            Some(_) => Age::Older,
        }
    }

    /// Takes up what another session saved, whole: a grant of ours that was not saved is given up for it.
    fn adopt(&mut self, credentials: Credentials, beside: Beside) {
        let Beside { revision, login, .. } = beside;
        let Some(cell) = &mut self.cell else { return };
        let first = cell.seen.is_none();
        (cell.seen, cell.seen_print) = (Some(revision.unwrap_or(0)), Some(credentials.print()));
        (cell.saved, cell.error) = (cell.changes, None);
        (cell.seen_left, cell.tried, cell.differs) = (false, None, false);
        cell.login.clone_from(&login);
        self.pending = None;
        self.adopt_login(login, first);
        let old = self.credentials.clone();
        let covers = Need::ALL.map(|need| {
            let same = old.as_ref().is_some_and(|old| credentials.is_same(need, old));
            credentials.term(need).is_some() && !same
        });
        self.publish(credentials.keeping(old.as_deref()), covers, None, Origin::Saved);
    }

    /// A login that was given here stands against one that was found; one that somebody saved later does not.
    fn adopt_login(&mut self, found: Option<Secret>, first: bool) {
        if self.policy.stored_login != StoredLogin::Kept {
            return;
        }
        let ours = self.written_login();
        let same = match (&ours, &found) {
            (Some(ours), Some(found)) => ours.expose() == found.expose(),
            _ => false,
        };
        match found {
            Some(found) if !same && (self.login.is_none() || !first) => {
                if let Some(login) = caught(|| self.provider.read_login(found.expose())).flatten() {
                    self.login = Some(login);
                    self.login_state = LoginState::Open;
                    self.leases.iter_mut().for_each(Lease::new_login);
                }
            }
            // A login that was refused is not kept.
            None if ours.is_some() && self.has_login() => {
                if let Some(cell) = &mut self.cell {
                    cell.changes += 1;
                }
            }
            _ => {}
        }
    }
}
