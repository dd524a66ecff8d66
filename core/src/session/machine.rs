//! What a session does next, and the transitions of its one exchange. What becomes of an answer is in `outcome`,
//! the dealings with a store are in `sharing`.
//!
//! After each input and command [`Session::advance`] looks at the whole state and does what follows from it:
//! there is no other place that begins anything. One exchange is in flight at most; it is in the slot:
//!
//! | the slot | answered with a grant | failed | sign_out | sign_in, accept, restore |
//! | --- | --- | --- | --- | --- |
//! | `Free` | (ignored) | (ignored) | revocations begin | a renewal begins |
//! | `Renewing` | publish, `Free` | by outcome, below; `Free` | `Orphaned` | cancel, `Free` |
//! | `Orphaned` | revoke what came, `Free` | `Free` | stays | stays |
//! | `Revoking` | `Free` | `Free` | stays | stays |
//!
//! | outcome of a failed renewal | the lease |
//! | --- | --- |
//! | `Rejected` | leaves the method out until the next grant, and the login if the method spends it; next method at once |
//! | `Unsupported` | leaves the method out for some minutes; next method at once. Where the method has worked before, or is the last one: as `Indeterminate` |
//! | `NotProcessed` | same method after a pause |
//! | `Indeterminate` | same method after a pause; the second time in a row the next method at once. If the method spent a one-use token: another method at once, if there is one |
//!
//! No method left: the lease stops, until a login or a grant comes. Only a login left that was shown too often lately: the
//! lease waits, and callers hear that a person could sign in.
//!
//! | answered | nothing valid, and somebody waits | else |
//! | --- | --- | --- |
//! | not at all, or with 5xx | a pause of 5 s at most | grows to 5 min |
//! | with another status, no grant | grows to 5 min; with a program's own credentials to an hour | the same |
//! | with 429, or 503 and `Retry-After` | besides: no request of the account before the moment named, or for a minute | the same |
//! | a person's login shown, and neither granted nor refused | besides: at most three times in an hour, eight in a day | the same |

use std::time::Duration;

use super::flight::{Begun, Choice, InFlight, Mode, RunningExchange, Source};
use super::lease::{Demand, Expiry, Lease, Trigger};
use super::methods::Standing;
use super::pending::{Granted, Pending, Unreported};
use super::schedule::MIN_TIMEOUT;
use super::work::{Place, Task, WORK_TIMEOUT, caught};
use super::{Event, Output, RefreshMode, Session, Timer, Wake};
use crate::credentials::{Credentials, LeaseId, Now, same_account};
use crate::error::{Error, ExchangePhase, ServiceError};
use crate::exchange::{Consumes, LoginOwner, Provider, Request, RequestId};

impl<P: Provider> Session<P> {
    /// Takes the time. The monotonic clock of a broken driver may go back; ours does not.
    pub(super) fn tick(&mut self, now: Now) {
        self.now = Now { wall: now.wall, monotonic: now.monotonic.max(self.now.monotonic) };
    }

    /// Does what follows from the state: tells expiries, ends what took too long, begins what is due.
    pub(super) fn advance(&mut self) {
        self.report_expiries();
        if let Some(flight) = self.exchanges.in_flight.flight()
            && flight.deadline <= self.now.monotonic
        {
            let (id, error) = (flight.id, flight.overdue());
            self.outbox.outputs.push_back(Output::Cancel(id));
            self.give_up(error);
        }
        self.look_at_store_clocks();
        if self.login_rests_until().is_none() {
            // Its rest may be over before a lease heard of it: others tell of it by their clocks.
            self.leases.iter_mut().for_each(Lease::waits_for_no_login);
        }
        let is_forgotten = self.leases[LeaseId::Access.index()].is_login_first() && self.login.given.is_none();
        if is_forgotten && self.unreported.is_none() && !self.is_showing_login() && !self.is_token_out() {
            if self.store.is_some() {
                // The lock is given back, and nothing goes on without it.
                self.drop_flight();
            }
            self.abandon_login(LeaseId::Access);
        }
        // Each turn begins an exchange, asks the store for something, stops a lease, or finds nothing to do.
        while matches!(self.exchanges.in_flight, InFlight::Free) && self.unreported.is_none() {
            let Some(lease_id) = self.most_urgent() else { break };
            if !self.may_decide() {
                break;
            }
            match self.choose(lease_id) {
                // A one-use token whose answer was lost is not repeated at once.
                Choice::Begin(position, _) if self.leases[lease_id.index()].falls_back_to_lost(position) => {
                    self.leases[lease_id.index()].delay(self.now);
                }
                Choice::Begin(position, _) if !self.may_begin(lease_id, position) => break,
                Choice::Begin(position, Ok(exchange)) => self.begin(lease_id, position, exchange),
                Choice::Begin(position, Err(error)) => self.not_begun(lease_id, position, error),
                Choice::Blocked => self.request(LeaseId::Access),
                Choice::LoginRests(until) => self.rest_login(lease_id, until),
                Choice::Passed => self.leases[lease_id.index()].delay(self.now),
                Choice::Exhausted if self.leases[lease_id.index()].is_login_first() => self.abandon_login(lease_id),
                Choice::Exhausted => self.exhaust(lease_id),
            }
        }
        while matches!(self.exchanges.in_flight, InFlight::Free) {
            let Some(credentials) = self.exchanges.revocations.pop() else {
                break;
            };
            match caught(|| self.provider.sign_out(&credentials)) {
                Some(Some(exchange)) => {
                    self.exchanges.in_flight = InFlight::Revoking(self.launch(exchange, LeaseId::Access, 0));
                    self.run_work();
                }
                Some(None) => {}
                None => {
                    let error = Some(Error::from(ServiceError::panicked(ExchangePhase::Request)));
                    self.exchanges.revocations.ended(error.clone());
                    self.outbox.outputs.push_back(Output::Event(Event::Revoked { error }));
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
    fn most_urgent(&self) -> Option<LeaseId> {
        let ready = || LeaseId::ALL.into_iter().filter(|lease_id| self.is_ready(*lease_id));
        if let Some(lease_id) = ready().find(|lease_id| self.leases[lease_id.index()].is_login_first()) {
            return Some(lease_id);
        }
        ready().min_by_key(|lease_id| {
            let valid = self.validity(*lease_id).filter(|_| self.is_valid(*lease_id));
            valid.map(|validity| validity.deadline().map_or(Duration::MAX, |deadline| deadline.remaining(self.now)))
        })
    }

    /// Whether an attempt at this lease may begin now, and should.
    pub(super) fn is_ready(&self, lease_id: LeaseId) -> bool {
        self.is_due(lease_id) && self.start_at(lease_id) <= self.now.monotonic && !self.is_queued(lease_id)
    }

    /// When an attempt at this lease may begin at the earliest: not while the service asks to be left alone.
    pub(super) fn start_at(&self, lease_id: LeaseId) -> Duration {
        let quiet = self.service.quiet.as_ref().map_or(Duration::ZERO, |quiet| quiet.until);
        self.leases[lease_id.index()].start_at().max(quiet)
    }

    pub(super) fn is_due(&self, lease_id: LeaseId) -> bool {
        let lease = &self.leases[lease_id.index()];
        if self.mode == Mode::SignedOut || self.is_ending() || lease.exhausted().is_some() {
            return false;
        }
        let waits = self.is_waited_for(lease_id);
        let by_itself = match self.policy.refresh_mode {
            RefreshMode::Proactive => true,
            RefreshMode::OnDemand => false,
            RefreshMode::OneShot if !waits => return false,
            RefreshMode::OneShot => false,
        };
        lease.trigger != Trigger::None
            || match self.validity(lease_id) {
                Some(validity) => {
                    let reached = lease.renewal_at(validity, self.now).is_some_and(|at| at <= self.now.monotonic);
                    reached && (waits || by_itself)
                }
                None => waits || (lease.demand != Demand::None && by_itself),
            }
    }

    /// Whether somebody waits for this lease, or for one that cannot do without it.
    fn is_waited_for(&self, lease_id: LeaseId) -> bool {
        let waits = |lease_id: &LeaseId| self.leases[lease_id.index()].is_waited_for();
        let depends =
            |other: &LeaseId| lease_id == LeaseId::Access && (self.is_blocked(*other) || self.waits_for_login(*other));
        waits(&lease_id) || LeaseId::ALL.iter().any(|other| waits(other) && depends(other))
    }

    /// Whether somebody has made this lease go, or it goes by itself.
    pub(super) fn is_awaited(&self, lease_id: LeaseId) -> bool {
        let lease = &self.leases[lease_id.index()];
        lease.is_waited_for() || self.is_due(lease_id)
    }

    /// Whether this lease has to wait for the access token: its cheap methods need a live one, and a sign-in would
    /// bring both.
    pub(super) fn is_blocked(&self, lease_id: LeaseId) -> bool {
        lease_id != LeaseId::Access
            && !self.is_valid(LeaseId::Access)
            && self.leases[LeaseId::Access.index()].exhausted().is_none()
            && self
                .provider
                .methods(lease_id)
                .iter()
                .any(|method| self.provider.requires(*method) == Some(LeaseId::Access))
    }

    /// Whether it waits for the access token, and that is on its way.
    fn is_queued(&self, lease_id: LeaseId) -> bool {
        self.is_blocked(lease_id) && self.is_awaited(LeaseId::Access) || self.waits_for_login(lease_id)
    }

    /// Notes that somebody wants this lease.
    pub(super) fn request(&mut self, lease_id: LeaseId) {
        let valid = self.is_valid(lease_id);
        let lease = &mut self.leases[lease_id.index()];
        lease.ask();
        if !valid {
            lease.shorten_backoff();
        }
        if self.is_blocked(lease_id) || self.waits_for_login(lease_id) {
            // What is on its way may do.
            if !self.is_renewing(lease_id) {
                self.request(LeaseId::Access);
            }
        } else if !valid {
            self.poll_again();
        }
    }

    // ---- The methods

    /// The method to take: the first that may work. One whose one-use token went out without an answer comes last, and
    /// one whose endpoint does not exist only where there is no other.
    pub(super) fn choose(&self, lease_id: LeaseId) -> Choice<P::Exchange> {
        self.choose_as(lease_id, self.leases[lease_id.index()].is_moving_on())
    }

    /// The same, were the running attempt to go on.
    pub(super) fn choose_next(&self, lease_id: LeaseId) -> Choice<P::Exchange> {
        self.choose_as(lease_id, true)
    }

    fn choose_as(&self, lease_id: LeaseId, moving_on: bool) -> Choice<P::Exchange> {
        if self.is_blocked(lease_id) {
            return Choice::Blocked;
        }
        let lease = &self.leases[lease_id.index()];
        let way = self.open_methods(lease_id).find(|(position, _)| !lease.has_passed(*position, moving_on));
        if let Some((position, exchange)) = way {
            return Choice::Begin(position, exchange);
        }
        if self.open_methods(lease_id).next().is_some() {
            return Choice::Passed;
        }
        let methods = || self.provider.methods(lease_id).iter().copied().enumerate();
        if self.has_older_method(lease_id) {
            return Choice::Exhausted;
        }
        let mut left = methods().filter(|(position, method)| {
            lease.methods.standing(*position) != Standing::Refused && self.makes_sense(lease_id, *method)
        });
        if let Some(until) = self.login_rests_until()
            && left.clone().any(|(_, method)| self.shows_person(method))
        {
            // A cheaper way whose endpoint did not exist may be open again before that.
            let ends = left.filter_map(|(_, method)| self.service.endpoints.left_out_until(method, self.now.monotonic));
            return Choice::LoginRests(ends.fold(until, Duration::min));
        }
        left.find_map(|(position, method)| Some(Choice::Begin(position, self.exchange(method)?)))
            .unwrap_or(Choice::Exhausted)
    }

    /// The ways that are open now, in the order in which they are to be tried.
    fn open_methods(&self, lease_id: LeaseId) -> impl Iterator<Item = (usize, Begun<P::Exchange>)> {
        let lease = &self.leases[lease_id.index()];
        let methods = || self.provider.methods(lease_id).iter().copied().enumerate();
        let of = |standing| methods().filter(move |(position, _)| lease.methods.standing(*position) == standing);
        of(Standing::Open)
            .chain(of(Standing::AnswerLost))
            .filter(move |(_, method)| self.is_open(lease_id, *method))
            .filter_map(|(position, method)| Some((position, self.exchange(method)?)))
    }

    /// Whether there is a way besides this one, and it is open now.
    pub(super) fn has_other_method(&self, lease_id: LeaseId, position: usize) -> bool {
        !self.is_blocked(lease_id) && !self.is_last_method(lease_id, position)
    }

    /// Whether there is no other way, were the access token there.
    pub(super) fn is_last_method(&self, lease_id: LeaseId, position: usize) -> bool {
        !self.has_older_method(lease_id) && self.open_methods(lease_id).all(|(other, _)| other == position)
    }

    /// Whether there is a way besides a new login, which is to be tried first.
    pub(super) fn has_older_method(&self, lease_id: LeaseId) -> bool {
        let lease = &self.leases[lease_id.index()];
        lease.is_login_first()
            && self.may_hold_older_session()
            && self.provider.methods(lease_id).iter().copied().enumerate().any(|(position, method)| {
                self.consumes(method) != Consumes::LoginAttempt
                    && lease.methods.standing(position) != Standing::Refused
                    && !self.service.endpoints.is_left_out(method, self.now.monotonic)
                    && self.provider.requires(method).is_none_or(|base| self.is_valid(base))
                    && self.exchange(method).is_some()
            })
    }

    fn exchange(&self, method: P::Method) -> Option<Begun<P::Exchange>> {
        let begun = caught(|| self.provider.begin(method, self.login.given.as_ref(), self.credentials.as_deref()));
        let panicked = || ServiceError::panicked(ExchangePhase::Request).into();
        begun.map_or_else(|| Some(Err(panicked())), |exchange| exchange.map(Ok))
    }

    fn is_open(&self, lease_id: LeaseId, method: P::Method) -> bool {
        self.makes_sense(lease_id, method)
            && !self.service.endpoints.is_left_out(method, self.now.monotonic)
            && !(self.login_rests_until().is_some() && self.shows_person(method))
    }

    /// Whether the lease that this method requires is there.
    fn makes_sense(&self, lease_id: LeaseId, method: P::Method) -> bool {
        let spends_login = self.consumes(method) == Consumes::LoginAttempt;
        let login_first = self.leases[lease_id.index()].is_login_first();
        (!spends_login || self.has_login())
            && (!login_first || spends_login)
            && self.provider.requires(method).is_none_or(|base| self.is_valid(base))
    }

    /// Until when the login must not be shown.
    pub(super) fn login_rests_until(&self) -> Option<Duration> {
        self.login.state.rests_until(self.now)
    }

    /// Whether this method shows a person's login, which the service may lock.
    pub(super) fn shows_person(&self, method: P::Method) -> bool {
        let owner = || self.login.given.as_ref().map(|login| self.provider.login_owner(login));
        self.consumes(method) == Consumes::LoginAttempt && owner() == Some(LoginOwner::Person)
    }

    pub(super) fn consumes(&self, method: P::Method) -> Consumes {
        match (self.provider.consumes(method), self.policy.reusable_refresh_tokens) {
            (Consumes::RefreshToken, true) => Consumes::Nothing,
            (consumes, _) => consumes,
        }
    }

    fn begin(&mut self, lease_id: LeaseId, position: usize, exchange: P::Exchange) {
        let method = self.provider.method_name(self.provider.methods(lease_id)[position]);
        self.leases[lease_id.index()].begin(self.now);
        self.outbox.outputs.push_back(Output::Event(Event::RenewalStarted { lease_id, method }));
        self.exchanges.in_flight = InFlight::Renewing(self.launch(exchange, lease_id, position));
        self.run_work();
    }

    fn launch(&mut self, exchange: P::Exchange, lease_id: LeaseId, position: usize) -> Box<RunningExchange<P>> {
        let (id, deadline) = (self.next_request(), self.now.monotonic.saturating_add(WORK_TIMEOUT));
        Box::new(RunningExchange {
            place: Place::Ready(exchange, Task::Start),
            id,
            deadline,
            steps: 0,
            lease_id,
            position,
        })
    }

    pub(super) fn next_request(&mut self) -> RequestId {
        self.exchanges.last_request = RequestId(self.exchanges.last_request.0.wrapping_add(1));
        self.exchanges.last_request
    }

    /// With at most this time. Answers its deadline.
    pub(super) fn send(&mut self, mut request: Request, id: RequestId, most: Duration) -> Duration {
        request.id = id;
        let timeout = self.policy.request_timeout.unwrap_or(request.timeout);
        request.timeout = timeout.min(most).max(MIN_TIMEOUT);
        let deadline = self.now.monotonic.saturating_add(request.timeout);
        self.outbox.outputs.push_back(Output::Send(request));
        self.outbox.stats.requests += 1;
        deadline
    }

    // ---- Comings and goings

    /// Takes credentials from outside in place of all that is held.
    pub(super) fn install(&mut self, credentials: Credentials, origin: Source) {
        self.drop_flight();
        self.unreported = None;
        let displaced = self.credentials.clone();
        self.forget_credentials();
        // A login of another account must not renew these; nor, after a sign-out, one that may be of another.
        let theirs = &credentials.account().id;
        let user = self.login.given.as_ref().and_then(|login| self.provider.account_id(login));
        let same = user.is_some_and(|user| same_account(user, theirs));
        let may_be_theirs = same || self.mode == Mode::SignedIn && (user.is_none() || theirs.is_empty());
        if !may_be_theirs {
            self.drop_login();
        }
        self.service.endpoints.forget(|_| true);
        self.mode = Mode::SignedIn;
        self.replace_stored(origin, displaced);
        self.save_and_announce(Granted::brought(credentials, origin));
        self.advance();
    }

    /// Whether the login is being shown for the access token just now.
    pub(super) fn is_showing_login(&self) -> bool {
        match &self.exchanges.in_flight {
            InFlight::Renewing(flight) if flight.lease_id == LeaseId::Access => {
                self.consumes(self.provider.methods(flight.lease_id)[flight.position]) == Consumes::LoginAttempt
            }
            _ => false,
        }
    }

    /// Gives up a renewal in flight, but nothing that was granted. A revocation goes on.
    pub(super) fn drop_flight(&mut self) {
        if let InFlight::Renewing(flight) = &self.exchanges.in_flight {
            let method = self.provider.methods(flight.lease_id)[flight.position];
            if self.consumes(method) == Consumes::RefreshToken && flight.steps > 0 {
                self.leases[flight.lease_id.index()].methods.lose_answer(flight.position);
            }
            self.outbox.outputs.push_back(Output::Cancel(flight.id));
            self.exchanges.in_flight = InFlight::Free;
        }
    }

    pub(super) fn leases_have_new_login(&mut self) {
        for lease_id in LeaseId::ALL {
            let methods = self.provider.methods(lease_id).iter().enumerate();
            let shown = methods.filter(|(_, method)| self.provider.consumes(**method) == Consumes::LoginAttempt);
            let shows_login = shown.fold(0, |all, (position, _)| all | 1 << position);
            self.leases[lease_id.index()].new_login(shows_login);
        }
    }

    pub(super) fn orphan_flight(&mut self) {
        self.exchanges.in_flight = match std::mem::replace(&mut self.exchanges.in_flight, InFlight::Free) {
            // Nothing of it was sent yet: it need not be.
            InFlight::Renewing(flight) if flight.steps == 0 => InFlight::Free,
            InFlight::Renewing(flight) => InFlight::Orphaned(flight),
            slot => slot,
        };
        // Beside an access token that is known already, nothing is to be revoked.
        if let Some(Unreported { what: Pending::Granted(granted), .. }) = self.unreported.take()
            && granted.covers[LeaseId::Access.index()]
        {
            self.exchanges.revocations.extend([granted.credentials]);
        }
    }

    pub(super) fn forget_credentials(&mut self) {
        self.credentials = None;
        for lease in &mut self.leases {
            let waits = lease.is_waited_for() && self.mode == Mode::SignedIn;
            lease.reset();
            if waits {
                lease.ask();
            }
        }
    }

    pub(super) fn is_renewing(&self, lease_id: LeaseId) -> bool {
        matches!(&self.exchanges.in_flight, InFlight::Renewing(flight) if flight.lease_id == lease_id)
            || self.unreported.as_ref().is_some_and(|unreported| unreported.what.concerns(lease_id))
    }

    fn report_expiries(&mut self) {
        for lease_id in LeaseId::ALL {
            let expired = self.validity(lease_id).is_some_and(|validity| validity.is_expired(self.now));
            let lease = &mut self.leases[lease_id.index()];
            if expired && lease.held.expiry == Expiry::Ahead {
                lease.held.expiry = Expiry::Told;
                self.outbox.outputs.push_back(Output::Event(Event::Expired { lease_id }));
            }
        }
    }

    /// The one table of timers.
    pub(super) fn timers(&self) -> [Option<Wake>; 6] {
        let wake = |at: Duration, why| Some(Wake { at: at.max(self.now.monotonic), why });
        let flight = self.exchanges.in_flight.flight().and_then(|flight| wake(flight.deadline, Timer::RequestDeadline));
        let expiry = |lease_id: LeaseId| {
            let validity =
                self.validity(lease_id).filter(|_| self.leases[lease_id.index()].held.expiry == Expiry::Ahead)?;
            let left = validity.deadline()?.remaining(self.now);
            wake(self.now.monotonic.saturating_add(left), Timer::Expiry(lease_id))
        };
        let attempt = |lease_id: LeaseId| {
            let lease = &self.leases[lease_id.index()];
            if flight.is_some()
                || self.awaits_store()
                || self.mode == Mode::SignedOut
                || self.is_ending()
                || lease.exhausted().is_some()
                || self.is_queued(lease_id)
            {
                None
            } else if self.is_due(lease_id) {
                wake(self.start_at(lease_id), Timer::Retry(lease_id))
            } else if self.policy.refresh_mode == RefreshMode::Proactive {
                wake(lease.renewal_at(self.validity(lease_id)?, self.now)?, Timer::Renewal(lease_id))
            } else {
                None
            }
        };
        let store = self.store_timer().and_then(|at| wake(at, Timer::Store));
        [flight, store, expiry(LeaseId::Access), attempt(LeaseId::Access), expiry(LeaseId::Aws), attempt(LeaseId::Aws)]
    }
}
