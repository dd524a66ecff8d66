//! Every transition of a session's dealings with its store.
//!
//! Whatever a session wants to renew, it first looks into the store, then locks it, and decides under the lock. One
//! operation is out at a time.
//!
//! | what comes | what follows |
//! | --- | --- |
//! | read: newer than what is held | taken up whole, nothing merged |
//! | read: newer, and written by a clock that cannot be ours | dated by when the store last had nothing newer |
//! | read: of the revision that was seen, and something else | a store that forgot: of two branches the later one stands |
//! | read: older, or gone | the store went back: what is held stands and is saved; its one-use token is in doubt |
//! | locked, nothing newer | the attempt begins; where it spends a one-use token, that is marked in the store first |
//! | locked, with a mark on the token that is held | somebody sent it and got no answer: the rule *lost answer* |
//! | locked, and what is there belongs to somebody else | given back; callers are told |
//! | locked, and what is there cannot be understood | set aside, and the store is as good as empty |
//! | something else came between the mark and the sending | the mark stays while the token may still be sent, else it is taken back |
//! | a grant | saved, then announced; announced unsaved after [`SAVE_GRACE`] |
//! | a login that is refused or answered oddly, a service that asks for rest | likewise |
//! | read: failures that others met | heeded: no login that was refused to them, no request before its time |
//! | saving fails | said, and tried again; the lock is kept as long as it can be |
//! | saved, and nothing more to do | unlocked |
//! | locking or marking fails | nothing is sent; callers are told; after a pause again |
//! | a sign-in while a grant is being saved | the grant is announced at once: the token before it is spent |
//! | a login that is no good, where somebody had signed out | the sign-out stands; one that was not yet written is |
//! | a login that is no good, over a session | what the store holds counts again |
//! | a login that is no good, after another one here has brought a grant | that grant is saved; no sign-out of before comes back |
//! | a login that is noted, a session without a login that saves | what others met stays in the record: a rate limit, a refused login |
//! | a login that is forgotten while something runs under the lock | that is given up, and the lock given back; an answer to a one-use token is waited for |
//! | read, while a login rests: a session of the same account | taken up in place of the sign-in that waits |
//! | read: no quiet any more, of which a record had told | it is over here, too; one that the service told of here is not |
//! | a sign-out | written in place of the session, which is revoked; tried again until it is there |
//! | read: a sign-out that is newer | signed out here, too; what was never saved is revoked |
//! | read, while signed out: a newer session | somebody has signed in since: taken up whole |
//! | read, before a sign-in of ours is saved: a sign-out that was not there at the first look | it came later, and counts |
//! | read, before a sign-out of ours could be written: somebody signed in later than that | the sign-out is over |
//! | an answer to what was given up | a late lock is given back |

mod answers;
mod asking;
mod failures;
mod found;
mod state;

use std::sync::Arc;
use std::time::Duration;

pub(in crate::session) use self::state::{Busy, StoreSync};
use self::state::{Decided, HeldLock, LoginBeside, Note, Operation, Over, PendingSignOut, Purpose};
use super::flight::{InFlight, Mode, Source};
use super::pending::{Failed, Granted, Pending, Unreported};
use super::{Session, SignOut};
use crate::credentials::{Credentials, LeaseId, Timestamp};
use crate::exchange::{Consumes, Provider, REQUEST_TIMEOUT};
use crate::store::{STORE_TIMEOUT, StoreError, StoreErrorKind};

/// How long new credentials are held back while they are being saved: 2 seconds. After that they are handed out
/// unsaved, and saving goes on.
pub const SAVE_GRACE: Duration = Duration::from_secs(2);

/// The least time between two looks into the store without a lock.
const PEEK_INTERVAL: Duration = Duration::from_millis(100);

/// What an adapter may be late with an answer.
const GRACE: Duration = Duration::from_secs(1);

impl<P: Provider> Session<P> {
    // ---- What the machine asks

    /// Whether the next attempt can be decided on: at once without a store, else only under its lock.
    pub(super) fn may_decide(&mut self) -> bool {
        let needed = self.time_needed();
        let Some(cell) = &mut self.store else { return true };
        if cell.op.is_some() {
            return false;
        }
        let left = cell.held_lock.as_ref().map(|hold| (hold.untouched, hold.left(self.now)));
        match left {
            Some((_, left)) if left >= needed => return true,
            Some((true, _)) => {
                let error = StoreError::new(StoreErrorKind::Unusable)
                    .with_source("it does not lock for as long as a renewal may take");
                self.unlock();
                self.fail_callers(&error);
            }
            Some((false, _)) => {
                self.unlock();
                self.lock();
            }
            None if cell.look.is_done => self.lock(),
            None => self.poll(),
        }
        false
    }

    /// Whether this attempt may begin: a one-use token is marked first.
    pub(super) fn may_begin(&mut self, lease_id: LeaseId, position: usize) -> bool {
        let consumes = self.consumes(self.provider.methods(lease_id)[position]);
        let Some(hold) = self.store.as_mut().and_then(|cell| cell.held_lock.as_mut()) else { return true };
        hold.untouched = false;
        if consumes != Consumes::RefreshToken || hold.marked {
            return true;
        }
        self.save(Purpose::Mark);
        false
    }

    /// How long a request under the lock may take, so that its answer can still be saved.
    pub(super) fn time_under_lock(&self) -> Duration {
        let Some(cell) = &self.store else { return Duration::MAX };
        cell.held_lock.as_ref().map_or(Duration::ZERO, |hold| hold.left(self.now).saturating_sub(STORE_TIMEOUT))
    }

    /// Whether an answer of the store, or of a save, comes before anything else.
    pub(super) fn awaits_store(&self) -> bool {
        self.unreported.is_some() || self.store.as_ref().is_some_and(|cell| cell.op.is_some())
    }

    /// New credentials, by whatever way: with a store they are saved first.
    pub(super) fn save_and_announce(&mut self, granted: Granted) {
        let Some(cell) = &mut self.store else { return self.announce(granted) };
        cell.unsaved.changes += 1;
        cell.unsaved.note = Note::None;
        cell.unsaved.retry_at = Duration::ZERO;
        if let Some(hold) = &mut cell.held_lock {
            hold.marked = false;
        }
        if let Decided::SignIn { over, .. } = &mut cell.claim.decided
            && granted.origin == Source::Issued
            && granted.covers[LeaseId::Access.index()]
        {
            // The login was good: no sign-out waits beneath it.
            *over = Over::Session;
        }
        // What comes from a save is no news.
        if granted.origin == Source::SavedSession {
            return self.announce(granted);
        }
        self.save_before_telling(Pending::Granted(Box::new(granted)));
    }

    /// A failure of which others on the store have to know: with a store it is saved first.
    pub(super) fn save_and_fail(&mut self, failed: Failed) {
        let takes_over = self.is_taking_over();
        if let Some(cell) = &mut self.store {
            cell.unsaved.retry_at = Duration::ZERO;
            match takes_over {
                true => cell.unsaved.note = Note::Due,
                false => cell.unsaved.changes += 1,
            }
        }
        let locked = self.store.as_ref().is_some_and(|cell| cell.held_lock.is_some());
        let saves = locked && (self.has_unsaved() || self.has_note());
        if !saves {
            return self.conclude(failed);
        }
        self.save_before_telling(Pending::Failed(Box::new(failed)));
    }

    fn save_before_telling(&mut self, what: Pending) {
        let tell_at = self.now.monotonic.saturating_add(SAVE_GRACE);
        self.unreported = Some(Unreported { what, tell_at });
    }

    /// What was being saved is told now.
    pub(super) fn report_pending(&mut self) {
        match self.unreported.take().map(|unreported| unreported.what) {
            Some(Pending::Granted(granted)) => self.announce(*granted),
            Some(Pending::Failed(failed)) => self.conclude(*failed),
            None => {}
        }
    }

    /// Whether the one-use token that is held is marked as sent, by this session.
    fn has_marked(&self) -> bool {
        self.store.as_ref().and_then(|cell| cell.held_lock.as_ref()).is_some_and(|hold| hold.marked)
    }

    /// The one-use token was not sent after all.
    pub(in crate::session) fn take_mark_back(&mut self) {
        if let Some(cell) = &mut self.store
            && let Some(hold) = &mut cell.held_lock
            && std::mem::take(&mut hold.marked)
        {
            cell.known.is_marked = false;
            cell.unsaved.changes += 1;
        }
    }

    /// A mark says that a token was sent. Where something else came between, it goes: whoever found it would have to take
    /// the token for spent.
    pub(in crate::session) fn settle_mark(&mut self) {
        if self.has_marked()
            && (self.is_ending() || !self.awaits_store())
            && matches!(self.exchanges.in_flight, InFlight::Free)
            && self.unreported.is_none()
            && !self.is_in_doubt()
        {
            self.take_mark_back();
        }
    }

    /// Somebody may have written meanwhile.
    pub(super) fn poll_again(&mut self) {
        if let Some(cell) = &mut self.store {
            cell.look.is_wanted |= cell.look.is_done;
        }
    }

    /// Whether the store is being looked into, or will be at once.
    pub(super) fn polls_soon(&self) -> bool {
        let now = self.now.monotonic;
        self.store.as_ref().is_some_and(|cell| match &cell.op {
            Some(op) => matches!(op.what, Operation::Poll),
            None => cell.look.is_wanted && cell.look.at <= now && cell.held_lock.is_none(),
        })
    }

    // ---- What commands change

    /// A person signs in: what the store holds does not count.
    pub(super) fn take_over_store(&mut self, displaced: Option<Arc<Credentials>>, was: Mode) {
        let account = self.login.given.as_ref().and_then(|login| self.provider.account_id(login)).map(str::to_owned);
        if let Some(cell) = &mut self.store {
            cell.begin_sign_in(self.now, was);
            let another = cell.claim.account != account;
            (cell.claim.kept_login, cell.claim.account) = (None, account);
            (cell.unsaved.maybe_written_from, cell.unsaved.note) = (None, Note::None);
            if let Some(hold) = &mut cell.held_lock {
                hold.displaced = hold.displaced.take().or(displaced);
            }
            if another && cell.held_lock.as_ref().is_some_and(|hold| hold.stored.is_none()) {
                // What was found there was looked at for another account.
                self.unlock();
            }
        }
    }

    /// A person says again that he wants to sign in: only a sign-out that comes after that ends it.
    pub(super) fn confirm_sign_in(&mut self) {
        let now = self.now;
        let Some(cell) = self.store.as_deref_mut() else { return };
        let there = cell.revision_there();
        if let Decided::SignIn { at, found, .. } = &mut cell.claim.decided {
            (*at, *found) = (now, there);
            (cell.look.is_wanted, cell.look.at) = (true, Duration::ZERO);
        }
    }

    /// The new login is no good: what the store holds counts again.
    pub(super) fn leave_store(&mut self) {
        if let Some(cell) = &mut self.store
            && cell.takes_over()
        {
            cell.unsaved.changes += u64::from(std::mem::take(&mut cell.unsaved.note) == Note::Due);
            cell.claim.account = None;
            match std::mem::take(&mut cell.claim.decided) {
                Decided::SignIn { over: Over::SignOut { revision, login }, .. } => {
                    // What stands beside it may tell of that login.
                    (cell.look.is_wanted, cell.look.at) = (true, Duration::ZERO);
                    match login {
                        LoginBeside::Kept(login) => self.follow_sign_out(revision, login),
                        LoginBeside::Forgotten => {
                            self.follow_sign_out(revision, None);
                            self.save_anew();
                        }
                    }
                }
                Decided::SignIn { over: Over::UnwrittenSignOut(leaving), .. } => {
                    // It is still to be written.
                    cell.claim.decided = Decided::SignOut(leaving);
                    (cell.unsaved.failures, cell.unsaved.retry_at) = (0, Duration::ZERO);
                    cell.unsaved.changes += u64::from(cell.unsaved.changes == cell.unsaved.saved);
                    let unsaved = self.take_unsaved();
                    self.leave(unsaved);
                }
                _ => {}
            }
            // What was found under this lock was not looked at.
            self.unlock();
        }
    }

    /// Whether what is held or stored may be gone on with, should a new login be no good: not over a sign-out.
    pub(super) fn may_hold_older_session(&self) -> bool {
        let decided = self.store.as_deref().map(|cell| &cell.claim.decided);
        matches!(decided, None | Some(Decided::Nothing | Decided::SignIn { over: Over::Session, .. }))
    }

    /// A person has signed in here: no other lease is renewed from what was held before, which the store may know
    /// better.
    pub(super) fn waits_for_login(&self, lease_id: LeaseId) -> bool {
        let differs = |cell: &StoreSync| matches!(cell.claim.decided, Decided::SignIn { differs: true, .. });
        lease_id != LeaseId::Access && self.store.as_deref().is_some_and(differs) && self.is_taking_over()
    }

    /// A person has signed in here, and that has not brought anything yet.
    fn is_taking_over(&self) -> bool {
        self.store.as_deref().is_some_and(StoreSync::takes_over)
            && self.leases[LeaseId::Access.index()].is_login_first()
    }

    /// When somebody last signed out, for the record.
    fn signed_out_at(&self) -> Option<Timestamp> {
        let cell = self.store.as_ref()?;
        match &cell.claim.decided {
            Decided::SignOut(leaving) => Some(leaving.at),
            _ => cell.known.signed_out_at,
        }
    }

    /// When somebody last signed in, for the record.
    fn signed_in_at(&self) -> Option<Timestamp> {
        let cell = self.store.as_ref()?;
        let pending = self.unreported.as_ref().and_then(|pending| pending.granted());
        let granted = pending.is_some_and(|granted| granted.covers[LeaseId::Access.index()]);
        match cell.claim.decided {
            Decided::SignIn { at, .. } if granted || !self.is_taking_over() => Some(at.wall),
            _ => cell.known.signed_in_at,
        }
    }

    /// Credentials come from outside. A grant replaces what the store holds; a save only fills an empty store.
    pub(super) fn replace_stored(&mut self, origin: Source, displaced: Option<Arc<Credentials>>) {
        if let Some(cell) = &mut self.store {
            cell.begin_sign_in(self.now, Mode::SignedIn);
            if origin == Source::SavedSession {
                cell.claim.decided = Decided::Nothing;
            }
            (cell.unsaved.maybe_written_from, cell.unsaved.note) = (None, Note::None);
            (cell.claim.kept_login, cell.claim.account, cell.known.signed_in_at) = (None, None, None);
            if let Some(hold) = &mut cell.held_lock {
                hold.displaced = hold.displaced.take().or(displaced);
            }
            cell.claim.imports = origin == Source::SavedSession;
            if cell.claim.imports {
                (cell.known.revision, cell.look.is_done) = (None, false);
            }
        }
    }

    /// Signed out: the store is cleared.
    pub(super) fn clear_store(&mut self, login: SignOut, account: Option<String>) {
        if let Some(cell) = &mut self.store {
            let login = match &cell.claim.decided {
                // What was to be forgotten is.
                Decided::SignOut(before) if before.login == SignOut::ForgetLogin => before.login,
                _ => login,
            };
            cell.claim.decided = Decided::SignOut(PendingSignOut { login, at: self.now.wall, account });
            (cell.unsaved.failures, cell.unsaved.error, cell.unsaved.retry_at) = (0, None, Duration::ZERO);
            // Who signs in next may be anybody.
            (cell.claim.account, cell.unsaved.note) = (None, Note::None);
            cell.unsaved.changes += 1;
            self.exchanges.revocations.extend(cell.held_lock.as_mut().and_then(|hold| hold.displaced.take()));
        }
    }

    /// The login is not kept any longer, nor is one that a sign-out left in the store.
    pub(super) fn forget_stored_login(&mut self) {
        let Some(cell) = &mut self.store else { return };
        match &mut cell.claim.decided {
            Decided::SignOut(leaving) | Decided::SignIn { over: Over::UnwrittenSignOut(leaving), .. } => {
                leaving.login = SignOut::ForgetLogin;
            }
            Decided::SignIn { over: Over::SignOut { login, .. }, .. } => *login = LoginBeside::Forgotten,
            Decided::SignIn { .. } | Decided::Nothing => {}
        }
        if cell.claim.kept_login.take().is_some() || self.policy.persist_login {
            cell.unsaved.changes += 1;
        }
    }

    /// What stands there is to be written anew.
    fn save_anew(&mut self) {
        if let Some(cell) = &mut self.store {
            cell.unsaved.changes += 1;
        }
    }

    // ---- Getters

    /// Whether something is to be saved, and there is something to save.
    pub(super) fn has_unsaved(&self) -> bool {
        // A person is signing in: what is held from before is not put over what the store holds.
        let kept = self.credentials.is_some() && !self.is_taking_over();
        let failures = self.has_failures() && !self.is_taking_over();
        let held = self.unreported.as_ref().is_some_and(|pending| pending.granted().is_some()) || kept || failures;
        self.store
            .as_ref()
            .is_some_and(|cell| cell.unsaved.changes != cell.unsaved.saved && (held || self.mode == Mode::SignedOut))
    }

    /// Whether there is something to note beside what was found under the lock.
    fn has_note(&self) -> bool {
        let Some(cell) = &self.store else { return false };
        let is_known = cell.held_lock.as_ref().is_some_and(|hold| hold.stored.is_some());
        cell.unsaved.note == Note::Due && is_known && self.is_taking_over()
    }

    /// What of the store a program that ends would leave half done. Looks leave nothing behind.
    pub(in crate::session) fn store_business(&self) -> Busy {
        let Some(cell) = &self.store else { return Busy::No };
        if self.unreported.is_some() || self.has_unsaved() {
            return Busy::Unsaved;
        }
        let out = cell.op.as_ref().is_some_and(|op| !matches!(op.what, Operation::Poll));
        if cell.held_lock.is_some() || out { Busy::AtWork } else { Busy::No }
    }

    /// Whether a sign-out has still to be tried at the store.
    pub(super) fn is_clearing(&self) -> bool {
        let untried =
            |cell: &StoreSync| matches!(cell.claim.decided, Decided::SignOut(_)) && cell.unsaved.failures == 0;
        self.has_unsaved() && self.store.as_deref().is_some_and(untried)
    }

    /// Whether there is a store that was not read yet: a login that is kept there may still be found.
    pub fn has_unread_store(&self) -> bool {
        self.store.as_ref().is_some_and(|cell| !cell.look.is_done)
    }

    /// Why what is held is not saved, if the last try failed.
    pub(super) fn save_error(&self) -> Option<&StoreError> {
        let cell = self.store.as_ref()?;
        cell.unsaved.error.as_ref().filter(|_| cell.unsaved.changes != cell.unsaved.saved)
    }

    /// When the store has to be looked at again.
    pub(super) fn store_timer(&self) -> Option<Duration> {
        let cell = self.store.as_ref()?;
        let renewing = matches!(self.exchanges.in_flight, InFlight::Renewing(_));
        let tell = self.unreported.as_ref().map(|unreported| unreported.tell_at);
        let work = match &cell.op {
            Some(op) => Some(op.deadline),
            None if self.has_unsaved() || self.has_note() => Some(cell.unsaved.retry_at).filter(|_| !renewing),
            None if self.wants_to_poll() => Some(cell.look.at),
            None => None,
        };
        let end = cell
            .held_lock
            .as_ref()
            .and_then(|hold| hold.expires)
            .filter(|_| !self.is_out_under_lock())
            .map(|until| self.now.monotonic.saturating_add(until.remaining(self.now)));
        [tell, work, end].into_iter().flatten().min()
    }

    /// Whether an exchange that began under the lock is out. Should the lock seem over by a clock that jumped, it may
    /// still be ours at the store: asking for another would give it back in the middle.
    fn is_out_under_lock(&self) -> bool {
        matches!(self.exchanges.in_flight, InFlight::Renewing(_) | InFlight::Orphaned(_))
    }

    fn wants_to_poll(&self) -> bool {
        !self.is_ending()
            && matches!(self.exchanges.in_flight, InFlight::Free)
            && self.unreported.is_none()
            && self.store.as_ref().is_some_and(|cell| cell.look.is_wanted && cell.held_lock.is_none())
    }

    /// The longest that an attempt with everything around it takes.
    fn time_needed(&self) -> Duration {
        self.policy.request_timeout.unwrap_or(REQUEST_TIMEOUT).saturating_add(STORE_TIMEOUT)
    }

    // ---- Time

    /// Gives up what took too long.
    pub(super) fn look_at_store_clocks(&mut self) {
        let now = self.now;
        let out = self.is_out_under_lock();
        let Some(cell) = &mut self.store else { return };
        if let Some(late) = cell.op.take_if(|op| op.deadline <= now.monotonic) {
            self.store_failed(late.what, &StoreErrorKind::TimedOut.into());
        }
        let is_over = |hold: &HeldLock| hold.expires.is_some_and(|until| until.is_past(now));
        if !out && self.store.as_ref().and_then(|cell| cell.held_lock.as_ref()).is_some_and(is_over) {
            // By a clock that jumped, perhaps: the store may have it yet.
            self.unlock();
        }
        if self.unreported.as_ref().is_some_and(|unreported| unreported.tell_at <= now.monotonic) {
            self.report_pending();
        }
    }

    /// Saves what is to be saved, looks where that was asked for, and gives the lock back.
    pub(super) fn tend_store(&mut self) {
        let unsaved = self.has_unsaved();
        let notes = self.has_note();
        let looks = self.wants_to_poll();
        let renewing = matches!(self.exchanges.in_flight, InFlight::Renewing(_));
        let Some(cell) = &self.store else { return };
        if cell.op.is_some() {
            return;
        }
        let now = self.now.monotonic;
        match &cell.held_lock {
            Some(_) if renewing => {}
            Some(_) if notes && cell.unsaved.retry_at <= now => self.save(Purpose::Note),
            Some(_) if notes => {}
            Some(_) if unsaved && cell.unsaved.retry_at <= now => self.save(Purpose::Keep),
            Some(_) if unsaved && self.is_finished() => self.unlock(),
            // Others wait: they would renew with what is already spent.
            Some(_) if unsaved => {}
            Some(_) => self.unlock(),
            None if unsaved && !renewing && cell.unsaved.retry_at <= now => self.lock(),
            None if looks && cell.look.at <= now => self.poll(),
            None => {}
        }
    }
}
