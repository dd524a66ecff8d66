//! What a session does next, and the transitions of its one exchange. What becomes of an answer is in `outcome`,
//! the dealings with a store are in `sharing`.
//!
//! After each input and command [`Session::advance`] looks at the whole state and does what follows from it:
//! there is no other place that begins anything. One exchange is in flight at most; it is in the slot:
//!
//! | the slot | answered with a grant | failed | sign_out | sign_in, accept, restore |
//! | --- | --- | --- | --- | --- |
//! | `Free` | (ignored) | (ignored) | revocations begin | a renewal begins |
//! | `Renewing` | publish, `Free` | by verdict, below; `Free` | `Orphaned` | cancel, `Free` |
//! | `Orphaned` | revoke what came, `Free` | `Free` | stays | stays |
//! | `Revoking` | `Free` | `Free` | stays | stays |
//!
//! | verdict of a failed renewal | the lease |
//! | --- | --- |
//! | `Refused` | rules the rung out until the next grant, and the login if the rung spends it; next rung at once |
//! | `Unsupported` | leaves the rung out for some minutes; next rung at once. Where the rung has worked before, or is the last one: as `Unknown` |
//! | `Unprocessed` | same rung after a pause |
//! | `Unknown` | same rung after a pause; the second time in a row the next rung at once. If the rung spent a one-use token: another rung at once, if there is one |
//!
//! No rung left: the lease stops, until a login or a grant comes. Only a login left that was shown too often lately: the
//! lease waits, and callers hear that a person could sign in.
//!
//! | answered | nothing valid, and somebody waits | else |
//! | --- | --- | --- |
//! | not at all, or with 5xx | a pause of 5 s at most | grows to 5 min |
//! | with another status, no grant | grows to 5 min; with a program's own credentials to an hour | the same |
//! | with 429, or 503 and `Retry-After` | besides: no request of the account before the moment named, or for a minute | the same |
//! | a person's login shown, and neither granted nor refused | besides: at most three times in an hour, eight in a day | the same |

use std::time::Duration;

use super::lease::Lease;
use super::outcome::{Granted, Pending};
use super::schedule::MIN_TIMEOUT;
use super::work::{Place, Task, WORK_TIMEOUT, caught};
use super::{Event, Output, RefreshTokens, Renewal, Session, Timer, Wake};
use crate::credentials::{Credentials, Need, Now, same_user};
use crate::error::{Error, ExchangePhase, ServiceError, TransportError, TransportErrorKind};
use crate::exchange::{Exchange as _, LoginOwner, Provider, Request, RequestId, Spends};

/// Whether the session may ask for credentials at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    SignedIn,
    SignedOut,
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The service, just now.
    Issued,
    /// A save: nobody knows how they fared since.
    Saved,
}

/// The one exchange in flight, and what becomes of its grant. On the heap: most of the time there is none.
pub(super) enum Slot<P: Provider> {
    Free,
    /// It is published.
    Renewing(Box<Flight<P>>),
    /// Somebody signed out meanwhile: it is revoked.
    Orphaned(Box<Flight<P>>),
    /// There is none: the service is told to forget.
    Revoking(Box<Flight<P>>),
}

pub(super) struct Flight<P: Provider> {
    pub(super) place: Place<P::Exchange>,
    /// The request that is out or being made, or the one whose answer is being read.
    pub(super) id: RequestId,
    /// Of what it is at: the request, or the provider's work.
    pub(super) deadline: Duration,
    /// How many requests were sent.
    pub(super) steps: u32,
    pub(super) need: Need,
    /// The position on the ladder of `need`.
    pub(super) position: usize,
}

/// What a provider began; an error where its code panicked.
pub(super) type Begun<X> = Result<X, Error>;

/// What a lease can do now.
pub(super) enum Choice<X> {
    Begin(usize, Begun<X>),
    /// The access token must be renewed first.
    Blocked,
    /// Only the login is left, and it must not be shown before this.
    LoginRests(Duration),
    /// Only what this attempt has passed by already is left.
    Passed,
    /// Nothing is left.
    Exhausted,
}

impl<P: Provider> Session<P> {
    /// Takes the time. The monotonic clock of a broken driver may go back; ours does not.
    pub(super) fn tick(&mut self, now: Now) {
        self.now = Now { wall: now.wall, monotonic: now.monotonic.max(self.now.monotonic) };
    }

    /// Does what follows from the state: tells expiries, ends what took too long, begins what is due.
    pub(super) fn advance(&mut self) {
        self.tell_expiries();
        if let Some(flight) = self.slot.flight()
            && flight.deadline <= self.now.monotonic
        {
            let (id, error) = (flight.id, flight.overdue());
            self.outputs.push_back(Output::Cancel(id));
            self.give_up(error);
        }
        self.look_at_store_clocks();
        if self.login_rests_until().is_none() {
            // Its rest may be over before a lease heard of it: others tell of it by their clocks.
            self.leases.iter_mut().for_each(Lease::waits_for_no_login);
        }
        let is_forgotten = self.leases[Need::Access.index()].login_first && self.login.is_none();
        if is_forgotten && self.pending.is_none() && !self.is_showing_login() {
            self.give_up_login(Need::Access);
        }
        // Each turn begins an exchange, asks the store for something, stops a lease, or finds nothing to do.
        while matches!(self.slot, Slot::Free) && self.pending.is_none() {
            let Some(need) = self.most_urgent() else { break };
            if !self.may_decide() {
                break;
            }
            match self.choose(need) {
                // A one-use token whose answer was lost is not repeated at once.
                Choice::Begin(position, _) if self.leases[need.index()].falls_to_lost(position) => {
                    self.leases[need.index()].hold(self.now);
                }
                Choice::Begin(position, _) if !self.may_begin(need, position) => break,
                Choice::Begin(position, Ok(exchange)) => self.begin(need, position, exchange),
                Choice::Begin(position, Err(error)) => self.not_begun(need, position, error),
                Choice::Blocked => self.want(Need::Access),
                Choice::LoginRests(until) => self.rest_login(need, until),
                Choice::Passed => self.leases[need.index()].hold(self.now),
                Choice::Exhausted if self.leases[need.index()].login_first => self.give_up_login(need),
                Choice::Exhausted => self.stop(need),
            }
        }
        while matches!(self.slot, Slot::Free) {
            let Some(credentials) = self.revocations.pop() else {
                break;
            };
            match caught(|| self.provider.sign_out(&credentials)) {
                Some(Some(exchange)) => {
                    self.slot = Slot::Revoking(self.launch(exchange, Need::Access, 0));
                    self.run_work();
                }
                Some(None) => {}
                None => {
                    let error = Some(Error::from(ServiceError::panicked(ExchangePhase::Request)));
                    self.revocations.ended(error.clone());
                    self.outputs.push_back(Output::Event(Event::Revoked { error }));
                }
            }
        }
        self.settle_mark();
        self.settle_wishes();
        self.tend_store();
    }

    // ---- What is due

    /// The lease to work on now: of those that are due, may begin and are not blocked, the one for which a person has
    /// just signed in, or the one that ends first.
    fn most_urgent(&self) -> Option<Need> {
        let ready = || Need::ALL.into_iter().filter(|need| self.is_ready(*need));
        if let Some(need) = ready().find(|need| self.leases[need.index()].login_first) {
            return Some(need);
        }
        ready().min_by_key(|need| {
            let valid = self.term(*need).filter(|_| self.is_valid(*need));
            valid.map(|term| term.deadline().map_or(Duration::MAX, |deadline| deadline.remaining(self.now)))
        })
    }

    /// Whether an attempt at this lease may begin now, and should.
    pub(super) fn is_ready(&self, need: Need) -> bool {
        self.is_due(need) && self.start_at(need) <= self.now.monotonic && !self.is_queued(need)
    }

    /// When an attempt at this lease may begin at the earliest: not while the service asks to be left alone.
    pub(super) fn start_at(&self, need: Need) -> Duration {
        let quiet = self.quiet.as_ref().map_or(Duration::ZERO, |quiet| quiet.until);
        self.leases[need.index()].start_at().max(quiet)
    }

    pub(super) fn is_due(&self, need: Need) -> bool {
        let lease = &self.leases[need.index()];
        if self.standing == Standing::SignedOut || self.is_ending() || lease.stopped.is_some() {
            return false;
        }
        let by_itself = match self.policy.renewal {
            Renewal::Ahead => true,
            Renewal::Lazy => false,
            Renewal::OneShot if !lease.asked => return false,
            Renewal::OneShot => false,
        };
        lease.forced
            || match self.term(need) {
                Some(term) => {
                    let reached = lease.renewal_at(term, self.now).is_some_and(|at| at <= self.now.monotonic);
                    reached && (lease.asked || by_itself)
                }
                None => lease.asked || (lease.engaged && by_itself),
            }
    }

    /// Whether somebody has made this lease go, or it goes by itself.
    pub(super) fn is_awaited(&self, need: Need) -> bool {
        let lease = &self.leases[need.index()];
        lease.asked || self.is_due(need)
    }

    /// Whether this lease has to wait for the access token: its cheap rungs need a live one, and a sign-in would
    /// bring both.
    pub(super) fn is_blocked(&self, need: Need) -> bool {
        need != Need::Access
            && !self.is_valid(Need::Access)
            && self.leases[Need::Access.index()].stopped.is_none()
            && self.provider.ladder(need).iter().any(|rung| self.provider.builds_on(*rung) == Some(Need::Access))
    }

    /// Whether it waits for the access token, and that is on its way.
    fn is_queued(&self, need: Need) -> bool {
        self.is_blocked(need) && self.is_awaited(Need::Access) || self.waits_for_login(need)
    }

    /// Notes that somebody wants this lease.
    pub(super) fn want(&mut self, need: Need) {
        let valid = self.is_valid(need);
        let lease = &mut self.leases[need.index()];
        lease.asked = true;
        lease.engaged = true;
        if !valid {
            lease.hurry();
        }
        if self.is_blocked(need) {
            // What is on its way may do.
            if !self.is_renewing(need) {
                self.want(Need::Access);
            }
        } else if !valid {
            self.look_again();
        }
    }

    // ---- The ladder

    /// The rung to take: the first that may work. One whose one-use token went out without an answer comes last, and
    /// one whose endpoint does not exist only where there is no other.
    pub(super) fn choose(&self, need: Need) -> Choice<P::Exchange> {
        if self.is_blocked(need) {
            return Choice::Blocked;
        }
        let lease = &self.leases[need.index()];
        let way = self.ways(need).find(|(position, _)| !lease.falls_past(*position));
        if let Some((position, exchange)) = way {
            return Choice::Begin(position, exchange);
        }
        if self.ways(need).next().is_some() {
            return Choice::Passed;
        }
        let rungs = || self.provider.ladder(need).iter().copied().enumerate();
        if self.has_older_way(need) {
            return Choice::Exhausted;
        }
        let mut left =
            rungs().filter(|(position, rung)| !lease.is_ruled_out(*position) && self.makes_sense(need, *rung));
        if let Some(until) = self.login_rests_until()
            && left.clone().any(|(_, rung)| self.shows_person(rung))
        {
            // A cheaper way whose endpoint did not exist may be open again before that.
            let ends = left.filter_map(|(_, rung)| self.endpoints.left_out_until(rung, self.now.monotonic));
            return Choice::LoginRests(ends.fold(until, Duration::min));
        }
        left.find_map(|(position, rung)| Some(Choice::Begin(position, self.exchange(rung)?)))
            .unwrap_or(Choice::Exhausted)
    }

    /// The ways that are open now, in the order in which they are to be tried.
    fn ways(&self, need: Need) -> impl Iterator<Item = (usize, Begun<P::Exchange>)> {
        let lease = &self.leases[need.index()];
        let rungs = || self.provider.ladder(need).iter().copied().enumerate();
        let fresh = rungs().filter(|(position, _)| !lease.is_lost(*position));
        let lost = rungs().filter(|(position, _)| lease.is_lost(*position));
        fresh
            .chain(lost)
            .filter(move |(position, rung)| !lease.is_ruled_out(*position) && self.is_open(need, *rung))
            .filter_map(|(position, rung)| Some((position, self.exchange(rung)?)))
    }

    /// Whether there is a way besides this one, and it is open now.
    pub(super) fn has_way_besides(&self, need: Need, position: usize) -> bool {
        !self.is_blocked(need) && !self.is_last_way(need, position)
    }

    /// Whether there is no other way, were the access token there.
    pub(super) fn is_last_way(&self, need: Need, position: usize) -> bool {
        !self.has_older_way(need) && self.ways(need).all(|(other, _)| other == position)
    }

    /// Whether there is a way besides a new login, which is to be tried first.
    pub(super) fn has_older_way(&self, need: Need) -> bool {
        let lease = &self.leases[need.index()];
        lease.login_first
            && self.may_hold_older_session()
            && self.provider.ladder(need).iter().copied().enumerate().any(|(position, rung)| {
                self.spends(rung) != Spends::Login
                    && !lease.is_ruled_out(position)
                    && !self.endpoints.is_left_out(rung, self.now.monotonic)
                    && self.provider.builds_on(rung).is_none_or(|base| self.is_valid(base))
                    && self.exchange(rung).is_some()
            })
    }

    fn exchange(&self, rung: P::Rung) -> Option<Begun<P::Exchange>> {
        let begun = caught(|| self.provider.begin(rung, self.login.as_ref(), self.credentials.as_deref()));
        let panicked = || ServiceError::panicked(ExchangePhase::Request).into();
        begun.map_or_else(|| Some(Err(panicked())), |exchange| exchange.map(Ok))
    }

    fn is_open(&self, need: Need, rung: P::Rung) -> bool {
        self.makes_sense(need, rung)
            && !self.endpoints.is_left_out(rung, self.now.monotonic)
            && !(self.login_rests_until().is_some() && self.shows_person(rung))
    }

    /// Whether what this rung builds on is there.
    fn makes_sense(&self, need: Need, rung: P::Rung) -> bool {
        let spends_login = self.spends(rung) == Spends::Login;
        let login_first = self.leases[need.index()].login_first;
        (!spends_login || self.has_login())
            && (!login_first || spends_login)
            && self.provider.builds_on(rung).is_none_or(|base| self.is_valid(base))
    }

    /// Until when the login must not be shown.
    pub(super) fn login_rests_until(&self) -> Option<Duration> {
        self.login_state.rests_until(self.now)
    }

    /// Whether this rung shows a person's login, which the service may lock.
    pub(super) fn shows_person(&self, rung: P::Rung) -> bool {
        let owner = || self.login.as_ref().map(|login| self.provider.login_owner(login));
        self.spends(rung) == Spends::Login && owner() == Some(LoginOwner::Person)
    }

    pub(super) fn spends(&self, rung: P::Rung) -> Spends {
        match (self.provider.spends(rung), self.policy.refresh_tokens) {
            (Spends::OneUse, RefreshTokens::Reusable) => Spends::Nothing,
            (spends, _) => spends,
        }
    }

    fn begin(&mut self, need: Need, position: usize, exchange: P::Exchange) {
        let rung = self.provider.describe(self.provider.ladder(need)[position]);
        self.leases[need.index()].begin(self.now);
        self.outputs.push_back(Output::Event(Event::Attempt { need, rung }));
        self.slot = Slot::Renewing(self.launch(exchange, need, position));
        self.run_work();
    }

    fn launch(&mut self, exchange: P::Exchange, need: Need, position: usize) -> Box<Flight<P>> {
        let (id, deadline) = (self.next_request(), self.now.monotonic.saturating_add(WORK_TIMEOUT));
        Box::new(Flight { place: Place::Ready(exchange, Task::Start), id, deadline, steps: 0, need, position })
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        self.last_request = RequestId(self.last_request.0.wrapping_add(1));
        self.last_request
    }

    /// With at most this time. Answers its deadline.
    pub(super) fn send(&mut self, mut request: Request, id: RequestId, most: Duration) -> Duration {
        request.id = id;
        let timeout = self.policy.request_timeout.unwrap_or(request.timeout);
        request.timeout = timeout.min(most).max(MIN_TIMEOUT);
        let deadline = self.now.monotonic.saturating_add(request.timeout);
        self.outputs.push_back(Output::Send(request));
        self.stats.requests += 1;
        deadline
    }

    // ---- Comings and goings

    /// Takes credentials from outside in place of all that is held.
    pub(super) fn take_up(&mut self, credentials: Credentials, origin: Origin) {
        self.drop_flight();
        self.pending = None;
        let displaced = self.credentials.clone();
        self.forget_credentials();
        // A login of another account must not renew these; nor, after a sign-out, one that may be of another.
        let theirs = &credentials.account().user_id;
        let user = self.login.as_ref().and_then(|login| self.provider.user_id(login));
        let same = user.is_some_and(|user| same_user(user, theirs));
        let may_be_theirs = same || self.standing == Standing::SignedIn && (user.is_none() || theirs.is_empty());
        if !may_be_theirs {
            self.drop_login();
        }
        self.endpoints.forget(|_| true);
        self.standing = Standing::SignedIn;
        self.replace_stored(origin, displaced);
        self.save_and_announce(Granted::brought(credentials, origin));
        self.advance();
    }

    /// Whether the login is being shown for the access token just now.
    pub(super) fn is_showing_login(&self) -> bool {
        match &self.slot {
            Slot::Renewing(flight) if flight.need == Need::Access => {
                self.spends(self.provider.ladder(flight.need)[flight.position]) == Spends::Login
            }
            _ => false,
        }
    }

    /// Gives up a renewal in flight, but nothing that was granted. A revocation goes on.
    pub(super) fn drop_flight(&mut self) {
        if let Slot::Renewing(flight) = &self.slot {
            let rung = self.provider.ladder(flight.need)[flight.position];
            if self.spends(rung) == Spends::OneUse && flight.steps > 0 {
                self.leases[flight.need.index()].lose(flight.position);
            }
            self.outputs.push_back(Output::Cancel(flight.id));
            self.slot = Slot::Free;
        }
    }

    pub(super) fn leases_have_new_login(&mut self) {
        for need in Need::ALL {
            let ladder = self.provider.ladder(need).iter().enumerate();
            let shown = ladder.filter(|(_, rung)| self.provider.spends(**rung) == Spends::Login);
            let shows_login = shown.fold(0, |all, (position, _)| all | 1 << position);
            self.leases[need.index()].new_login(shows_login);
        }
    }

    pub(super) fn orphan_flight(&mut self) {
        self.slot = match std::mem::replace(&mut self.slot, Slot::Free) {
            // Nothing of it was sent yet: it need not be.
            Slot::Renewing(flight) if flight.steps == 0 => Slot::Free,
            Slot::Renewing(flight) => Slot::Orphaned(flight),
            slot => slot,
        };
        // Beside an access token that is known already, nothing is to be revoked.
        if let Some(Pending::Granted(granted)) = self.pending.take()
            && granted.covers[Need::Access.index()]
        {
            self.revocations.extend([granted.credentials]);
        }
    }

    pub(super) fn forget_credentials(&mut self) {
        self.credentials = None;
        for lease in &mut self.leases {
            let asked = lease.asked;
            lease.reset();
            lease.asked = asked && self.standing == Standing::SignedIn;
            lease.engaged = lease.asked;
        }
    }

    pub(super) fn is_renewing(&self, need: Need) -> bool {
        matches!(&self.slot, Slot::Renewing(flight) if flight.need == need)
            || self.pending.as_ref().is_some_and(|pending| pending.concerns(need))
    }

    fn tell_expiries(&mut self) {
        for need in Need::ALL {
            let expired = self.term(need).is_some_and(|term| term.is_expired(self.now));
            let lease = &mut self.leases[need.index()];
            if expired && !lease.expiry_told {
                lease.expiry_told = true;
                self.outputs.push_back(Output::Event(Event::Expired { need }));
            }
        }
    }

    /// The one table of timers.
    pub(super) fn timers(&self) -> [Option<Wake>; 6] {
        let wake = |at: Duration, why| Some(Wake { at: at.max(self.now.monotonic), why });
        let flight = self.slot.flight().and_then(|flight| wake(flight.deadline, Timer::RequestDeadline));
        let expiry = |need: Need| {
            let term = self.term(need).filter(|_| !self.leases[need.index()].expiry_told)?;
            let left = term.deadline()?.remaining(self.now);
            wake(self.now.monotonic.saturating_add(left), Timer::Expiry(need))
        };
        let attempt = |need: Need| {
            let lease = &self.leases[need.index()];
            if flight.is_some()
                || self.awaits_store()
                || self.standing == Standing::SignedOut
                || self.is_ending()
                || lease.stopped.is_some()
                || self.is_queued(need)
            {
                None
            } else if self.is_due(need) {
                wake(self.start_at(need), Timer::Retry(need))
            } else if self.policy.renewal == Renewal::Ahead {
                wake(lease.renewal_at(self.term(need)?, self.now)?, Timer::Renewal(need))
            } else {
                None
            }
        };
        let store = self.store_timer().and_then(|at| wake(at, Timer::Store));
        [flight, store, expiry(Need::Access), attempt(Need::Access), expiry(Need::Aws), attempt(Need::Aws)]
    }
}

impl<P: Provider> Flight<P> {
    /// Whether a request with the login was sent.
    pub(super) fn has_shown_login(&self) -> bool {
        let shown = match &self.place {
            Place::Waiting(exchange) | Place::Ready(exchange, _) => caught(|| exchange.has_shown_login()),
            Place::Away => None,
        };
        self.steps > 0 && shown.unwrap_or(true)
    }

    /// What it is to be past the deadline.
    fn overdue(&self) -> Error {
        let late = TransportError::new(TransportErrorKind::TimedOut);
        match self.place {
            Place::Waiting(_) => late,
            _ if self.steps == 0 => TransportError::not_sent("the provider took too long to make the request"),
            _ => late.with_source("the provider took too long to read the answer"),
        }
        .into()
    }
}

impl<P: Provider> Slot<P> {
    pub(super) fn flight(&self) -> Option<&Flight<P>> {
        match self {
            Slot::Free => None,
            Slot::Renewing(flight) | Slot::Orphaned(flight) | Slot::Revoking(flight) => Some(flight),
        }
    }

    pub(super) fn flight_mut(&mut self) -> Option<&mut Flight<P>> {
        match self {
            Slot::Free => None,
            Slot::Renewing(flight) | Slot::Orphaned(flight) | Slot::Revoking(flight) => Some(flight),
        }
    }
}
