//! What becomes of an exchange: a grant is announced, a failure goes by its verdict.

use std::sync::Arc;
use std::time::Duration;

use super::lease::Age;
use super::login::LoginState;
use super::machine::{Choice, Flight, Origin, Slot};
use super::schedule::{MIN_GAP, Pace};
use super::service::{Quiet, ToldBy, quiet_asked};
use super::work::{Done, Place, Task, WORK_TIMEOUT};
use super::{Event, Output, Session};
use crate::credentials::{AccessToken, AwsCredentials, Credentials, Grant, Need, Term};
use crate::error::{Error, ServiceError, ServiceErrorKind, SessionError, TransportError, Verdict};
use crate::exchange::{MAX_STEPS, Provider, RequestId, Response, Spends, Step};

/// What an exchange ended in, while it is being saved: it is told afterwards, so that whoever ends when he hears of it
/// leaves a store that knows.
pub(super) enum Pending {
    Granted(Box<Granted>),
    Failed(Box<Failed>),
}

impl Pending {
    pub(super) fn granted(&self) -> Option<&Granted> {
        match self {
            Pending::Granted(granted) => Some(granted),
            Pending::Failed(_) => None,
        }
    }

    /// Whether this lease waits for it.
    pub(super) fn concerns(&self, need: Need) -> bool {
        match self {
            Pending::Granted(granted) => granted.covers[need.index()],
            Pending::Failed(failed) => failed.need == need,
        }
    }
}

/// New credentials that are not yet announced: they are saved first.
pub(super) struct Granted {
    pub(super) credentials: Credentials,
    /// The leases that are new in them.
    pub(super) covers: [bool; 2],
    pub(super) rung: Option<&'static str>,
    pub(super) origin: Origin,
    /// What was asked for, and is not among them.
    shortfall: Option<Failure>,
}

impl Granted {
    /// What somebody brought from outside.
    pub(super) fn brought(credentials: Credentials, origin: Origin) -> Self {
        let covers = Need::ALL.map(|need| credentials.term(need).is_some());
        Self { credentials, covers, rung: None, origin, shortfall: None }
    }
}

/// A failed attempt.
pub(super) struct Failure {
    need: Need,
    position: usize,
    error: Error,
    answer: Answer,
    login: Shown,
}

/// The same, when the session's state knows of it.
pub(super) struct Failed {
    need: Need,
    position: usize,
    error: Error,
    /// What it means here.
    verdict: Verdict,
    /// A one-use token went out, and nobody knows what became of it.
    lost: bool,
}

/// Whether the login has left this process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    No,
    Yes,
}

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

/// Whether an answer to a failed attempt is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Heard,
    /// It failed at its first request.
    Missing,
    /// It failed at a later request: those before it were carried out.
    MissingLate,
}

impl<P: Provider> Session<P> {
    // ---- Answers

    pub(super) fn answered(&mut self, id: RequestId, response: Response) {
        if !self.awaits(id) {
            return;
        }
        if let Some(flight) = self.slot.flight_mut()
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
        let away = |flight: &Flight<P>| flight.id == id && matches!(flight.place, Place::Away);
        if !self.slot.flight().is_some_and(away) {
            self.stats.ignored += 1;
            return;
        }
        let mut slot = std::mem::replace(&mut self.slot, Slot::Free);
        let Some(flight) = slot.flight_mut() else { return };
        flight.place = exchange.map_or(Place::Away, Place::Waiting);
        match outcome {
            Ok(Step::Send(_)) if flight.steps >= MAX_STEPS => {
                self.finish(slot, Err(ServiceError::endless().into()));
            }
            Ok(Step::Send(request)) => {
                let is_first = flight.steps == 0;
                // What a renewal brings has to be saved while the lock is ours.
                let renews = matches!(slot, Slot::Renewing(_));
                let most = if renews { self.time_under_lock() } else { Duration::MAX };
                let asked = self.policy.request_timeout.unwrap_or(request.timeout);
                if is_first && most < asked.min(MIN_GAP) {
                    let error =
                        TransportError::not_sent("the store's lock was nearly over before the request was made");
                    return self.finish(slot, Err(error.into()));
                }
                let id = if is_first { id } else { self.next_request() };
                let deadline = self.send(request, id, most);
                if let Some(flight) = slot.flight_mut() {
                    (flight.id, flight.deadline, flight.steps) = (id, deadline, flight.steps + 1);
                }
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
        if self.awaits(id) {
            self.give_up(error);
        }
    }

    /// Ends the exchange in flight, whatever it is at.
    pub(super) fn give_up(&mut self, error: Error) {
        let slot = std::mem::replace(&mut self.slot, Slot::Free);
        self.finish(slot, Err(error));
    }

    /// Whether the request `id` is out; counts what is not waited for.
    fn awaits(&mut self, id: RequestId) -> bool {
        let waits = |flight: &Flight<P>| flight.id == id && matches!(flight.place, Place::Waiting(_));
        let awaited = self.slot.flight().is_some_and(waits);
        self.stats.ignored += u64::from(!awaited);
        awaited
    }

    fn finish(&mut self, slot: Slot<P>, outcome: Result<Grant, Error>) {
        match (slot, outcome) {
            (Slot::Renewing(flight), Ok(grant)) => self.granted(flight.need, flight.position, grant),
            (Slot::Renewing(flight), Err(error)) => {
                let login = if flight.has_shown_login() { Shown::Yes } else { Shown::No };
                let Flight { need, position, steps, .. } = *flight;
                let answer = if steps > 1 { Answer::MissingLate } else { Answer::Missing };
                self.failed(Failure { need, position, error, answer, login });
            }
            (Slot::Orphaned(_), Ok(grant)) => {
                // A refresh token that came without an access token is revoked beside the one that was held.
                let held = self.revocations.back().filter(|_| grant.access.is_none() && grant.refresh_token.is_some());
                self.revocations.extend(Credentials::from_grant(grant, held.map(Arc::as_ref)));
            }
            (Slot::Revoking(_), outcome) => {
                let error = outcome.err();
                self.revocations.ended(error.clone());
                self.outputs.push_back(Output::Event(Event::Revoked { error }));
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
        let flaw = grant.flaw.take().filter(|_| !covers[need.index()]);
        // What grants nothing that can be used says nothing of the login, and may say the same to it next time.
        let login = if flaw.is_some() { Shown::Yes } else { Shown::No };
        let short = |error: ServiceError| Failure { need, position, error: error.into(), answer: Answer::Heard, login };
        let not_granted = || short(ServiceError::new(ServiceErrorKind::NotGranted));
        let shortfall = if over[need.index()] {
            Some(short(ServiceError::malformed("credentials that have already expired")))
        } else if let Some(flaw) = flaw {
            Some(short(flaw))
        } else if !covers[need.index()] {
            Some(not_granted())
        } else {
            None
        };
        let method = self.provider.ladder(need)[position];
        self.endpoints.worked(method);
        if self.spends(method) == Spends::Login && login == Shown::No {
            self.login_state = LoginState::Open;
        }
        let rung = Some(self.provider.describe(method));
        match Credentials::from_grant(grant, self.credentials.as_deref()) {
            Some(credentials) => {
                let origin = Origin::Issued;
                self.save_and_announce(Granted { credentials, covers, rung, origin, shortfall });
            }
            // No access token, now or before: the rest is of no use, whatever was asked for.
            None => self.failed(shortfall.unwrap_or_else(not_granted)),
        }
    }

    /// Makes new credentials known to everybody.
    pub(super) fn announce(&mut self, granted: Granted) {
        let Granted { credentials, covers, rung, origin, shortfall } = granted;
        self.publish(credentials, covers, rung, origin);
        if let Some(failure) = shortfall {
            self.failed(failure);
        }
    }

    /// Replaces what is held. Only the leases in `covers` are new.
    pub(super) fn publish(
        &mut self,
        credentials: Credentials,
        covers: [bool; 2],
        rung: Option<&'static str>,
        origin: Origin,
    ) {
        let margin = self.policy.margin.unwrap_or_else(|| self.provider.margin());
        let mut credentials = credentials.with_margin(margin);
        let looks_at_margin = self.is_one_shot() && origin == Origin::Saved;
        for need in Need::ALL {
            let lease = &mut self.leases[need.index()];
            let term = credentials.term(need).copied().filter(|_| covers[need.index()]);
            if let Some(term) = &term {
                let asked = lease.asked;
                lease.renewed(term, &mut self.random, self.now, origin == Origin::Issued);
                // Whoever asked waits for the renewal of what is found near its end.
                lease.asked |= asked && looks_at_margin && term.renewal_due(self.now);
            }
            let generation = lease.generation;
            credentials.set_generation(need, generation);
            // What is over when it comes is a failure, and told as one.
            if let Some(term) = term.filter(|term| !term.is_expired(self.now)) {
                let expires_at = term.deadline().map(|deadline| deadline.wall);
                self.outputs.push_back(Output::Event(Event::Renewed { need, rung, generation, expires_at }));
            }
        }
        let another_token = self.credentials.as_ref().is_some_and(|old| !old.refreshes_as(&credentials));
        self.credentials = Some(Arc::new(credentials));
        if another_token {
            self.allow_another_token();
        }
        if covers[Need::Access.index()] {
            for (position, rung) in self.provider.ladder(Need::Aws).iter().enumerate() {
                if self.provider.builds_on(*rung) == Some(Need::Access) {
                    self.leases[Need::Aws.index()].allow_again(position);
                }
            }
        }
    }

    /// What was refused, or lost, with the refresh token before this one may work with this one: also where no lease came
    /// with it.
    fn allow_another_token(&mut self) {
        for need in Need::ALL {
            for (position, rung) in self.provider.ladder(need).iter().enumerate() {
                if self.provider.spends(*rung) == Spends::OneUse {
                    self.leases[need.index()].renew_token(position);
                }
            }
        }
    }

    // ---- Failures

    /// The provider's code panicked before there was an exchange.
    pub(super) fn not_begun(&mut self, need: Need, position: usize, error: Error) {
        self.leases[need.index()].begin(self.now);
        self.failed(Failure { need, position, error, answer: Answer::Heard, login: Shown::No });
    }

    /// An attempt failed: that is noted, saved where others on the store have to know, and told.
    fn failed(&mut self, failure: Failure) {
        let rung = self.provider.ladder(failure.need)[failure.position];
        let news = self.note_login(rung, &failure) | self.note_quiet(&failure.error);
        let failed = self.note_outcome(rung, failure);
        if news == News::ForTheStore {
            self.save_and_fail(failed);
        } else {
            self.conclude(failed);
        }
    }

    /// Goes on with another rung, or tells whoever waits and pauses.
    pub(super) fn conclude(&mut self, failed: Failed) {
        let (need, position) = (failed.need, failed.position);
        let rung = self.provider.ladder(need)[position];
        let name = self.provider.describe(rung);
        let goes_on = self.goes_on(&failed);
        let Failed { error, .. } = failed;
        let quiet = quiet_asked(&error).map(|_| error.clone());
        if goes_on {
            // Down the ladder at once; up again, as a new access token allows it, only after the gap.
            let waits = match self.choose(need) {
                Choice::Begin(next, _) => next < position,
                Choice::Blocked => true,
                Choice::LoginRests(_) | Choice::Passed | Choice::Exhausted => false,
            };
            let pace = self.pace_after(rung, &error);
            let lease = &mut self.leases[need.index()];
            lease.error = Some(Box::new(error.clone()));
            lease.falling = !waits;
            if !lease.is_ruled_out(position) {
                lease.slow_down(pace);
            }
            self.outputs.push_back(Output::Event(Event::Fallback { need, rung: name, error }));
        } else {
            self.make_room_for_older_ways(need, position);
            // What was refused is not asked again: it does not set the pace.
            let is_refused = self.leases[need.index()].is_ruled_out(position);
            let pace = if is_refused { Pace::Outage } else { self.pace_after(rung, &error) };
            self.back_off(need, name, error, pace);
        }
        if let Some(error) = quiet {
            self.tell_of_quiet(Some(need), &error);
        }
    }

    /// A new login of which nobody knows, twice in a row, what became of it does not keep older ways to the same account
    /// from serving it. It is one of the ways from now on.
    fn make_room_for_older_ways(&mut self, need: Need, position: usize) {
        let lease = &self.leases[need.index()];
        let rests = self.login_state.rests_until(self.now).is_some();
        let is_stuck = lease.is_failing(position) || rests;
        // While it rests, the store may know another way.
        let is_known = self.may_hold_older_session() && (self.credentials.is_some() || rests && self.cell.is_some());
        if lease.login_first && is_stuck && is_known {
            self.leases[need.index()].login_first = false;
            self.leave_store();
        }
    }

    /// What the service made of the login, if it was shown.
    fn note_login(&mut self, rung: P::Rung, failure: &Failure) -> News {
        let Failure { error, answer, login, .. } = failure;
        if self.spends(rung) != Spends::Login || is_not_granted(error) {
            return News::None;
        }
        let heard = error.was_answered() || *answer == Answer::MissingLate;
        if error.verdict() == Verdict::Refused {
            self.login_state = LoginState::Refused(Box::new(error.clone()));
        } else if heard && *login == Shown::Yes && self.shows_person(rung) {
            self.login_state.answered_oddly(error, self.now);
        } else {
            return News::None;
        }
        News::ForTheStore
    }

    /// Whether the service asks to be left alone.
    fn note_quiet(&mut self, error: &Error) -> News {
        let Some(pause) = quiet_asked(error) else { return News::None };
        let until = self.now.monotonic.saturating_add(pause);
        if self.quiet.as_ref().is_none_or(|quiet| quiet.until < until) {
            self.quiet = Some(Quiet { until, error: Box::new(error.clone()), told_by: ToldBy::Service });
        }
        News::ForTheStore
    }

    /// The service asks to be left alone: those who wait for another lease of the account hear of it, too.
    pub(super) fn tell_of_quiet(&mut self, asked_for: Option<Need>, error: &Error) {
        for need in Need::ALL.into_iter().filter(|need| Some(*need) != asked_for) {
            if self.leases[need.index()].asked && !self.is_valid(need) {
                let at = self.wall_at(self.start_at(need));
                self.leases[need.index()].tell(error.clone().with_retry_at(Some(at)));
            }
        }
    }

    /// Notes what became of a rung.
    fn note_outcome(&mut self, rung: P::Rung, failure: Failure) -> Failed {
        let Failure { need, position, error, answer, .. } = failure;
        let spends = self.spends(rung);
        // A missing endpoint is an outage where it was there before, and it is no end where there is no other way.
        let is_missing = error.verdict() == Verdict::Unsupported;
        let stays = is_missing && (self.endpoints.has_worked(rung) || self.is_last_way(need, position));
        let verdict = if stays { Verdict::Unknown } else { error.verdict() };
        // The requests before the last one were carried out, or the last one may have been.
        let carried_out = match answer {
            Answer::Heard => false,
            Answer::Missing => verdict == Verdict::Unknown && !is_missing,
            Answer::MissingLate => verdict != Verdict::Refused,
        };
        let lost = spends == Spends::OneUse && carried_out;
        let lease = &mut self.leases[need.index()];
        if lost {
            lease.lose(position);
        }
        match verdict {
            Verdict::Refused => lease.rule_out(position),
            Verdict::Unsupported => self.endpoints.is_missing(rung, self.now.monotonic),
            Verdict::Unknown if !lost => lease.falter(position),
            Verdict::Unknown | Verdict::Unprocessed => {}
        }
        if spends == Spends::OneUse && (verdict == Verdict::Unprocessed || is_missing) && !lost {
            self.take_mark_back();
        }
        Failed { need, position, error, verdict, lost }
    }

    /// Whether an attempt that failed so goes on with another rung at once.
    fn goes_on(&mut self, failed: &Failed) -> bool {
        let Failed { need, position, error, verdict, lost } = failed;
        match verdict {
            Verdict::Refused | Verdict::Unsupported => self.is_another_way_ahead(*need),
            // The service asks for rest.
            Verdict::Unprocessed if matches!(error, Error::Service(_)) => false,
            Verdict::Unprocessed | Verdict::Unknown if *lost => self.has_way_besides(*need, *position),
            Verdict::Unknown => self.falls_further(*need, *position),
            Verdict::Unprocessed => false,
        }
    }

    /// Whether a fall from a rung that was refused, or is not there, leads anywhere but to a pause.
    fn is_another_way_ahead(&mut self, need: Need) -> bool {
        let falling = std::mem::replace(&mut self.leases[need.index()].falling, true);
        let choice = self.choose(need);
        self.leases[need.index()].falling = falling;
        !matches!(choice, Choice::LoginRests(_) | Choice::Passed)
    }

    /// Whether a rung that keeps failing is given up for the next one in this attempt. A person's login is not shown for
    /// it while valid credentials are held.
    fn falls_further(&mut self, need: Need, position: usize) -> bool {
        if !self.leases[need.index()].is_failing(position) {
            return false;
        }
        let falling = std::mem::replace(&mut self.leases[need.index()].falling, true);
        let choice = self.choose(need);
        self.leases[need.index()].falling = falling;
        match choice {
            Choice::Begin(next, _) => {
                next > position && !(self.is_valid(need) && self.shows_person(self.provider.ladder(need)[next]))
            }
            Choice::Blocked | Choice::LoginRests(_) | Choice::Passed | Choice::Exhausted => false,
        }
    }

    /// How the pause after this failure grows.
    fn pace_after(&self, rung: P::Rung, error: &Error) -> Pace {
        let has_failed = matches!(error, Error::Service(error) if error.status().is_some_and(|s| s.is_server_error()));
        match self.spends(rung) {
            _ if has_failed || !error.was_answered() => Pace::Outage,
            Spends::Login if !self.shows_person(rung) => Pace::ProgramAnswered,
            Spends::Login | Spends::OneUse | Spends::Nothing => Pace::Answered,
        }
    }

    /// Tells everybody who waits, and pauses.
    pub(super) fn back_off(&mut self, need: Need, rung: &'static str, error: Error, pace: Pace) {
        self.leases[need.index()].settle_age(Age::Accepted);
        let valid = self.is_valid(need);
        let lease = &mut self.leases[need.index()];
        lease.falling = false;
        lease.back_off(error.clone(), pace, valid, &mut self.random, self.now);
        if valid && let Some(deadline) = self.term(need).and_then(Term::deadline) {
            let end = self.now.monotonic.saturating_add(deadline.remaining(self.now));
            self.leases[need.index()].wake_by(end);
        }
        let error = match self.choose(need) {
            Choice::LoginRests(until) => {
                let until = self.leases[need.index()].start_at().max(until);
                self.leases[need.index()].rest_login(until, self.now);
                self.login_rests(Some(&error))
            }
            _ => error,
        };
        let error = error.with_retry_at(Some(self.wall_at(self.start_at(need))));
        self.share(need, &error);
        self.leases[need.index()].error = Some(Box::new(error.clone()));
        self.outputs.push_back(Output::Event(Event::Failed { need, rung, error }));
    }

    /// Only the login is left to try, and it was shown too often lately: whoever waits hears that a person could sign in.
    pub(super) fn rest_login(&mut self, need: Need, until: Duration) {
        self.leases[need.index()].rest_login(until, self.now);
        let error = self.login_rests(None).with_retry_at(Some(self.wall_at(self.start_at(need))));
        self.tell(need, &error);
    }

    fn login_rests(&self, error: Option<&Error>) -> Error {
        let source = self.login_state.last_answer().or(error).cloned().map(Arc::new);
        SessionError::SignInRequired { source, retry_at: None }.into()
    }

    /// Tells those who wait for this lease, and those whose lease waits for it.
    pub(super) fn tell(&mut self, need: Need, error: &Error) {
        self.leases[need.index()].tell(error.clone());
        self.share(need, error);
    }

    /// A failed access token is a failure of every lease that waits for it.
    pub(super) fn share(&mut self, need: Need, error: &Error) {
        let waits = self.is_blocked(Need::Aws) || self.waits_for_login(Need::Aws);
        let lease = &mut self.leases[Need::Aws.index()];
        if need == Need::Access && lease.asked && waits {
            lease.tell(error.clone());
            if error.retry_at().is_some() {
                lease.settle_age(Age::Accepted);
            }
        }
    }

    /// The new login is no good, or was forgotten. What was held before it goes on; who waited is told.
    pub(super) fn give_up_login(&mut self, need: Need) {
        let lease = &mut self.leases[need.index()];
        lease.login_first = false;
        lease.forced = lease.rejected;
        self.leave_store();
        let lease = &mut self.leases[need.index()];
        let failed = std::mem::take(&mut lease.falling);
        let (asked, paused) = (lease.asked, lease.retry.is_some());
        let error = lease.error.as_deref().filter(|_| failed || paused).cloned();
        if let Some(error) = error.filter(|_| failed || asked) {
            self.tell(need, &error);
        } else if asked && self.is_valid(need) {
            // It was forgotten before it was shown.
            self.tell(need, &SessionError::NoLogin.into());
        }
        self.leases[need.index()].hold(self.now);
        // Without anything valid the ladder goes on, to whatever end.
        self.leases[need.index()].asked |= !self.is_valid(need) && !self.is_one_shot();
    }

    /// No rung is left.
    pub(super) fn stop(&mut self, need: Need) {
        let error = self.leases[need.index()].error.take().map(|error| *error);
        // Where there was no way to try, what may be over is all there is.
        let tried = error.is_some() || self.login_state.refusal().is_some();
        self.leases[need.index()].settle_age(if tried { Age::Refused } else { Age::Accepted });
        let error = match (self.login_state.refusal(), error) {
            _ if self.provider.ladder(need).is_empty() => SessionError::NotOffered { need }.into(),
            (_, Some(error)) if is_not_granted(&error) => error,
            (Some(refused), _) => refused.clone(),
            (None, None) if self.login.is_none() && self.credentials.is_none() => SessionError::NoLogin.into(),
            (None, error) => SessionError::SignInRequired { source: error.map(Arc::new), retry_at: None }.into(),
        };
        // Those whose lease waits for this one learn it from this lease, or go their own way.
        self.tell(need, &error);
        let lease = &mut self.leases[need.index()];
        lease.stopped = Some(Box::new(error.clone()));
        lease.forced = false;
        lease.login_first = false;
        lease.falling = false;
        self.outputs.push_back(Output::Event(Event::Stopped { need, error }));
    }
}

fn is_not_granted(error: &Error) -> bool {
    matches!(error, Error::Service(error) if error.kind() == ServiceErrorKind::NotGranted)
}
