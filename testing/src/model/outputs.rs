//! What the model makes of a session's outputs.

use std::time::Duration;

use super::account::DAY;
use super::state::{Attempt, Doubt, Flight, Lease};
use super::{MAX_BACKOFF, MIN_RETRY_INTERVAL, Model, is_reusable, margin, pace, serial};
use crate::rule::Rule;
use crate::said::Said;
use crate::service::{Asked, Service};
use crate::toy::ToyMethod;
use perennial_core::session::MAX_BACKOFF_FOREGROUND;
use perennial_core::{Error, Event, LeaseId, Output, Request};

/// Clocks of the outputs are whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// More requests than one step can cause.
const MOST_SENDS: u32 = 8;

impl Model {
    /// Takes one output.
    pub fn saw(&mut self, output: &Output) {
        self.outputs += u32::from(!matches!(output, Output::Sleep(_)));
        match output {
            Output::Send(request) => self.sent(request),
            Output::Cancel(id) => match self.flight.take_if(|flight| flight.id == *id) {
                Some(flight) if flight.dropped => {}
                // Somebody signs in again, or the login is forgotten: it is given up for that.
                Some(flight) if self.may_give_up && !flight.orphan => {
                    if flight.attempt.is_some_and(|attempt| attempt.method == ToyMethod::Refresh) {
                        self.refresh_lost_at = Some(self.now.monotonic);
                    }
                }
                Some(flight) => self.outcome(flight, &Said::Unheard),
                None => self.breaks(Rule::OneAtATime, format!("{id:?} is cancelled and not in flight")),
            },
            Output::Store(op) => self.asked_store(op),
            Output::Event(event) => self.happened(event),
            Output::Sleep(_) => {}
        }
    }

    fn sent(&mut self, request: &Request) {
        self.sends += 1;
        if self.sends > MOST_SENDS {
            self.breaks(Rule::NoBusyLoop, "one request after another in a single step");
        }
        if let Some(flight) = &self.flight {
            let what = format!("{:?} is sent while {:?} is in flight", request.id, flight.id);
            self.breaks(Rule::OneAtATime, what);
        }
        if request.id <= self.last_request {
            self.breaks(Rule::OneAtATime, format!("{:?} is used twice", request.id));
        }
        self.last_request = request.id;
        let Some(asked) = Service::read(request) else {
            self.breaks(Rule::NoErrorIsForever, format!("a request that nobody understands: {request:?}"));
            return;
        };
        let attempt = self.attempt.take();
        let mut flight = Flight { id: request.id, attempt, sent: self.now, steps: 1, orphan: false, dropped: false };
        match (&asked, self.continuing.take()) {
            (Asked::Ticket { .. }, Some(half)) => {
                flight = Flight { id: request.id, sent: self.now, steps: half.steps + 1, ..half };
            }
            (Asked::Ticket { .. }, None) => self.breaks(Rule::NewLoginIsANewEpoch, "goes on with what has ended"),
            (Asked::SignOut { token }, _) => {
                let next = self.revocations.pop_front();
                if next != Some(serial(token)) {
                    let what = format!("revokes grant {}, expected {next:?}", serial(token));
                    self.breaks(Rule::SignOutWins, what);
                }
            }
            (Asked::Refresh { token }, _) => self.check_refresh(serial(token)),
            (Asked::SignIn { user, password }, _) => self.check_sign_in(user, password),
            (Asked::AwsRefresh { .. }, _) => {}
        }
        let is_sign_out = matches!(asked, Asked::SignOut { .. });
        if flight.attempt.is_some() == is_sign_out {
            self.breaks(Rule::OneAtATime, "a request without an attempt, or the other way round");
        }
        if self.signed_out && !is_sign_out && !flight.orphan {
            self.breaks(Rule::SignOutWins, "asks for credentials after a sign-out");
        }
        self.flight = Some(flight);
    }

    fn check_refresh(&mut self, serial: u64) {
        if Some(serial) != self.refresh {
            let what = format!("sends refresh token {serial}, the latest is {:?}", self.refresh);
            let rule = if self.came_beside_a_flaw { Rule::WhatCameIsKept } else { Rule::LostAnswer };
            self.breaks(rule, what);
        }
        self.check_mark(serial);
        if self.refresh_refused {
            self.breaks(Rule::RefusedMethodIsLeftOut, format!("sends refresh token {serial}, which was refused"));
        }
        let Some(lost_at) = self.refresh_lost_at.filter(|_| !is_reusable(&self.policy)) else {
            return;
        };
        if self.is_usable(LeaseId::Access, ToyMethod::SignIn) {
            self.breaks(Rule::LostAnswer, format!("repeats refresh token {serial}, though there is a login"));
        } else if self.now.monotonic < lost_at.saturating_add(MIN_RETRY_INTERVAL) {
            self.breaks(Rule::LostAnswer, format!("repeats refresh token {serial} without a pause"));
        }
    }

    fn check_sign_in(&mut self, user: &str, password: &str) {
        let known = self.login.as_ref();
        let ours = known.is_some_and(|login| login.user() == user && login.password().expose() == password);
        // A store that tells of a refusal need not know of the person who has given the login again.
        self.login_refused &= self.account.refused.is_some();
        if self.login_refused {
            self.breaks(Rule::RefusedStops, "sends a login that was refused");
        } else if !ours {
            self.breaks(Rule::NewLoginIsANewEpoch, "signs in with a login that is not the latest");
        }
    }

    fn happened(&mut self, event: &Event) {
        match event {
            Event::RenewalStarted { lease_id, method } => {
                self.check_lock_of_attempt();
                self.check_attempt_is_waited_for(*lease_id);
                if let Some(method) = ToyMethod::ALL.into_iter().find(|known| known.name() == *method) {
                    self.check_attempt(*lease_id, method);
                    self.attempt = Some(Attempt { lease_id: *lease_id, method });
                }
                if self.idle_reject {
                    self.breaks(Rule::NameWhatWasRefused, "an old refusal begins a renewal");
                }
            }
            Event::Rejected { .. } if self.idle_reject => {
                self.breaks(Rule::NameWhatWasRefused, "an old refusal is taken for news");
            }
            Event::Renewed { .. } if self.signed_out => {
                self.breaks(Rule::SignOutWins, "credentials are announced after a sign-out");
            }
            Event::Renewed { method: Some(_), .. } => self.check_saved_before_told(),
            Event::Fallback { lease_id: LeaseId::Access, .. } => self.login_failed = true,
            Event::Failed { lease_id, error, .. } => {
                self.failed_events[lease_id.index()] = true;
                self.check_failed(*lease_id, error);
                self.was_looked_into(*lease_id);
                self.lease(*lease_id).forced &= self.login_first;
                self.lease(*lease_id).falls = None;
            }
            Event::Exhausted { lease_id, error } => {
                self.failed_events[lease_id.index()] = true;
                self.check_stopped(*lease_id, error);
                self.cannot_be_looked_into(*lease_id);
                let lease = self.lease(*lease_id);
                (lease.stopped, lease.forced, lease.falls) = (true, false, None);
            }
            _ => {}
        }
    }

    fn check_attempt(&mut self, lease_id: LeaseId, method: ToyMethod) {
        let now = self.now.monotonic;
        let lease = self.leases[lease_id.index()].clone();
        let live = self.is_live(lease_id);
        let quiet = self.account.quiet_left(self.now);
        if quiet > ROUNDING {
            self.breaks(Rule::QuietIsTheServices, format!("{lease_id}: {method:?} {quiet:?} before the quiet ends"));
        }
        self.check_method(lease_id, method);
        self.person &= method != ToyMethod::SignIn;
        let mut breaks = |rule, what: String| self.broken.push(super::Broken { rule, what });
        if lease.stopped {
            breaks(Rule::RefusedStops, format!("{lease_id}: {method:?} after everything was refused"));
        }
        let last = lease.attempted_at[method as usize];
        if last.is_some_and(|last| now < last.saturating_add(MIN_RETRY_INTERVAL)) {
            breaks(Rule::NoBusyLoop, format!("{lease_id}: {method:?} twice within the gap"));
        }
        if let Some(at) = lease.renewed_at.filter(|_| lease.named && lease.fresh_rejects > 0)
            && now < at.saturating_add(pace(lease.fresh_rejects)).saturating_sub(ROUNDING)
            && !self.login_first
            && self.failure.is_none()
            && live
        {
            breaks(Rule::NameWhatWasRefused, format!("{lease_id}: refused right after its issue, and no pause"));
        }
        if let Some(held) = lease.held
            && self.is_live(lease_id)
            && !(lease.forced || lease.named || held.doubt != Doubt::None)
        {
            let early = match (held.deadline, held.lifetime) {
                (Some(deadline), Some(lifetime)) => {
                    let margin = margin(&self.policy, lifetime);
                    deadline.remaining(self.now) > margin + margin / 10 + ROUNDING
                }
                _ => true,
            };
            if early {
                self.breaks(Rule::MarginsFitLifetimes, format!("{lease_id}: {method:?} before its margin"));
            }
        }
        self.lease(lease_id).attempted_at[method as usize] = Some(now);
    }

    fn check_failed(&mut self, lease_id: LeaseId, error: &Error) {
        let Some(at) = error.retry_at() else {
            self.breaks(Rule::FailuresAreShared, format!("{lease_id}: failed, and nobody knows until when"));
            return;
        };
        let pause = Duration::try_from(at.since(self.now.wall)).unwrap_or_default();
        if pause + ROUNDING < self.account.quiet_left(self.now) {
            let what = format!("{lease_id}: again in {pause:?}, before the quiet ends");
            self.breaks(Rule::QuietIsTheServices, what);
        }
        let asked = self.leases[lease_id.index()].asked;
        self.check_pause(lease_id, pause, asked);
    }

    /// A pause is as long as there is a reason for.
    pub(super) fn check_pause(&mut self, lease_id: LeaseId, pause: Duration, asked: bool) {
        let rests = if self.account.may_login_rest() { DAY } else { Duration::ZERO };
        let told = rests.max(self.account.quiet_left_at_most(self.now));
        let told_no = self.leases.iter().any(Lease::was_told_no);
        let waits = asked && !self.is_live(lease_id);
        if pause > told.max(MAX_BACKOFF) + ROUNDING {
            self.breaks(Rule::NoErrorIsForever, format!("{lease_id}: a pause of {pause:?}"));
        } else if waits && !told_no && pause > told.max(MAX_BACKOFF_FOREGROUND) + ROUNDING {
            self.breaks(Rule::FailuresAreShared, format!("{lease_id}: callers wait {pause:?}"));
        }
    }

    /// A lease may stop only when nothing is left.
    fn check_stopped(&mut self, lease_id: LeaseId, error: &Error) {
        if error.retry_at().is_some() {
            self.breaks(Rule::FailuresAreShared, format!("{lease_id}: stopped, and still to be tried again"));
        }
        let left = match lease_id {
            _ if self.can_sign_in()
                && !(lease_id == LeaseId::Aws && self.aws_ruled_out.contains(&ToyMethod::SignIn)) =>
            {
                Some(ToyMethod::SignIn)
            }
            LeaseId::Access => (self.refresh.is_some() && !self.refresh_refused).then_some(ToyMethod::Refresh),
            LeaseId::Aws => {
                let base = self.is_servable(LeaseId::Access) && !self.leases[LeaseId::Access.index()].named;
                (base && !self.aws_ruled_out.contains(&ToyMethod::AwsRefresh)).then_some(ToyMethod::AwsRefresh)
            }
        };
        if let Some(method) = left {
            let rule = match self.missing[method as usize] {
                Some(_) => Rule::UnsupportedPasses,
                None => Rule::TransientIsNotRefused,
            };
            self.breaks(rule, format!("{lease_id}: stops, though {method:?} is left"));
        }
    }
}
