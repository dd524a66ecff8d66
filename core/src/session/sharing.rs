//! Every transition of a session's dealings with its store.
//!
//! Whatever a session wants to renew, it first looks into the store, then locks it, and decides under the lock. One
//! operation is out at a time.
//!
//! | what comes | what follows |
//! | --- | --- |
//! | read: newer than what is held | taken up whole, nothing merged |
//! | read: older, or gone | the store went back: what is held stands and is saved; its one-use token is in doubt |
//! | locked, nothing newer | the attempt begins; where it spends a one-use token, that is marked in the store first |
//! | locked, with a mark on the token that is held | somebody sent it and got no answer: the rule *lost answer* |
//! | locked, and what is there belongs to somebody else | given back; callers are told |
//! | locked, and what is there cannot be understood | set aside, and the store is as good as empty |
//! | a grant | saved, then announced; announced unsaved after [`TELL_AFTER`] |
//! | saving fails | said, and tried again; the lock is kept as long as it can be |
//! | saved, and nothing more to do | unlocked |
//! | locking or marking fails | nothing is sent; callers are told; after a pause again |
//! | an answer to what was given up | a late lock is given back |

use std::sync::Arc;
use std::time::Duration;

use super::machine::{Origin, Slot, Standing};
use super::outcome::Granted;
use super::schedule::MAX_BACKOFF_ASKED;
use super::{Event, Output, Session, StoredLogin};
use crate::credentials::{Beside, Credentials, Deadline, Need, Now, RecordOf, Saved, SavedError, Secret, same_user};
use crate::exchange::{Provider, REQUEST_TIMEOUT, Spends};
use crate::store::{LOCK_TIMEOUT, OpId, STORE_TIMEOUT, StoreAct, StoreError, StoreErrorKind, StoreOp, Stored};
use crate::wire::Body;

/// New credentials that cannot be saved are announced after this.
pub const TELL_AFTER: Duration = Duration::from_secs(2);

/// The least time between two looks into the store without a lock.
const LOOK_GAP: Duration = Duration::from_millis(100);

/// What an adapter may be late with an answer.
const GRACE: Duration = Duration::from_secs(1);

/// What a session knows of its store.
#[derive(Default)]
pub(super) struct Cell {
    op: Option<Asked>,
    last_op: OpId,
    hold: Option<Hold>,
    /// The revision that what is held is based on.
    seen: Option<u64>,
    /// From this revision on, what is there may go back to a save of ours that failed.
    tried: Option<u64>,
    /// What was seen there was a sign-out.
    seen_left: bool,
    /// Whether anybody has looked into it at all.
    looked: bool,
    /// Somebody may have written.
    look: bool,
    look_at: Duration,
    /// Counts what has changed here; what of that is saved.
    changes: u64,
    saved: u64,
    failures: u32,
    /// No attempt to save before this.
    save_at: Duration,
    error: Option<StoreError>,
    /// The login as it stands in the store.
    login: Option<Secret>,
    /// Whose session it is, since a person said so.
    account: Option<String>,
    /// A person has decided here: what the store holds does not count.
    takes_over: bool,
    /// What was held when somebody signed out: it is being revoked already.
    given_up: Option<Arc<Credentials>>,
}

/// An operation that is out.
struct Asked {
    id: OpId,
    what: What,
    since: Now,
    deadline: Duration,
}

#[derive(Clone, Copy)]
enum What {
    Look,
    Lock,
    /// Save the state after so many changes.
    Save(Saving),
    SetAside(SavedError),
}

#[derive(Clone, Copy)]
struct Saving {
    revision: u64,
    change: u64,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The one-use token is about to be sent.
    Mark,
    Keep,
}

/// The lock.
struct Hold {
    by: OpId,
    until: Option<Deadline>,
    /// The newest revision known.
    found: u64,
    /// The one-use token that is held is marked as sent.
    marked: bool,
    /// Another program's file is there: it is set aside before it is written over.
    foreign: bool,
    /// What was found and not taken up, because a person signed in here.
    other: Option<Arc<Credentials>>,
    /// Nothing was done under it yet.
    fresh: bool,
}

/// Whether what was read can change behind our back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Lock,
    Nothing,
}

/// What is in a store.
enum Found {
    Nothing,
    Unreadable(SavedError),
    SignedOut { revision: u64 },
    Session { credentials: Box<Credentials>, beside: Beside, foreign: bool },
}

/// How what is there stands to what is held here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Newer,
    Same,
    Older,
}

impl<P: Provider> Session<P> {
    // ---- What the machine asks

    /// Whether the next attempt can be decided on: at once without a store, else only under its lock.
    pub(super) fn may_decide(&mut self) -> bool {
        let needed = self.time_needed();
        let Some(cell) = &mut self.cell else { return true };
        if cell.op.is_some() {
            return false;
        }
        let left = cell.hold.as_ref().map(|hold| (hold.fresh, hold.left(self.now)));
        match left {
            Some((_, left)) if left >= needed => return true,
            Some((true, _)) => {
                let error = StoreError::new(StoreErrorKind::Unusable)
                    .with_source("it does not lock for as long as a renewal may take");
                self.unlock();
                self.fail_waiting(&error);
            }
            Some((false, _)) => {
                self.unlock();
                self.lock();
            }
            None if cell.looked => self.lock(),
            None => self.look(),
        }
        false
    }

    /// Whether this attempt may begin: a one-use token is marked first.
    pub(super) fn may_begin(&mut self, need: Need, position: usize) -> bool {
        let spends = self.spends(self.provider.ladder(need)[position]);
        let Some(hold) = self.cell.as_mut().and_then(|cell| cell.hold.as_mut()) else { return true };
        hold.fresh = false;
        if spends != Spends::OneUse || hold.marked {
            return true;
        }
        self.save(Purpose::Mark);
        false
    }

    /// How long a request under the lock may take, so that its answer can still be saved.
    pub(super) fn time_under_lock(&self) -> Duration {
        let Some(cell) = &self.cell else { return Duration::MAX };
        cell.hold.as_ref().map_or(Duration::ZERO, |hold| hold.left(self.now).saturating_sub(STORE_TIMEOUT))
    }

    /// Whether an answer of the store, or of a save, comes before anything else.
    pub(super) fn awaits_store(&self) -> bool {
        self.pending.is_some() || self.cell.as_ref().is_some_and(|cell| cell.op.is_some())
    }

    /// New credentials, by whatever way: with a store they are saved first.
    pub(super) fn save_and_announce(&mut self, granted: Granted) {
        let Some(cell) = &mut self.cell else { return self.announce(granted) };
        cell.changes += 1;
        cell.save_at = Duration::ZERO;
        if let Some(hold) = &mut cell.hold {
            hold.marked = false;
        }
        // What comes from a save is no news.
        if granted.origin == Origin::Saved {
            return self.announce(granted);
        }
        self.tell_at = self.now.monotonic.saturating_add(TELL_AFTER);
        self.pending = Some(granted);
    }

    /// The one-use token was not sent after all.
    pub(super) fn take_mark_back(&mut self) {
        if let Some(cell) = &mut self.cell
            && let Some(hold) = &mut cell.hold
            && std::mem::take(&mut hold.marked)
        {
            cell.changes += 1;
        }
    }

    /// Somebody may have written meanwhile.
    pub(super) fn look_again(&mut self) {
        if let Some(cell) = &mut self.cell {
            cell.look |= cell.looked;
        }
    }

    // ---- What commands change

    /// A person signs in: what the store holds does not count.
    pub(super) fn take_over_store(&mut self, displaced: Option<Arc<Credentials>>) {
        let account = self.login.as_ref().and_then(|login| self.provider.user_id(login)).map(str::to_owned);
        if let Some(cell) = &mut self.cell {
            (cell.takes_over, cell.given_up, cell.login, cell.account) = (true, None, None, account);
            if let Some(hold) = &mut cell.hold {
                hold.other = hold.other.take().or(displaced);
            }
        }
    }

    /// The new login is no good: what the store holds counts again.
    pub(super) fn leave_store(&mut self) {
        if let Some(cell) = &mut self.cell
            && std::mem::take(&mut cell.takes_over)
        {
            // What was found under this lock was not looked at.
            self.unlock();
        }
    }

    /// A person has signed in here: no other lease is renewed from what was held before, which the store may know
    /// better.
    pub(super) fn waits_for_login(&self, need: Need) -> bool {
        need != Need::Access && self.is_taking_over()
    }

    /// A person has signed in here, and that has not brought anything yet.
    fn is_taking_over(&self) -> bool {
        let takes_over = self.cell.as_ref().is_some_and(|cell| cell.takes_over);
        takes_over && self.leases[Need::Access.index()].login_first
    }

    /// Credentials come from outside. A grant replaces what the store holds; a save only fills an empty store.
    pub(super) fn replace_stored(&mut self, origin: Origin, displaced: Option<Arc<Credentials>>) {
        if let Some(cell) = &mut self.cell {
            (cell.takes_over, cell.given_up, cell.login) = (origin == Origin::Issued, None, None);
            cell.account = None;
            if let Some(hold) = &mut cell.hold {
                hold.other = hold.other.take().or(displaced);
            }
            if origin == Origin::Saved {
                (cell.seen, cell.looked) = (None, false);
            }
        }
    }

    /// Signed out: the store is cleared.
    pub(super) fn clear_store(&mut self) {
        let held = self.credentials.clone();
        if let Some(cell) = &mut self.cell {
            (cell.takes_over, cell.given_up, cell.login) = (false, held, None);
            (cell.failures, cell.error, cell.save_at) = (0, None, Duration::ZERO);
            cell.changes += 1;
            self.revocations.extend(cell.hold.as_mut().and_then(|hold| hold.other.take()));
        }
    }

    /// The login is not kept any longer.
    pub(super) fn forget_stored_login(&mut self) {
        if let Some(cell) = &mut self.cell
            && (cell.login.take().is_some() || self.policy.stored_login == StoredLogin::Kept)
        {
            cell.changes += 1;
        }
    }

    // ---- Getters

    /// Whether something is to be saved, and there is something to save.
    pub(super) fn has_unsaved(&self) -> bool {
        // A person is signing in: what is held from before is not put over what the store holds.
        let kept = self.credentials.is_some() && !self.is_taking_over();
        let held = self.pending.is_some() || kept;
        self.cell
            .as_ref()
            .is_some_and(|cell| cell.changes != cell.saved && (held || self.standing == Standing::SignedOut))
    }

    /// Whether a sign-out has still to be tried at the store.
    pub(super) fn is_clearing(&self) -> bool {
        let tried = self.cell.as_ref().is_some_and(|cell| cell.failures > 0);
        self.standing == Standing::SignedOut && self.has_unsaved() && !tried
    }

    /// Why what is held is not saved, if the last try failed.
    pub(super) fn save_error(&self) -> Option<&StoreError> {
        let cell = self.cell.as_ref()?;
        cell.error.as_ref().filter(|_| cell.changes != cell.saved)
    }

    /// When the store has to be looked at again.
    pub(super) fn store_timer(&self) -> Option<Duration> {
        let cell = self.cell.as_ref()?;
        let renewing = matches!(self.slot, Slot::Renewing(_));
        let tell = self.pending.as_ref().map(|_| self.tell_at);
        let work = match &cell.op {
            Some(op) => Some(op.deadline),
            None if self.has_unsaved() => Some(cell.save_at).filter(|_| !renewing),
            None if self.wants_to_look() => Some(cell.look_at),
            None => None,
        };
        let end = cell
            .hold
            .as_ref()
            .and_then(|hold| hold.until)
            .map(|until| self.now.monotonic.saturating_add(until.remaining(self.now)));
        [tell, work, end].into_iter().flatten().min()
    }

    fn wants_to_look(&self) -> bool {
        self.standing == Standing::SignedIn
            && matches!(self.slot, Slot::Free)
            && self.pending.is_none()
            && self.cell.as_ref().is_some_and(|cell| cell.look && cell.hold.is_none())
    }

    /// The longest that an attempt with everything around it takes.
    fn time_needed(&self) -> Duration {
        self.policy.request_timeout.unwrap_or(REQUEST_TIMEOUT).saturating_add(STORE_TIMEOUT)
    }

    // ---- Time

    /// Gives up what took too long.
    pub(super) fn look_at_store_clocks(&mut self) {
        let now = self.now;
        let Some(cell) = &mut self.cell else { return };
        if let Some(late) = cell.op.take_if(|op| op.deadline <= now.monotonic) {
            self.store_failed(late.what, &StoreErrorKind::TimedOut.into());
        }
        if let Some(cell) = &mut self.cell {
            cell.hold.take_if(|hold| hold.until.is_some_and(|until| until.is_past(now)));
        }
        if self.tell_at <= now.monotonic
            && let Some(granted) = self.pending.take()
        {
            self.announce(granted);
        }
    }

    /// Saves what is to be saved, looks where that was asked for, and gives the lock back.
    pub(super) fn tend_store(&mut self) {
        let unsaved = self.has_unsaved();
        let looks = self.wants_to_look();
        let renewing = matches!(self.slot, Slot::Renewing(_));
        let Some(cell) = &self.cell else { return };
        if cell.op.is_some() {
            return;
        }
        let now = self.now.monotonic;
        match &cell.hold {
            Some(_) if renewing => {}
            Some(_) if unsaved && cell.save_at <= now => self.save(Purpose::Keep),
            // Others wait: they would renew with what is already spent.
            Some(_) if unsaved => {}
            Some(_) => self.unlock(),
            None if unsaved && cell.save_at <= now => self.lock(),
            None if looks && cell.look_at <= now => self.look(),
            None => {}
        }
    }

    // ---- Asking

    fn ask(&mut self, act: StoreAct, timeout: Duration, what: Option<What>) -> OpId {
        let now = self.now;
        let Some(cell) = &mut self.cell else { return OpId::default() };
        cell.last_op = OpId(cell.last_op.0.wrapping_add(1));
        let id = cell.last_op;
        if let Some(what) = what {
            let deadline = now.monotonic.saturating_add(timeout).saturating_add(GRACE);
            cell.op = Some(Asked { id, what, since: now, deadline });
        }
        self.outputs.push_back(Output::Store(StoreOp { id, act, timeout }));
        id
    }

    fn look(&mut self) {
        if let Some(cell) = &mut self.cell {
            cell.look = false;
            cell.look_at = self.now.monotonic.saturating_add(LOOK_GAP);
        }
        self.ask(StoreAct::Read, STORE_TIMEOUT, Some(What::Look));
    }

    fn lock(&mut self) {
        // A request, the mark before it and the save after it, and a bit.
        let lease = self.time_needed().saturating_add(2 * STORE_TIMEOUT);
        self.ask(StoreAct::Lock { lease }, LOCK_TIMEOUT + STORE_TIMEOUT, Some(What::Lock));
    }

    fn unlock(&mut self) {
        if let Some(hold) = self.cell.as_mut().and_then(|cell| cell.hold.take()) {
            self.ask(StoreAct::Unlock { lock: hold.by }, STORE_TIMEOUT, None);
        }
    }

    fn save(&mut self, purpose: Purpose) {
        let Some(cell) = &self.cell else { return };
        let Some(hold) = &cell.hold else { return };
        let lock = hold.by;
        let changed = cell.changes != cell.saved;
        let saving = Saving { revision: hold.found + u64::from(changed), change: cell.changes, purpose };
        if hold.foreign {
            let what = What::SetAside(SavedError::Malformed { what: "it is of another program" });
            self.ask(StoreAct::SetAside { lock }, STORE_TIMEOUT, Some(what));
            return;
        }
        let record = self.record(saving);
        self.ask(StoreAct::Write { lock, record }, STORE_TIMEOUT, Some(What::Save(saving)));
    }

    /// What is held, as a record.
    fn record(&self, saving: Saving) -> Body {
        let (name, realm) = (self.provider.name(), self.provider.realm());
        let held = self.pending.as_ref().map(|granted| &granted.credentials).or(self.credentials.as_deref());
        let Some(held) = held.filter(|_| self.standing == Standing::SignedIn) else {
            return RecordOf::signed_out(name, &realm, saving.revision);
        };
        let new = self.pending.as_ref().is_some_and(|granted| granted.covers[Need::Access.index()]);
        let sent = saving.purpose == Purpose::Mark || (!new && self.is_in_doubt());
        let beside = Beside {
            revision: Some(saving.revision),
            refresh_sent_at: sent.then_some(self.now.wall),
            login: self.login_to_keep(),
        };
        Saved::new(name, realm, held.clone()).write(&beside)
    }

    /// The login for the record: ours where that is wished for, else the one that is there already.
    fn login_to_keep(&self) -> Option<Secret> {
        let ours = || self.provider.write_login(self.login.as_ref()?);
        let kept = self.policy.stored_login == StoredLogin::Kept && self.has_login();
        let ours = if kept { ours() } else { None };
        ours.or_else(|| self.cell.as_ref()?.login.clone())
    }

    /// Whether a one-use token went out, and nobody knows what became of it.
    fn is_in_doubt(&self) -> bool {
        self.one_use_positions().any(|(need, position)| {
            let lease = &self.leases[need.index()];
            lease.is_lost(position) || lease.is_ruled_out(position)
        })
    }

    fn doubt(&mut self) {
        let positions: Vec<_> = self.one_use_positions().collect();
        for (need, position) in positions {
            self.leases[need.index()].lose(position);
        }
    }

    fn one_use_positions(&self) -> impl Iterator<Item = (Need, usize)> {
        Need::ALL.into_iter().flat_map(move |need| {
            let rungs = self.provider.ladder(need).iter().enumerate();
            let one_use = rungs.filter(|(_, rung)| self.spends(**rung) == Spends::OneUse);
            one_use.map(move |(position, _)| (need, position))
        })
    }

    // ---- Answers

    pub(super) fn stored(&mut self, id: OpId, result: Result<Stored, StoreError>) {
        let Some(cell) = &mut self.cell else { return };
        let Some(asked) = cell.op.take_if(|op| op.id == id) else {
            if let Ok(Stored::Locked { .. }) = result {
                self.ask(StoreAct::Unlock { lock: id }, STORE_TIMEOUT, None);
            }
            return;
        };
        match (asked.what, result) {
            (What::Look, Ok(Stored::Read(record))) => {
                cell.looked = true;
                self.examine(record.as_ref(), Under::Nothing);
            }
            (What::Lock, Ok(Stored::Locked { record, held_for })) => {
                let until = held_for.map(|held_for| Deadline::after(asked.since, held_for));
                (cell.looked, cell.look) = (true, false);
                cell.hold = Some(Hold::new(id, until));
                self.examine(record.as_ref(), Under::Lock);
            }
            (What::Save(saving), Ok(Stored::Done)) => self.was_saved(saving),
            (What::SetAside(error), Ok(Stored::Done)) => {
                if let Some(hold) = &mut cell.hold {
                    hold.foreign = false;
                }
                self.outputs.push_back(Output::Event(Event::SetAside { error }));
            }
            (what, Ok(_)) => {
                let error = StoreError::new(StoreErrorKind::Unavailable).with_source("the answer to something else");
                self.store_failed(what, &error);
            }
            (what, Err(error)) => self.store_failed(what, &error),
        }
    }

    /// Whoever carried out the operations is gone.
    pub(super) fn store_gone(&mut self) {
        let Some(cell) = &mut self.cell else { return };
        cell.hold = None;
        if let Some(asked) = cell.op.take() {
            let error = StoreError::new(StoreErrorKind::MaybeWritten).with_source("the operation was given up");
            self.store_failed(asked.what, &error);
        }
    }

    pub(super) fn store_changed(&mut self) {
        if let Some(cell) = &mut self.cell {
            // What we write ourselves is no news.
            cell.look |= cell.hold.is_none();
        }
    }

    fn was_saved(&mut self, saving: Saving) {
        let signs_in = self.is_taking_over() && self.pending.is_none();
        let Some(cell) = &mut self.cell else { return };
        let news = cell.changes != cell.saved;
        if let Some(hold) = &mut cell.hold {
            (hold.found, hold.other) = (saving.revision, None);
            hold.marked |= saving.purpose == Purpose::Mark;
        }
        (cell.seen, cell.failures) = (Some(saving.revision), 0);
        (cell.seen_left, cell.tried) = (self.standing == Standing::SignedOut, None);
        if cell.changes != saving.change {
            return;
        }
        cell.saved = saving.change;
        (cell.error, cell.takes_over, cell.given_up) = (None, signs_in, None);
        if news {
            self.outputs.push_back(Output::Event(Event::Saved));
        }
        let login = self.login_to_keep();
        if let Some(cell) = &mut self.cell {
            cell.login = login;
        }
        if let Some(granted) = self.pending.take() {
            self.announce(granted);
        }
    }

    fn store_failed(&mut self, what: What, error: &StoreError) {
        let pause = match &mut self.cell {
            Some(cell) => {
                cell.failures = cell.failures.saturating_add(1);
                self.random.backoff(cell.failures).min(MAX_BACKOFF_ASKED)
            }
            None => return,
        };
        if let Some(cell) = &mut self.cell {
            cell.save_at = self.now.monotonic.saturating_add(pause);
            if error.kind() == StoreErrorKind::Lost {
                cell.hold = None;
            }
            // It may be there, or come late: what is written next is another revision.
            if let (What::Save(saving), Some(hold)) = (&what, &mut cell.hold) {
                hold.found = hold.found.max(saving.revision);
            }
            let maybe = matches!(error.kind(), StoreErrorKind::MaybeWritten | StoreErrorKind::TimedOut);
            if let (What::Save(saving), true) = (&what, maybe) {
                cell.tried.get_or_insert(saving.revision);
            }
        }
        self.fail_save(error);
        match what {
            What::Save(Saving { purpose: Purpose::Keep, .. }) => {}
            What::Look | What::Lock | What::Save(_) | What::SetAside(_) => self.fail_waiting(error),
        }
    }

    /// Says that what is held is not saved.
    fn fail_save(&mut self, error: &StoreError) {
        if !self.has_unsaved() {
            return;
        }
        if let Some(cell) = &mut self.cell {
            cell.error = Some(error.clone());
        }
        self.outputs.push_back(Output::Event(Event::NotSaved { error: error.clone() }));
    }

    /// Nothing is asked of the service without the store: whoever waits is told.
    fn fail_waiting(&mut self, error: &StoreError) {
        for need in Need::ALL {
            if self.is_ready(need) {
                self.back_off(need, "store", error.clone().into());
            }
        }
    }

    // ---- What is in the store

    fn examine(&mut self, record: Option<&Body>, under: Under) {
        match self.understand(record) {
            Ok(Found::Nothing) => self.find_gone(0, under),
            Ok(Found::Unreadable(error)) => self.find_unreadable(error, under),
            Ok(Found::SignedOut { revision }) => self.find_signed_out(revision, under),
            Ok(Found::Session { credentials, beside, foreign }) => {
                self.find_session(*credentials, beside, foreign, under);
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
    }

    /// An error where it is somebody else's: it is left as it is.
    fn understand(&self, record: Option<&Body>) -> Result<Found, SavedError> {
        let Some(record) = record else { return Ok(Found::Nothing) };
        let (name, realm) = (self.provider.name(), self.provider.realm());
        let read = match RecordOf::parse(record.as_ref(), self.now) {
            Ok(RecordOf::SignedOut { provider, realm: at, revision }) => {
                if provider != name || at != realm {
                    return Err(SavedError::OtherProvider);
                }
                return Ok(Found::SignedOut { revision: revision.unwrap_or(0) });
            }
            Ok(RecordOf::Session { saved, beside }) => Ok((*saved, beside, false)),
            Err(SavedError::Malformed { .. }) => {
                let read = self.provider.read_saved(record.as_ref(), self.now);
                read.map(|saved| (saved, Beside::default(), true))
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

    /// There is nothing, or what is there is older than what was seen.
    fn find_gone(&mut self, revision: u64, under: Under) {
        let held = self.pending.is_some() || self.credentials.is_some();
        let Some(cell) = &mut self.cell else { return };
        let seen = cell.seen;
        if let Some(hold) = &mut cell.hold {
            hold.found = seen.unwrap_or(0).max(revision);
        }
        if !held || self.standing == Standing::SignedOut {
            return;
        }
        cell.changes += u64::from(cell.changes == cell.saved);
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
        let Some(cell) = &mut self.cell else { return };
        // Two branches of one history: somebody signed out in what the store had forgotten.
        if age == Age::Same && !cell.seen_left {
            age = Age::Newer;
        }
        let restored = cell.seen.is_none() && self.credentials.is_some();
        match age {
            Age::Older => return self.find_gone(revision, under),
            Age::Newer if !cell.takes_over && !restored && self.standing == Standing::SignedIn => {
                // Somebody else signed out: nothing is held any longer. Whoever asks again may sign in again.
                (cell.seen, cell.saved, cell.login) = (Some(revision), cell.changes, None);
                cell.seen_left = true;
                self.pending = None;
                self.forget_credentials();
            }
            Age::Newer | Age::Same => {}
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
        let mut age = self.age(revision);
        let sent = beside.refresh_sent_at.is_some();
        let held = self.pending.as_ref().map(|granted| &granted.credentials).or(self.credentials.as_deref());
        let other = held.filter(|held| {
            let theirs = &credentials.account().user_id;
            same_user(&held.account().user_id, theirs) && !credentials.is_same(Need::Access, held)
        });
        // Somebody has signed in since, or renewed what we have saved after all.
        let issued_later = other.is_some_and(|held| credentials.issued_at() > held.issued_at());
        let tried = self.cell.as_ref().and_then(|cell| cell.tried).is_some_and(|tried| revision >= tried);
        let goes_on = tried && other.is_some();
        let Some(cell) = &mut self.cell else { return };
        if cell.takes_over && goes_on && self.standing == Standing::SignedIn {
            cell.takes_over = false;
            age = Age::Newer;
        }
        if cell.takes_over || self.standing == Standing::SignedOut {
            let held = self.credentials.as_ref().or(cell.given_up.as_ref());
            let known = held.is_some_and(|held| held.is_same(Need::Access, &credentials));
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
        // Nothing is held that it could be the same as.
        let held = self.pending.is_some() || self.credentials.is_some();
        // A store that began anew, where somebody has signed in.
        if !held || age == Age::Older && issued_later {
            age = Age::Newer;
        }
        // Two branches of one history: somebody wrote what the store had forgotten.
        let ours = self.credentials.as_ref().filter(|_| cell.changes == cell.saved);
        if age == Age::Same && ours.is_some_and(|ours| !ours.is_same(Need::Access, &credentials)) {
            age = if sent { Age::Older } else { Age::Newer };
        }
        if age == Age::Older {
            return self.find_gone(revision, under);
        }
        if let Some(hold) = &mut cell.hold {
            (hold.found, hold.foreign) = (revision, foreign);
        }
        let concerns_ours = match age {
            Age::Newer => {
                self.adopt(credentials, beside);
                true
            }
            _ => self.credentials.as_ref().is_some_and(|ours| ours.refreshes_as(&credentials)),
        };
        // Under the lock nobody is still waiting for the answer.
        if sent && concerns_ours && under == Under::Lock && self.pending.is_none() {
            self.doubt();
        }
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
        (cell.seen, cell.saved, cell.error) = (Some(revision.unwrap_or(0)), cell.changes, None);
        (cell.seen_left, cell.tried) = (false, None);
        cell.login.clone_from(&login);
        self.pending = None;
        self.adopt_login(login, first);
        let old = self.credentials.clone();
        let covers = Need::ALL.map(|need| {
            let same = old.as_ref().is_some_and(|old| credentials.is_same(need, old));
            credentials.term(need).is_some() && !same
        });
        if old.as_ref().is_some_and(|old| !old.refreshes_as(&credentials)) {
            let positions: Vec<_> = self.one_use_positions().collect();
            for (need, position) in positions {
                self.leases[need.index()].renew_token(position);
            }
        }
        self.publish(credentials.keeping(old.as_deref()), covers, None, Origin::Saved);
    }

    /// A login that was given here stands against one that was found; one that somebody saved later does not.
    fn adopt_login(&mut self, found: Option<Secret>, first: bool) {
        if self.policy.stored_login != StoredLogin::Kept {
            return;
        }
        let ours = self.login.as_ref().and_then(|login| self.provider.write_login(login));
        let same = match (&ours, &found) {
            (Some(ours), Some(found)) => ours.expose() == found.expose(),
            _ => false,
        };
        match found {
            Some(found) if !same && (self.login.is_none() || !first) => {
                if let Some(login) = self.provider.read_login(found.expose()) {
                    self.login = Some(login);
                    self.login_refused = None;
                    self.leases.iter_mut().for_each(super::Lease::new_login);
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

impl Hold {
    fn new(by: OpId, until: Option<Deadline>) -> Self {
        Self { by, until, found: 0, marked: false, foreign: false, other: None, fresh: true }
    }

    fn left(&self, now: Now) -> Duration {
        self.until.map_or(Duration::MAX, |until| until.remaining(now))
    }
}
