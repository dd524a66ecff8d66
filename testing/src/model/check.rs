//! What the model expects of a session's getters after each step.

use std::sync::Arc;
use std::time::Duration;

use super::account::DAY;
use super::{MIN_RETRY_INTERVAL, Model, View, lifetime_of, margin, most_pace, serial, token};
use crate::rule::Rule;
use crate::toy::ToyMethod;
use perennial_core::credentials::same_account;
use perennial_core::session::{MAX_BACKOFF, MAX_BACKOFF_FOREGROUND, RefreshMode};
use perennial_core::{Credentials, Error, LeaseId, SessionError, State};

const ROUNDING: Duration = Duration::from_millis(1);

impl Model {
    /// Compares what the getters say with what was expected. Call it when the outputs are drained.
    pub fn check(&mut self, view: &View) {
        self.falls_back_on_sign_out();
        self.note_who_was_told(view);
        for lease_id in LeaseId::ALL {
            // Who is told, or served, waits no longer.
            let served = view.served[lease_id.index()].is_some();
            self.lease(lease_id).asked &= !served && view.told[lease_id.index()] == self.told[lease_id.index()];
        }
        if self.signed_out {
            self.check_signed_out(view);
        } else {
            self.check_held(view);
            for lease_id in LeaseId::ALL {
                self.check_served(lease_id, view);
                self.check_obstacle(lease_id, view);
            }
        }
        self.check_end(view);
        self.check_failure(view);
        self.check_owed();
        self.check_person();
        self.check_can_come_back(view.has_login);
        self.check_store(view.held.as_deref());
        self.check_wake(view);
        if self.stray && view.ignored != self.ignored + 1 {
            self.breaks(Rule::NewLoginIsANewEpoch, "an answer that nobody waits for is not ignored");
        }
        if self.idle_reject && self.outputs > 0 {
            self.breaks(Rule::NameWhatWasRefused, "an old refusal has an effect");
        }
        self.login_failed &= view.told[LeaseId::Access.index()] == self.told[LeaseId::Access.index()];
        self.told = view.told;
        self.ignored = view.ignored;
    }

    fn check_signed_out(&mut self, view: &View) {
        let silent = view.held.is_none() && view.served.iter().all(Option::is_none);
        if !silent {
            self.breaks(Rule::SignOutWins, "credentials are there after a sign-out");
        }
        let said = |error: &Option<Error>| matches!(error, Some(Error::Session(SessionError::SignedOut)));
        if view.state != State::SignedOut || !view.obstacles.iter().all(said) {
            self.breaks(Rule::SignOutWins, "it does not say that it is signed out");
        }
        if self.flight.is_none() && self.continuing.is_none() && !self.revocations.is_empty() {
            self.breaks(Rule::SignOutWins, format!("grants {:?} are not revoked", self.revocations));
        }
    }

    /// What is held is what was granted, and nothing else has moved.
    fn check_held(&mut self, view: &View) {
        let credentials = view.held.as_deref();
        if let (Some(credentials), Some(user)) = (credentials, &self.user)
            && !same_account(&credentials.account().id, user)
        {
            self.breaks(Rule::NewLoginIsANewEpoch, "another account's credentials are held");
        }
        let refresh = credentials.and_then(|credentials| credentials.refresh_token());
        let refresh = refresh.map(|token| serial(token.expose()));
        if refresh != self.refresh {
            let what = format!("refresh token {refresh:?} is held, not {:?}", self.refresh);
            let rule = if self.came_beside_a_flaw { Rule::WhatCameIsKept } else { Rule::TransientIsNotRefused };
            self.breaks(rule, what);
            (self.refresh, self.came_beside_a_flaw) = (refresh, false);
        }
        if let Some(aws) = credentials.and_then(|credentials| credentials.aws()) {
            let parts = [aws.access_key_id(), aws.secret_access_key(), aws.session_token()];
            let parts = parts.map(|part| serial(part.expose()));
            if parts != [parts[0]; 3] {
                self.breaks(Rule::WholeSets, format!("an AWS set of the grants {parts:?}"));
            }
        }
        for lease_id in LeaseId::ALL {
            self.check_lease(lease_id, credentials);
        }
    }

    fn check_lease(&mut self, lease_id: LeaseId, credentials: Option<&Credentials>) {
        let validity = credentials.and_then(|credentials| Some((credentials, *credentials.validity(lease_id)?)));
        let Some(mut expected) = self.leases[lease_id.index()].held.clone() else {
            if validity.is_some() {
                self.breaks(Rule::NewLoginIsANewEpoch, format!("{lease_id}: nobody granted what is held"));
            }
            return;
        };
        let Some((credentials, validity)) = validity else {
            let rule = self.blame(Rule::NoWaitingOnValid);
            self.breaks(rule, format!("{lease_id}: what was granted is gone"));
            return;
        };
        let (number, generation) = (serial(token(credentials, lease_id)), credentials.generation(lease_id));
        if number != expected.serial {
            let rule = self.blame(if self.stray { Rule::NewLoginIsANewEpoch } else { Rule::AbsoluteDeadlines });
            self.breaks(rule, format!("{lease_id}: of grant {number}, not {}", expected.serial));
        }
        if expected.generation.is_some_and(|known| known != generation) {
            self.breaks(Rule::AbsoluteDeadlines, format!("{lease_id}: a new generation without a new grant"));
        }
        if expected.deadline.is_none() && validity.deadline().is_some() {
            self.breaks(Rule::WholeSets, format!("{lease_id}: an unknown deadline is guessed"));
        } else if validity.deadline() != expected.deadline || lifetime_of(&validity) != expected.lifetime {
            let what = format!("{lease_id}: until {:?}, not {:?}", validity.deadline(), expected.deadline);
            self.breaks(Rule::AbsoluteDeadlines, what);
        }
        expected.generation = Some(generation);
        self.lease(lease_id).held = Some(expected);
    }

    /// Which rule is broken when something valid is missing.
    fn blame(&self, otherwise: Rule) -> Rule {
        if self.failure.is_some() { Rule::FailureNeverDisplaces } else { otherwise }
    }

    fn check_served(&mut self, lease_id: LeaseId, view: &View) {
        let served: Option<&Arc<Credentials>> = view.served[lease_id.index()].as_ref();
        let live = self.is_live(lease_id);
        let lease = &self.leases[lease_id.index()];
        if served.is_some() && lease.held.is_some() && !live {
            self.breaks(Rule::ClocksMisbehave, format!("{lease_id}: served beyond its deadline"));
        } else if served.is_some() && lease.named {
            let what = format!("{lease_id}: served again to those who said that it is refused");
            self.breaks(Rule::RejectedStaysAway, what);
        } else if served.is_some() && live && self.is_barred(lease_id) {
            self.breaks(Rule::DoubtIsLookedInto, format!("{lease_id}: served, and nobody knows whether it is over"));
        } else if served.is_none() && live && !lease.named && !self.may_be_barred(lease_id) {
            let rule = self.blame(Rule::NoWaitingOnValid);
            self.breaks(rule, format!("{lease_id}: valid, and not served"));
        }
        if let (Some(served), Some(held)) = (served, &view.held)
            && token(served, lease_id) != token(held, lease_id)
        {
            self.breaks(Rule::AbsoluteDeadlines, format!("{lease_id}: what is served is not what is held"));
        }
    }

    /// Who asks and gets nothing learns why at once, or something is on its way.
    fn check_obstacle(&mut self, lease_id: LeaseId, view: &View) {
        let served = view.served[lease_id.index()].is_some();
        let now = self.now;
        let lease = self.leases[lease_id.index()].clone();
        let stops = lease.stopped || self.leases[LeaseId::Access.index()].stopped;
        let idle = !served && self.flight.is_none();
        match &view.obstacles[lease_id.index()] {
            Some(_) if served => {
                self.breaks(Rule::NoWaitingOnValid, format!("{lease_id}: an obstacle before valid credentials"));
            }
            Some(Error::Session(SessionError::Closed)) if self.closed => {}
            Some(error) => match error.retry_at() {
                Some(at) => {
                    let pause = Duration::try_from(at.since(now.wall)).unwrap_or_default();
                    self.check_pause(lease_id, pause, lease.asked);
                    self.check_announced(lease_id, pause, view);
                }
                None if error.is_retryable() || !stops => {
                    self.breaks(
                        Rule::FailuresAreShared,
                        format!("{lease_id}: to be tried again, and nobody knows when"),
                    );
                }
                None => {}
            },
            None if lease.asked && idle => {
                let soon = now.monotonic.saturating_add(MAX_BACKOFF_FOREGROUND);
                if view.wake.is_none_or(|wake| wake.at > soon) {
                    self.breaks(Rule::FailuresAreShared, format!("{lease_id}: callers wait for nothing"));
                }
            }
            None => {}
        }
        if idle && !stops {
            self.check_quiet_is_said(lease_id, view);
            self.check_rest_is_said(lease_id, view);
            self.check_rejection_is_said(lease_id, view);
        }
    }

    /// What callers are told of the next attempt, the session knows, too.
    fn check_announced(&mut self, lease_id: LeaseId, pause: Duration, view: &View) {
        // Who comes a bit too early waits, then.
        let at = self.now.monotonic.saturating_add(pause).saturating_add(MAX_BACKOFF_FOREGROUND);
        let ahead = self.policy.refresh_mode == RefreshMode::Proactive;
        let waits = self.leases[lease_id.index()].asked || ahead && self.leases[lease_id.index()].wanted;
        // In a one-shot session nothing is tried until they come.
        let tries = self.policy.refresh_mode != RefreshMode::OneShot;
        if tries && waits && self.flight.is_none() && view.wake.is_none_or(|wake| wake.at > at) {
            let what = format!("{lease_id}: callers come again in {pause:?}, and nothing is tried then");
            self.breaks(Rule::NoErrorIsForever, what);
        }
    }

    /// Whoever asks while the service wants quiet hears of it at once, whichever lease it is.
    fn check_quiet_is_said(&mut self, lease_id: LeaseId, view: &View) {
        let quiet = self.account.quiet_left(self.now);
        if quiet <= MIN_RETRY_INTERVAL || self.closed || !self.leases[lease_id.index()].asked {
            return;
        }
        let until = view.obstacles[lease_id.index()].as_ref().and_then(Error::retry_at);
        let left = until.and_then(|at| Duration::try_from(at.since(self.now.wall)).ok());
        if left.is_none_or(|left| left + ROUNDING < quiet) {
            let what = format!("{lease_id}: the service wants quiet for {quiet:?}, and callers are told {left:?}");
            self.breaks(Rule::QuietIsTheServices, what);
        }
        if lease_id == LeaseId::Access && view.state == State::SigningIn {
            self.breaks(Rule::QuietIsTheServices, "it says that it signs in, and the service wants quiet");
        }
    }

    /// While a password rests a person can act: callers say so.
    fn check_rest_is_said(&mut self, lease_id: LeaseId, view: &View) {
        let obstacle = view.obstacles[lease_id.index()].as_ref();
        let said = match obstacle {
            Some(Error::Session(SessionError::SignInRequired { source, .. })) => {
                obstacle.and_then(Error::retry_at).is_some() && source.is_some()
            }
            _ => false,
        };
        if said && !self.account.may_login_rest() {
            self.breaks(Rule::PasswordIsNotRepeated, format!("{lease_id}: a person is called without a reason"));
        }
        let cheaper = self.refresh.is_some() && !self.refresh_refused;
        let quiet = self.account.quiet_left_at_most(self.now) > Duration::ZERO;
        let rests = !self.closed && self.can_sign_in() && self.account.is_login_resting() && !cheaper && !quiet;
        let access = lease_id == LeaseId::Access && self.leases[lease_id.index()].wanted;
        if rests && access && !(said && view.state == State::SignInRequired) {
            let what = format!("the password rests, and callers hear {obstacle:?}, it is {}", view.state);
            self.breaks(Rule::PasswordIsNotRepeated, what);
        }
    }

    /// Who has named what he was given hears of the next one at once.
    fn check_rejection_is_said(&mut self, lease_id: LeaseId, view: &View) {
        let lease = &self.leases[lease_id.index()];
        let waits = lease.asked || self.policy.refresh_mode == RefreshMode::Proactive;
        // A wait of some seconds is no harm.
        let soon = self.now.monotonic.saturating_add(MAX_BACKOFF_FOREGROUND).saturating_add(ROUNDING);
        let comes = view.wake.is_some_and(|wake| wake.at <= soon);
        if lease.named && waits && !comes && view.obstacles[lease_id.index()].is_none() {
            self.breaks(Rule::RejectedStaysAway, format!("{lease_id}: refused, and callers wait for nothing"));
        }
    }

    /// A person who signs in need not wait.
    fn check_person(&mut self) {
        let busy = self.flight.as_ref().is_some_and(|flight| flight.orphan || flight.attempt.is_none());
        if self.person && !busy {
            self.breaks(Rule::QuietIsTheServices, "a person signs in, and that is not tried at once");
        }
    }

    fn check_failure(&mut self, view: &View) {
        let Some(failure) = self.failure else { return };
        let grew = |lease_id: LeaseId| view.told[lease_id.index()] > self.told[lease_id.index()];
        let ended = self.failed_events[failure.lease_id.index()];
        let untold = ended && failure.asked && !grew(failure.lease_id);
        let alone = failure.lease_id == LeaseId::Aws
            && grew(LeaseId::Access)
            && !self.failed_events[LeaseId::Access.index()]
            && !self.login_failed
            && !failure.of_account
            // At the same moment the login may be found to rest.
            && !self.account.may_login_rest();
        let [access, aws] = [LeaseId::Access, LeaseId::Aws].map(|lease_id| view.served[lease_id.index()].is_some());
        let unshared = failure.lease_id == LeaseId::Access
            && ended
            && !access
            && !aws
            && self.leases[LeaseId::Aws.index()].asked
            && !grew(LeaseId::Aws)
            && self.flight.is_none();
        if untold {
            self.breaks(Rule::FailuresAreShared, format!("{}: a failure that nobody was told", failure.lease_id));
        }
        if unshared {
            self.breaks(Rule::FailuresAreShared, "those who wait through the access token were not told");
        }
        if alone {
            self.breaks(Rule::LeasesFailApart, "a failure of the AWS credentials is told of the access token");
        }
    }

    fn check_wake(&mut self, view: &View) {
        let now = self.now.monotonic;
        if view.wake.is_some_and(|wake| wake.at <= now) {
            self.breaks(Rule::NoBusyLoop, format!("wants to be woken at once: {:?}", view.wake));
        }
        if self.flight.is_some() {
            if view.wake.is_none() {
                self.breaks(Rule::NoErrorIsForever, "a request is in flight without a deadline");
            }
            return;
        }
        if self.signed_out || self.closed {
            return;
        }
        for lease_id in LeaseId::ALL {
            let lease = self.leases[lease_id.index()].clone();
            if lease.stopped {
                continue;
            }
            let ahead = self.policy.refresh_mode == RefreshMode::Proactive;
            let told = self.account.quiet_left_at_most(self.now);
            let told = if self.account.may_login_rest() { DAY } else { told };
            let begins = !self.closed && self.policy.refresh_mode != RefreshMode::OneShot;
            if lease.named && begins && view.wake.is_none_or(|wake| wake.at > now + told.max(MAX_BACKOFF)) {
                let what = format!("{lease_id}: refused, and its renewal is forgotten");
                self.breaks(Rule::NameWhatWasRefused, what);
                continue;
            }
            let blocked = lease_id == LeaseId::Aws && view.served[LeaseId::Access.index()].is_none();
            if lease.named && ahead && !lease.failed && !blocked && !self.login_first {
                let at = lease.renewed_at.map_or(now, |at| at.saturating_add(most_pace(lease.fresh_rejects)));
                let latest = at.max(now + told).max(now + MIN_RETRY_INTERVAL) + ROUNDING;
                if view.wake.is_none_or(|wake| wake.at > latest) {
                    let what = format!("{lease_id}: renewed at {:?}, not by {latest:?}", view.wake);
                    self.breaks(Rule::RejectedStaysAway, what);
                }
            }
            let Some(held) = lease.held.as_ref().filter(|_| ahead && self.is_live(lease_id)) else {
                continue;
            };
            let (Some(deadline), Some(lifetime)) = (held.deadline, held.lifetime) else {
                continue;
            };
            // A new login has its own pace. With a store, what was held before waits for it.
            let new_login = self.login_first && (lease_id == LeaseId::Access || self.store.is_some());
            if lease.named || lease.failed || blocked || new_login {
                continue;
            }
            // A login that was tried for another lease was tried for this one, too.
            let logins = self.leases.iter().map(|lease| lease.attempted_at[ToyMethod::SignIn as usize]);
            let last = lease.attempted_at.into_iter().chain(logins).flatten().max();
            let gap = last.map_or(now, |last| last.saturating_add(MIN_RETRY_INTERVAL));
            let left = deadline.remaining(self.now).saturating_sub(margin(&self.policy, lifetime));
            let latest = now.saturating_add(left).max(gap).max(now + told).saturating_add(ROUNDING);
            if view.wake.is_none_or(|wake| wake.at > latest) {
                let what = format!("{lease_id}: woken at {:?}, the margin is reached at {latest:?}", view.wake);
                self.breaks(Rule::MarginsFitLifetimes, what);
            }
        }
    }
}
