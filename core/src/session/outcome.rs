//! What becomes of an exchange: a grant is announced, a failure goes by its outcome.

use std::sync::Arc;
use std::time::Duration;

use super::flight::{Choice, InFlight, RunningExchange, Source};
use super::lease::Serving;
use super::login::LoginState;
use super::methods::Standing;
use super::pending::{Answer, Failed, Failure, Granted, Shown};
use super::schedule::{MIN_RETRY_INTERVAL, Pace};
use super::service::{Quiet, ToldBy, quiet_asked};
use super::work::{Done, Place, Task, WORK_TIMEOUT};
use super::{Event, Output, Session};
use crate::credentials::{AccessToken, AwsCredentials, Credentials, LeaseId, Validity};
use crate::error::{Error, Outcome, ServiceError, ServiceErrorKind, SessionError, TransportError};
use crate::exchange::{Consumes, MAX_STEPS, Provider, RequestId, Response, Step};
use crate::grant::Grant;

/// Whether others on the store have to know what was noted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    ForTheStore,
}

impl std::ops::BitOr for News {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        if self == News::None { other } else { self }
    }
}

impl<P: Provider> Session<P> {
    // ---- Answers

    pub(super) fn answered(&mut self, id: RequestId, response: Response) {
        if !self.awaits(id) {
            return;
        }
        if let Some(flight) = self.exchanges.in_flight.flight_mut()
            && let Place::Waiting(exchange) = std::mem::replace(&mut flight.place, Place::Away)
        {
            // What has arrived is not lost because a lock or a request has little time left.
            flight.deadline = self.now.monotonic.saturating_add(WORK_TIMEOUT);
            flight.place = Place::Ready(exchange, Task::Receive(response));
        }
        self.run_work();
    }

    /// What came of the provider's work.
    pub(super) fn worked(&mut self, done: Done<P::Exchange>) {
        let Done { id, exchange, outcome } = done;
        let away = |flight: &RunningExchange<P>| flight.id == id && matches!(flight.place, Place::Away);
        if !self.exchanges.in_flight.flight().is_some_and(away) {
            self.outbox.stats.ignored += 1;
            return;
        }
        let mut slot = std::mem::replace(&mut self.exchanges.in_flight, InFlight::Free);
        let Some(flight) = slot.flight_mut() else { return };
        flight.place = exchange.map_or(Place::Away, Place::Waiting);
        match outcome {
            Ok(Step::Send(_)) if flight.steps >= MAX_STEPS => {
                self.finish(slot, Err(ServiceError::endless().into()));
            }
            Ok(Step::Send(request)) => {
                let is_first = flight.steps == 0;
                // What a renewal brings has to be saved while the lock is ours.
                let renews = matches!(slot, InFlight::Renewing(_));
                let most = if renews { self.time_under_lock() } else { Duration::MAX };
                let asked = self.policy.request_timeout.unwrap_or(request.timeout);
                if is_first && most < asked.min(MIN_RETRY_INTERVAL) {
                    let error =
                        TransportError::not_sent("the store's lock was nearly over before the request was made");
                    return self.finish(slot, Err(error.into()));
                }
                let id = if is_first { id } else { self.next_request() };
                let deadline = self.send(request, id, most);
                if let Some(flight) = slot.flight_mut() {
                    (flight.id, flight.deadline, flight.steps) = (id, deadline, flight.steps + 1);
                }
                self.exchanges.in_flight = slot;
            }
            Ok(Step::Done(grant)) => self.finish(slot, Ok(grant)),
            Err(error) => self.finish(slot, Err(error)),
        }
    }

    pub(super) fn undelivered(&mut self, id: RequestId, error: Error) {
        if self.awaits(id) {
            self.give_up(error);
        }
    }

    /// Ends the exchange in flight, whatever it is at.
    pub(super) fn give_up(&mut self, error: Error) {
        let slot = std::mem::replace(&mut self.exchanges.in_flight, InFlight::Free);
        self.finish(slot, Err(error));
    }

    /// Whether the request `id` is out; counts what is not waited for.
    fn awaits(&mut self, id: RequestId) -> bool {
        let waits = |flight: &RunningExchange<P>| flight.id == id && matches!(flight.place, Place::Waiting(_));
        let awaited = self.exchanges.in_flight.flight().is_some_and(waits);
        self.outbox.stats.ignored += u64::from(!awaited);
        awaited
    }

    fn finish(&mut self, slot: InFlight<P>, outcome: Result<Grant, Error>) {
        match (slot, outcome) {
            (InFlight::Renewing(flight), Ok(grant)) => self.granted(flight.lease_id, flight.position, grant),
            (InFlight::Renewing(flight), Err(error)) => {
                let login = if flight.has_shown_login() { Shown::Yes } else { Shown::No };
                let RunningExchange { lease_id, position, steps, .. } = *flight;
                let answer = if steps > 1 { Answer::MissingLate } else { Answer::Missing };
                self.failed(Failure { lease_id, position, error, answer, login });
            }
            (InFlight::Orphaned(_), Ok(grant)) => {
                // A refresh token that came without an access token is revoked beside the one that was held.
                let held = self
                    .exchanges
                    .revocations
                    .back()
                    .filter(|_| grant.access.is_none() && grant.refresh_token.is_some());
                self.exchanges.revocations.extend(Credentials::from_grant(grant, held.map(Arc::as_ref)));
            }
            (InFlight::Revoking(_), outcome) => {
                let error = outcome.err();
                self.exchanges.revocations.ended(error.clone());
                self.outbox.outputs.push_back(Output::Event(Event::Revoked { error }));
            }
            (InFlight::Orphaned(_), Err(_)) | (InFlight::Free, _) => {}
        }
    }

    fn granted(&mut self, lease_id: LeaseId, position: usize, mut grant: Grant) {
        let expired = |validity: Option<&Validity>| validity.is_some_and(|validity| validity.is_expired(self.now));
        let over = [
            expired(grant.access.as_ref().map(AccessToken::validity)),
            expired(grant.aws.as_ref().map(AwsCredentials::validity)),
        ];
        // What is over when it comes does not displace what is not.
        let kept = LeaseId::ALL.map(|lease_id| {
            over[lease_id.index()] && self.validity(lease_id).is_some() && !expired(self.validity(lease_id))
        });
        if kept[LeaseId::Access.index()] {
            grant.access = None;
        }
        if kept[LeaseId::Aws.index()] {
            grant.aws = None;
        }
        let covers = LeaseId::ALL.map(|lease_id| grant.covers(lease_id));
        let flaw = grant.flaw.take().filter(|_| !covers[lease_id.index()]);
        // What grants nothing that can be used says nothing of the login, and may say the same to it next time.
        let login = if flaw.is_some() { Shown::Yes } else { Shown::No };
        let short =
            |error: ServiceError| Failure { lease_id, position, error: error.into(), answer: Answer::Heard, login };
        let not_granted = || short(ServiceError::new(ServiceErrorKind::NotGranted));
        let shortfall = if over[lease_id.index()] {
            Some(short(ServiceError::malformed("credentials that have already expired")))
        } else if let Some(flaw) = flaw {
            Some(short(flaw))
        } else if !covers[lease_id.index()] {
            Some(not_granted())
        } else {
            None
        };
        let method = self.provider.methods(lease_id)[position];
        self.service.endpoints.worked(method);
        if self.consumes(method) == Consumes::LoginAttempt && login == Shown::No {
            self.login.state = LoginState::Open;
        }
        let method = Some(self.provider.method_name(method));
        match Credentials::from_grant(grant, self.credentials.as_deref()) {
            Some(credentials) => {
                let origin = Source::Issued;
                self.save_and_announce(Granted { credentials, covers, method, origin, shortfall });
            }
            // No access token, now or before: the rest is of no use, whatever was asked for.
            None => self.failed(shortfall.unwrap_or_else(not_granted)),
        }
    }

    /// Makes new credentials known to everybody.
    pub(super) fn announce(&mut self, granted: Granted) {
        let Granted { credentials, covers, method, origin, shortfall } = granted;
        self.publish(credentials, covers, method, origin);
        if let Some(failure) = shortfall {
            self.failed(failure);
        }
    }

    /// Replaces what is held. Only the leases in `covers` are new.
    pub(super) fn publish(
        &mut self,
        credentials: Credentials,
        covers: [bool; 2],
        method: Option<&'static str>,
        origin: Source,
    ) {
        let margin = self.policy.margin.unwrap_or_else(|| self.provider.margin());
        let mut credentials = credentials.with_margin(margin);
        let looks_at_margin = self.is_one_shot() && origin == Source::SavedSession;
        for lease_id in LeaseId::ALL {
            let lease = &mut self.leases[lease_id.index()];
            let validity = credentials.validity(lease_id).copied().filter(|_| covers[lease_id.index()]);
            if let Some(validity) = &validity {
                let waited = lease.is_waited_for();
                lease.renewed(validity, &mut self.random, self.now, origin == Source::Issued);
                // Whoever asked waits for the renewal of what is found near its end.
                if waited && looks_at_margin && validity.renewal_due(self.now) {
                    lease.ask();
                }
            }
            let generation = lease.held.generation;
            credentials.set_generation(lease_id, generation);
            // What is over when it comes is a failure, and told as one.
            if let Some(validity) = validity.filter(|validity| !validity.is_expired(self.now)) {
                let expires_at = validity.deadline().map(|deadline| deadline.wall);
                self.outbox.outputs.push_back(Output::Event(Event::Renewed {
                    lease_id,
                    method,
                    generation,
                    expires_at,
                }));
            }
        }
        let another_token = self.credentials.as_ref().is_some_and(|old| !old.has_same_refresh_token(&credentials));
        self.credentials = Some(Arc::new(credentials));
        if another_token {
            self.allow_another_token();
        }
        if covers[LeaseId::Access.index()] {
            for (position, method) in self.provider.methods(LeaseId::Aws).iter().enumerate() {
                if self.provider.requires(*method) == Some(LeaseId::Access) {
                    self.leases[LeaseId::Aws.index()].reopen(position);
                }
            }
        }
    }

    /// What was refused, or lost, with the refresh token before this one may work with this one: also where no lease came
    /// with it.
    fn allow_another_token(&mut self) {
        for lease_id in LeaseId::ALL {
            for (position, method) in self.provider.methods(lease_id).iter().enumerate() {
                if self.provider.consumes(*method) == Consumes::RefreshToken {
                    self.leases[lease_id.index()].renew_token(position);
                }
            }
        }
    }

    // ---- Failures

    /// The provider's code panicked before there was an exchange.
    pub(super) fn not_begun(&mut self, lease_id: LeaseId, position: usize, error: Error) {
        self.leases[lease_id.index()].begin(self.now);
        self.failed(Failure { lease_id, position, error, answer: Answer::Heard, login: Shown::No });
    }

    /// An attempt failed: that is noted, saved where others on the store have to know, and told.
    fn failed(&mut self, failure: Failure) {
        let method = self.provider.methods(failure.lease_id)[failure.position];
        let news = self.note_login(method, &failure) | self.note_quiet(&failure.error);
        let failed = self.note_outcome(method, failure);
        if news == News::ForTheStore {
            self.save_and_fail(failed);
        } else {
            self.conclude(failed);
        }
    }

    /// Goes on with another method, or tells whoever waits and pauses.
    pub(super) fn conclude(&mut self, failed: Failed) {
        let (lease_id, position) = (failed.lease_id, failed.position);
        let method = self.provider.methods(lease_id)[position];
        let name = self.provider.method_name(method);
        let goes_on = self.goes_on(&failed);
        let Failed { error, .. } = failed;
        let quiet = quiet_asked(&error).map(|_| error.clone());
        if goes_on {
            // To the next method at once; back to a cheaper one, as a new access token allows it, only after the gap.
            let waits = match self.choose(lease_id) {
                Choice::Begin(next, _) => next < position,
                Choice::Blocked => true,
                Choice::LoginRests(_) | Choice::Passed | Choice::Exhausted => false,
            };
            let pace = self.pace_after(method, &error);
            let lease = &mut self.leases[lease_id.index()];
            lease.note_error(error.clone());
            if !waits {
                lease.move_on();
            }
            if lease.methods.standing(position) != Standing::Refused {
                lease.slow_down(pace);
            }
            self.outbox.outputs.push_back(Output::Event(Event::Fallback { lease_id, method: name, error }));
        } else {
            self.make_room_for_older_ways(lease_id, position);
            // What was refused is not asked again: it does not set the pace.
            let is_refused = self.leases[lease_id.index()].methods.standing(position) == Standing::Refused;
            let pace = if is_refused { Pace::Outage } else { self.pace_after(method, &error) };
            self.back_off(lease_id, name, error, pace);
        }
        if let Some(error) = quiet {
            self.tell_of_quiet(Some(lease_id), &error);
        }
    }

    /// A new login of which nobody knows, twice in a row, what became of it does not keep older ways to the same account
    /// from serving it. It is one of the ways from now on.
    fn make_room_for_older_ways(&mut self, lease_id: LeaseId, position: usize) {
        let lease = &self.leases[lease_id.index()];
        let rests = self.login.state.rests_until(self.now).is_some();
        let is_stuck = lease.methods.is_failing(position) || rests;
        // While it rests, the store may know another way.
        let is_known = self.may_hold_older_session() && (self.credentials.is_some() || rests && self.store.is_some());
        if lease.is_login_first() && is_stuck && is_known {
            self.leases[lease_id.index()].give_way();
            self.leave_store();
        }
    }

    /// What the service made of the login, if it was shown.
    fn note_login(&mut self, method: P::Method, failure: &Failure) -> News {
        let Failure { error, answer, login, .. } = failure;
        if self.consumes(method) != Consumes::LoginAttempt || is_not_granted(error) {
            return News::None;
        }
        let heard = error.was_answered() || *answer == Answer::MissingLate;
        if error.outcome() == Outcome::Rejected {
            self.login.state = LoginState::Refused(Box::new(error.clone()));
        } else if heard && *login == Shown::Yes && self.shows_person(method) {
            self.login.state.answered_oddly(error, self.now);
        } else {
            return News::None;
        }
        News::ForTheStore
    }

    /// Whether the service asks to be left alone.
    fn note_quiet(&mut self, error: &Error) -> News {
        let Some(pause) = quiet_asked(error) else { return News::None };
        let until = self.now.monotonic.saturating_add(pause);
        if self.service.quiet.as_ref().is_none_or(|quiet| quiet.until < until) {
            self.service.quiet = Some(Quiet { until, error: Box::new(error.clone()), told_by: ToldBy::Service });
        }
        News::ForTheStore
    }

    /// The service asks to be left alone: those who wait for another lease of the account hear of it, too.
    pub(super) fn tell_of_quiet(&mut self, asked_for: Option<LeaseId>, error: &Error) {
        for lease_id in LeaseId::ALL.into_iter().filter(|lease_id| Some(*lease_id) != asked_for) {
            if self.leases[lease_id.index()].is_waited_for() && !self.is_valid(lease_id) {
                let at = self.wall_at(self.start_at(lease_id));
                self.leases[lease_id.index()].report(error.clone().with_retry_at(Some(at)));
            }
        }
    }

    /// Notes what became of a method.
    fn note_outcome(&mut self, method: P::Method, failure: Failure) -> Failed {
        let Failure { lease_id, position, error, answer, .. } = failure;
        let consumes = self.consumes(method);
        // A missing endpoint is an outage where it was there before, and it is no end where there is no other way.
        let is_missing = error.outcome() == Outcome::Unsupported;
        let stays =
            is_missing && (self.service.endpoints.has_worked(method) || self.is_last_method(lease_id, position));
        let outcome = if stays { Outcome::Indeterminate } else { error.outcome() };
        // The requests before the last one were carried out, or the last one may have been.
        let carried_out = match answer {
            Answer::Heard => false,
            Answer::Missing => outcome == Outcome::Indeterminate && !is_missing,
            Answer::MissingLate => outcome != Outcome::Rejected,
        };
        let lost = consumes == Consumes::RefreshToken && carried_out;
        let lease = &mut self.leases[lease_id.index()];
        if lost {
            lease.methods.lose_answer(position);
        }
        match outcome {
            Outcome::Rejected => lease.methods.refuse(position),
            Outcome::Unsupported => self.service.endpoints.is_missing(method, self.now.monotonic),
            Outcome::Indeterminate if !lost => lease.falter(position),
            Outcome::Indeterminate | Outcome::NotProcessed => {}
        }
        if consumes == Consumes::RefreshToken && (outcome == Outcome::NotProcessed || is_missing) && !lost {
            self.take_mark_back();
        }
        Failed { lease_id, position, error, outcome, lost }
    }

    /// Whether an attempt that failed so goes on with another method at once.
    fn goes_on(&self, failed: &Failed) -> bool {
        let Failed { lease_id, position, error, outcome, lost } = failed;
        match outcome {
            Outcome::Rejected | Outcome::Unsupported => self.is_another_way_ahead(*lease_id),
            // The service asks for rest.
            Outcome::NotProcessed if matches!(error, Error::Service(_)) => false,
            Outcome::NotProcessed | Outcome::Indeterminate if *lost => self.has_other_method(*lease_id, *position),
            Outcome::Indeterminate => self.falls_further(*lease_id, *position),
            Outcome::NotProcessed => false,
        }
    }

    /// Whether going on from a method that was refused, or is not there, leads anywhere but to a pause.
    fn is_another_way_ahead(&self, lease_id: LeaseId) -> bool {
        !matches!(self.choose_next(lease_id), Choice::LoginRests(_) | Choice::Passed)
    }

    /// Whether a method that keeps failing is given up for the next one in this attempt. A person's login is not shown for
    /// it while valid credentials are held.
    fn falls_further(&self, lease_id: LeaseId, position: usize) -> bool {
        if !self.leases[lease_id.index()].methods.is_failing(position) {
            return false;
        }
        match self.choose_next(lease_id) {
            Choice::Begin(next, _) => {
                next > position
                    && !(self.is_valid(lease_id) && self.shows_person(self.provider.methods(lease_id)[next]))
            }
            Choice::Blocked | Choice::LoginRests(_) | Choice::Passed | Choice::Exhausted => false,
        }
    }

    /// How the pause after this failure grows.
    fn pace_after(&self, method: P::Method, error: &Error) -> Pace {
        let has_failed = matches!(error, Error::Service(error) if error.status().is_some_and(|s| s.is_server_error()));
        match self.consumes(method) {
            _ if has_failed || !error.was_answered() => Pace::Outage,
            Consumes::LoginAttempt if !self.shows_person(method) => Pace::ProgramAnswered,
            Consumes::LoginAttempt | Consumes::RefreshToken | Consumes::Nothing => Pace::Answered,
        }
    }

    /// Tells everybody who waits, and pauses.
    pub(super) fn back_off(&mut self, lease_id: LeaseId, method: &'static str, error: Error, pace: Pace) {
        self.leases[lease_id.index()].settle(Serving::Accepted);
        let valid = self.is_valid(lease_id);
        let lease = &mut self.leases[lease_id.index()];
        lease.stop_moving_on();
        lease.back_off(error.clone(), pace, valid, &mut self.random, self.now);
        if valid && let Some(deadline) = self.validity(lease_id).and_then(Validity::deadline) {
            let end = self.now.monotonic.saturating_add(deadline.remaining(self.now));
            self.leases[lease_id.index()].wake_by(end);
        }
        let error = match self.choose(lease_id) {
            Choice::LoginRests(until) => {
                let until = self.leases[lease_id.index()].start_at().max(until);
                self.leases[lease_id.index()].rest_login(until, self.now);
                self.login_rests(Some(&error))
            }
            _ => error,
        };
        let error = error.with_retry_at(Some(self.wall_at(self.start_at(lease_id))));
        self.report_dependents(lease_id, &error);
        self.leases[lease_id.index()].note_error(error.clone());
        self.outbox.outputs.push_back(Output::Event(Event::Failed { lease_id, method, error }));
    }

    /// Only the login is left to try, and it was shown too often lately: whoever waits hears that a person could sign in.
    pub(super) fn rest_login(&mut self, lease_id: LeaseId, until: Duration) {
        self.leases[lease_id.index()].rest_login(until, self.now);
        let error = self.login_rests(None).with_retry_at(Some(self.wall_at(self.start_at(lease_id))));
        self.report(lease_id, &error);
    }

    fn login_rests(&self, error: Option<&Error>) -> Error {
        let source = self.login.state.last_answer().or(error).cloned().map(Arc::new);
        SessionError::SignInRequired { source, retry_at: None }.into()
    }

    /// Tells those who wait for this lease, and those whose lease waits for it.
    pub(super) fn report(&mut self, lease_id: LeaseId, error: &Error) {
        self.leases[lease_id.index()].report(error.clone());
        self.report_dependents(lease_id, error);
    }

    /// A failed access token is a failure of every lease that waits for it.
    pub(super) fn report_dependents(&mut self, lease_id: LeaseId, error: &Error) {
        let waits = self.is_blocked(LeaseId::Aws) || self.waits_for_login(LeaseId::Aws);
        let lease = &mut self.leases[LeaseId::Aws.index()];
        if lease_id == LeaseId::Access && lease.is_waited_for() && waits {
            lease.report(error.clone());
            if error.retry_at().is_some() {
                lease.settle(Serving::Accepted);
            }
        }
    }

    /// The new login is no good, or was forgotten. What was held before it goes on; who waited is told.
    pub(super) fn abandon_login(&mut self, lease_id: LeaseId) {
        self.leases[lease_id.index()].abandon_login();
        self.leave_store();
        let lease = &mut self.leases[lease_id.index()];
        let failed = lease.stop_moving_on();
        let (asked, paused) = (lease.is_waited_for(), lease.pause().is_some());
        let error = lease.error().filter(|_| failed || paused).cloned();
        if let Some(error) = error.filter(|_| failed || asked) {
            self.report(lease_id, &error);
        } else if asked && self.is_valid(lease_id) {
            // It was forgotten before it was shown.
            self.report(lease_id, &SessionError::NoLogin.into());
        }
        self.leases[lease_id.index()].delay(self.now);
        // Without anything valid the next methods are tried, to whatever end.
        if !self.is_valid(lease_id) && !self.is_one_shot() {
            self.leases[lease_id.index()].ask();
        }
    }

    /// No method is left.
    pub(super) fn exhaust(&mut self, lease_id: LeaseId) {
        let error = self.leases[lease_id.index()].take_error();
        // Where there was no way to try, what may be over is all there is.
        let tried = error.is_some() || self.login.state.refusal().is_some();
        self.leases[lease_id.index()].settle(if tried { Serving::Refused } else { Serving::Accepted });
        let error = match (self.login.state.refusal(), error) {
            _ if self.provider.methods(lease_id).is_empty() => SessionError::NotOffered { lease_id }.into(),
            (_, Some(error)) if is_not_granted(&error) => error,
            (Some(refused), _) => refused.clone(),
            (None, None) if self.login.given.is_none() && self.credentials.is_none() => SessionError::NoLogin.into(),
            (None, error) => SessionError::SignInRequired { source: error.map(Arc::new), retry_at: None }.into(),
        };
        // Those whose lease waits for this one learn it from this lease, or go their own way.
        self.report(lease_id, &error);
        self.leases[lease_id.index()].exhaust(error.clone());
        self.outbox.outputs.push_back(Output::Event(Event::Exhausted { lease_id, error }));
    }
}

fn is_not_granted(error: &Error) -> bool {
    matches!(error, Error::Service(error) if error.kind() == ServiceErrorKind::NotGranted)
}
