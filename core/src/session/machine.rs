//! Every transition of a session.
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
//! | `Unsupported` | leaves the rung out for good; next rung at once |
//! | `Unprocessed` | same rung after a pause |
//! | `Unknown` | same rung after a pause; if the rung spent a one-use token: another rung at once, if there is one |
//!
//! No rung left: the lease stops, until a login or a grant comes.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::MIN_TIMEOUT;
use super::{Event, Output, RefreshTokens, Renewal, Session, Timer, Wake};
use crate::credentials::{AccessToken, AwsCredentials, Credentials, Grant, Need, Now, Term, same_user};
use crate::error::{Error, ServiceError, ServiceErrorKind, SessionError, TransportError, TransportErrorKind, Verdict};
use crate::exchange::{Exchange, MAX_STEPS, Provider, Request, RequestId, Response, Spends, Step};

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

/// The one exchange in flight, and what becomes of its grant.
pub(super) enum Slot<P: Provider> {
    Free,
    /// It is published.
    Renewing(Flight<P>),
    /// Somebody signed out meanwhile: it is revoked.
    Orphaned(Flight<P>),
    /// There is none: the service is told to forget.
    Revoking(Flight<P>),
}

pub(super) struct Flight<P: Provider> {
    exchange: P::Exchange,
    id: RequestId,
    deadline: Duration,
    steps: u32,
    need: Need,
    /// The position on the ladder of `need`.
    position: usize,
}

/// What a lease can do now.
enum Choice<X> {
    Begin(usize, X),
    /// The access token must be renewed first.
    Blocked,
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
            let id = flight.id;
            self.outputs.push_back(Output::Cancel(id));
            self.undelivered(id, TransportError::new(TransportErrorKind::TimedOut).into());
        }
        // Each turn begins an exchange, stops a lease, or finds nothing to do.
        while matches!(self.slot, Slot::Free) {
            let Some(need) = self.most_urgent() else { break };
            match self.choose(need) {
                // A one-use token whose answer was lost is not repeated at once.
                Choice::Begin(position, _) if self.leases[need.index()].falls_to_lost(position) => {
                    self.leases[need.index()].hold(self.now);
                }
                Choice::Begin(position, exchange) => self.begin(need, position, exchange),
                Choice::Blocked => self.want(Need::Access),
                Choice::Exhausted if self.leases[need.index()].login_first => self.give_up_login(need),
                Choice::Exhausted => self.stop(need),
            }
        }
        while matches!(self.slot, Slot::Free) {
            let Some(credentials) = self.revocations.pop_front() else {
                break;
            };
            if let Some(exchange) = self.provider.sign_out(&credentials) {
                let flight = self.launch(exchange, Need::Access, 0);
                self.slot = Slot::Revoking(flight);
            }
        }
    }

    // ---- What is due

    /// The lease to work on now: of those that are due, may begin and are not blocked, the one that ends first.
    fn most_urgent(&self) -> Option<Need> {
        let ready = |need: &Need| {
            self.is_due(*need) && self.leases[need.index()].start_at() <= self.now.monotonic && !self.is_queued(*need)
        };
        Need::ALL.into_iter().filter(ready).min_by_key(|need| {
            let valid = self.term(*need).filter(|_| self.is_valid(*need));
            valid.map(|term| term.deadline().map_or(Duration::MAX, |deadline| deadline.remaining(self.now)))
        })
    }

    fn is_due(&self, need: Need) -> bool {
        let lease = &self.leases[need.index()];
        if self.standing == Standing::SignedOut || lease.stopped.is_some() {
            return false;
        }
        let lazy = self.policy.renewal == Renewal::Lazy;
        lease.forced
            || lease.rejected && (lease.asked || !lazy)
            || match self.term(need) {
                Some(term) => {
                    let reached = lease.renewal_at(term, self.now).is_some_and(|at| at <= self.now.monotonic);
                    reached && (lease.asked || !lazy)
                }
                None => lease.asked || (lease.engaged && !lazy),
            }
    }

    /// Whether somebody has made this lease go, or it goes by itself.
    fn is_awaited(&self, need: Need) -> bool {
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
        self.is_blocked(need) && self.is_awaited(Need::Access)
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
            self.want(Need::Access);
        }
    }

    // ---- The ladder

    /// The rung to take: the first that may work. One whose one-use token went out without an answer comes last.
    fn choose(&self, need: Need) -> Choice<P::Exchange> {
        if self.is_blocked(need) {
            return Choice::Blocked;
        }
        let lease = &self.leases[need.index()];
        let rungs = || self.provider.ladder(need).iter().copied().enumerate();
        let fresh = rungs().filter(|(position, _)| !lease.is_lost(*position));
        let lost = rungs().filter(|(position, _)| lease.is_lost(*position));
        fresh
            .chain(lost)
            .filter(|(position, rung)| !lease.is_ruled_out(*position) && self.is_open(need, *rung))
            .find_map(|(position, rung)| {
                let exchange = self.provider.begin(rung, self.login.as_ref(), self.credentials.as_deref())?;
                Some(Choice::Begin(position, exchange))
            })
            .unwrap_or(Choice::Exhausted)
    }

    fn is_open(&self, need: Need, rung: P::Rung) -> bool {
        let spends_login = self.spends(rung) == Spends::Login;
        let login_first = self.leases[need.index()].login_first;
        !self.unsupported.contains(&rung)
            && (!spends_login || self.has_login())
            && (!login_first || spends_login)
            && self.provider.builds_on(rung).is_none_or(|base| self.is_valid(base))
    }

    fn spends(&self, rung: P::Rung) -> Spends {
        match (self.provider.spends(rung), self.policy.refresh_tokens) {
            (Spends::OneUse, RefreshTokens::Reusable) => Spends::Nothing,
            (spends, _) => spends,
        }
    }

    fn begin(&mut self, need: Need, position: usize, exchange: P::Exchange) {
        let rung = self.provider.describe(self.provider.ladder(need)[position]);
        self.leases[need.index()].begin(self.now);
        self.outputs.push_back(Output::Event(Event::Attempt { need, rung }));
        let flight = self.launch(exchange, need, position);
        self.slot = Slot::Renewing(flight);
    }

    fn launch(&mut self, mut exchange: P::Exchange, need: Need, position: usize) -> Flight<P> {
        let request = exchange.start(self.now);
        let (id, deadline) = self.send(request);
        Flight { exchange, id, deadline, steps: 1, need, position }
    }

    fn send(&mut self, mut request: Request) -> (RequestId, Duration) {
        self.last_request = RequestId(self.last_request.0.wrapping_add(1));
        request.id = self.last_request;
        request.timeout = self.policy.request_timeout.unwrap_or(request.timeout).max(MIN_TIMEOUT);
        let deadline = self.now.monotonic.saturating_add(request.timeout);
        self.outputs.push_back(Output::Send(request));
        self.stats.requests += 1;
        (self.last_request, deadline)
    }

    // ---- Answers

    pub(super) fn answered(&mut self, id: RequestId, response: Response) {
        let Some(mut slot) = self.take_slot(id) else { return };
        let Some(flight) = slot.flight_mut() else { return };
        match flight.exchange.receive(response, self.now) {
            Ok(Step::Send(_)) if flight.steps >= MAX_STEPS => {
                self.finish(slot, Err(ServiceError::endless().into()));
            }
            Ok(Step::Send(request)) => {
                flight.steps += 1;
                (flight.id, flight.deadline) = self.send(request);
                self.slot = slot;
            }
            Ok(Step::Again(_)) => {
                let error = ServiceError::malformed("an exchange that waits for a person");
                self.finish(slot, Err(error.into()));
            }
            Ok(Step::Done(grant)) => self.finish(slot, Ok(grant)),
            Err(error) => self.finish(slot, Err(error)),
        }
    }

    pub(super) fn undelivered(&mut self, id: RequestId, error: Error) {
        if let Some(slot) = self.take_slot(id) {
            self.finish(slot, Err(error));
        }
    }

    /// Empties the slot if `id` is what it waits for.
    fn take_slot(&mut self, id: RequestId) -> Option<Slot<P>> {
        if self.slot.flight().is_none_or(|flight| flight.id != id) {
            self.stats.ignored += 1;
            return None;
        }
        Some(std::mem::replace(&mut self.slot, Slot::Free))
    }

    fn finish(&mut self, slot: Slot<P>, outcome: Result<Grant, Error>) {
        match (slot, outcome) {
            (Slot::Renewing(flight), Ok(grant)) => self.granted(flight.need, flight.position, grant),
            (Slot::Renewing(flight), Err(error)) => self.failed(flight.need, flight.position, flight.steps, error),
            (Slot::Orphaned(_), Ok(grant)) => {
                self.revocations.extend(Credentials::from_grant(grant, None).map(Arc::new));
            }
            (Slot::Revoking(_), outcome) => {
                self.outputs.push_back(Output::Event(Event::Revoked { error: outcome.err() }));
            }
            (Slot::Orphaned(_), Err(_)) | (Slot::Free, _) => {}
        }
    }

    fn granted(&mut self, need: Need, position: usize, mut grant: Grant) {
        let expired = |term: Option<&Term>| term.is_some_and(|term| term.is_expired(self.now));
        let over = [
            expired(grant.access.as_ref().map(AccessToken::term)),
            expired(grant.aws.as_ref().map(AwsCredentials::term)),
        ];
        // What is over when it comes does not displace what is not.
        let kept = Need::ALL.map(|need| over[need.index()] && self.term(need).is_some() && !expired(self.term(need)));
        if kept[Need::Access.index()] {
            grant.access = None;
        }
        if kept[Need::Aws.index()] {
            grant.aws = None;
        }
        let covers = Need::ALL.map(|need| grant.covers(need));
        let rung = self.provider.ladder(need)[position];
        if let Some(credentials) = Credentials::from_grant(grant, self.credentials.as_deref()) {
            self.publish(credentials, covers, Some(self.provider.describe(rung)), Origin::Issued);
        }
        if over[need.index()] {
            let error = ServiceError::malformed("credentials that have already expired");
            self.failed(need, position, 1, error.into());
        } else if !covers[need.index()] {
            self.failed(need, position, 1, ServiceError::new(ServiceErrorKind::NotGranted).into());
        }
    }

    /// Replaces what is held. Only the leases in `covers` are new.
    fn publish(&mut self, mut credentials: Credentials, covers: [bool; 2], rung: Option<&'static str>, origin: Origin) {
        credentials = credentials.with_margin(self.policy.margin.unwrap_or_else(|| self.provider.margin()));
        for need in Need::ALL.into_iter().filter(|need| covers[need.index()]) {
            let Some(term) = credentials.term(need).copied() else {
                continue;
            };
            let lease = &mut self.leases[need.index()];
            lease.renewed(&term, &mut self.random, self.now, origin == Origin::Issued);
            let generation = lease.generation;
            credentials.set_generation(need, generation);
            // What is over when it comes is a failure, and told as one.
            if !term.is_expired(self.now) {
                let expires_at = term.deadline().map(|deadline| deadline.wall);
                self.outputs.push_back(Output::Event(Event::Renewed { need, rung, generation, expires_at }));
            }
        }
        self.credentials = Some(Arc::new(credentials));
        if covers[Need::Access.index()] {
            for (position, rung) in self.provider.ladder(Need::Aws).iter().enumerate() {
                if self.provider.builds_on(*rung) == Some(Need::Access) {
                    self.leases[Need::Aws.index()].allow_again(position);
                }
            }
        }
    }

    /// An attempt failed at its request number `steps`.
    fn failed(&mut self, need: Need, position: usize, steps: u32, error: Error) {
        let rung = self.provider.ladder(need)[position];
        let spends = self.spends(rung);
        let name = self.provider.describe(rung);
        let valid = self.is_valid(need);
        let verdict = error.verdict();
        // The requests before this one were carried out, or this one may have been.
        let lost =
            spends == Spends::OneUse && (verdict == Verdict::Unknown || verdict == Verdict::Unprocessed && steps > 1);
        let lease = &mut self.leases[need.index()];
        match verdict {
            Verdict::Refused => {
                lease.rule_out(position);
                if spends == Spends::Login && !is_not_granted(&error) {
                    self.login_refused = Some(error.clone());
                }
            }
            Verdict::Unsupported => self.unsupported.push(rung),
            Verdict::Unknown | Verdict::Unprocessed if lost => lease.lose(position),
            Verdict::Unknown | Verdict::Unprocessed => {}
        }
        let asks_for_rest = verdict == Verdict::Unprocessed && matches!(error, Error::Service(_));
        let goes_on = match verdict {
            Verdict::Refused | Verdict::Unsupported => true,
            Verdict::Unknown | Verdict::Unprocessed => lost && !asks_for_rest && self.has_way_besides(need, position),
        };
        if goes_on {
            // Down the ladder at once; up again, as a new access token allows it, only after the gap.
            let waits = match self.choose(need) {
                Choice::Begin(next, _) => next < position,
                Choice::Blocked => true,
                Choice::Exhausted => false,
            };
            let lease = &mut self.leases[need.index()];
            lease.error = Some(error.clone());
            lease.falling = !waits;
            self.outputs.push_back(Output::Event(Event::Fallback { need, rung: name, error }));
        } else {
            self.leases[need.index()].back_off(error.clone(), valid, &mut self.random, self.now);
            let at = self.leases[need.index()].retry.map(|retry| self.wall_at(retry.at));
            let error = error.with_retry_at(at);
            self.share(need, &error);
            self.leases[need.index()].error = Some(error.clone());
            self.outputs.push_back(Output::Event(Event::Failed { need, rung: name, error }));
        }
    }

    fn has_way_besides(&self, need: Need, position: usize) -> bool {
        matches!(self.choose(need), Choice::Begin(other, _) if other != position)
    }

    /// Tells those who wait for this lease, and those whose lease waits for it.
    fn tell(&mut self, need: Need, error: &Error) {
        self.leases[need.index()].tell(error.clone());
        self.share(need, error);
    }

    /// A failed access token is a failure of every lease that waits for it.
    fn share(&mut self, need: Need, error: &Error) {
        if need == Need::Access && self.leases[Need::Aws.index()].asked && self.is_blocked(Need::Aws) {
            self.leases[Need::Aws.index()].tell(error.clone());
        }
    }

    /// The new login is no good, or was forgotten. What was held before it goes on; who waited is told.
    fn give_up_login(&mut self, need: Need) {
        let lease = &mut self.leases[need.index()];
        lease.login_first = false;
        lease.forced = lease.named;
        if std::mem::take(&mut lease.falling)
            && let Some(error) = lease.error.clone()
        {
            self.tell(need, &error);
        }
        self.leases[need.index()].hold(self.now);
        // Without anything valid the ladder goes on, to whatever end.
        self.leases[need.index()].asked |= !self.is_valid(need);
    }

    /// No rung is left.
    fn stop(&mut self, need: Need) {
        let error = self.leases[need.index()].error.take();
        let error = match (&self.login_refused, error) {
            _ if self.provider.ladder(need).is_empty() => SessionError::NotOffered { need }.into(),
            (_, Some(error)) if is_not_granted(&error) => error,
            (Some(refused), _) => refused.clone(),
            (None, None) if self.login.is_none() && self.credentials.is_none() => SessionError::NoLogin.into(),
            (None, error) => SessionError::SignInRequired { source: error.map(Arc::new) }.into(),
        };
        // Those whose lease waits for this one learn it from this lease, or go their own way.
        self.tell(need, &error);
        let lease = &mut self.leases[need.index()];
        lease.stopped = Some(error.clone());
        lease.forced = false;
        lease.login_first = false;
        lease.falling = false;
        self.outputs.push_back(Output::Event(Event::Stopped { need, error }));
    }

    // ---- Comings and goings

    /// Takes credentials from outside in place of all that is held.
    pub(super) fn take_up(&mut self, credentials: Credentials, origin: Origin) {
        self.drop_flight();
        self.forget_credentials();
        // A login of another account, or of before a sign-out, must not renew these.
        let another = self.login.as_ref().and_then(|login| self.provider.user_id(login)).is_some_and(|user| {
            let theirs = &credentials.account().user_id;
            !theirs.is_empty() && !same_user(user, theirs)
        });
        if self.standing == Standing::SignedOut || another {
            self.forget_login();
        }
        self.standing = Standing::SignedIn;
        let covers = Need::ALL.map(|need| credentials.term(need).is_some());
        self.publish(credentials, covers, None, origin);
        self.advance();
    }

    /// Gives up a renewal in flight. A revocation goes on.
    pub(super) fn drop_flight(&mut self) {
        if let Slot::Renewing(flight) = &self.slot {
            let rung = self.provider.ladder(flight.need)[flight.position];
            if self.spends(rung) == Spends::OneUse {
                self.leases[flight.need.index()].lose(flight.position);
            }
            self.outputs.push_back(Output::Cancel(flight.id));
            self.slot = Slot::Free;
        }
    }

    pub(super) fn orphan_flight(&mut self) {
        self.slot = match std::mem::replace(&mut self.slot, Slot::Free) {
            Slot::Renewing(flight) => Slot::Orphaned(flight),
            slot => slot,
        };
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
    pub(super) fn timers(&self) -> [Option<Wake>; 5] {
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
                || self.standing == Standing::SignedOut
                || lease.stopped.is_some()
                || self.is_queued(need)
            {
                None
            } else if self.is_due(need) {
                wake(lease.start_at(), Timer::Retry(need))
            } else if self.policy.renewal == Renewal::Ahead {
                wake(lease.renewal_at(self.term(need)?, self.now)?, Timer::Renewal(need))
            } else {
                None
            }
        };
        [flight, expiry(Need::Access), attempt(Need::Access), expiry(Need::Aws), attempt(Need::Aws)]
    }
}

fn is_not_granted(error: &Error) -> bool {
    matches!(error, Error::Service(error) if error.kind() == ServiceErrorKind::NotGranted)
}

impl<P: Provider> Slot<P> {
    fn flight(&self) -> Option<&Flight<P>> {
        match self {
            Slot::Free => None,
            Slot::Renewing(flight) | Slot::Orphaned(flight) | Slot::Revoking(flight) => Some(flight),
        }
    }

    fn flight_mut(&mut self) -> Option<&mut Flight<P>> {
        match self {
            Slot::Free => None,
            Slot::Renewing(flight) | Slot::Orphaned(flight) | Slot::Revoking(flight) => Some(flight),
        }
    }
}
