//! What the model expects of a session's getters after each step.

use std::sync::Arc;
use std::time::Duration;

use super::{MIN_GAP, Model, View, lifetime_of, margin, serial, token};
use crate::credentials::same_user;
use crate::session::{MAX_BACKOFF, MAX_BACKOFF_ASKED, Renewal};
use crate::testing::rule::Rule;
use crate::testing::toy::ToyRung;
use crate::wire::MAX_RETRY_AFTER;
use crate::{Credentials, Error, Need, SessionError, State};

const ROUNDING: Duration = Duration::from_millis(1);

impl Model {
    /// Compares what the getters say with what was expected. Call it when the outputs are drained.
    pub fn check(&mut self, view: &View) {
        for need in Need::ALL {
            // Who is told, or served (credentials refused again and again are, too), waits no longer.
            let served = view.served[need.index()].is_some();
            self.lease(need).asked &= !served && view.told[need.index()] == self.told[need.index()];
        }
        if self.signed_out {
            self.check_signed_out(view);
        } else {
            self.check_held(view);
            for need in Need::ALL {
                self.check_served(need, view);
                self.check_obstacle(need, view);
            }
        }
        self.check_failure(view);
        self.check_store(view.held.as_deref());
        self.check_wake(view);
        if self.stray && view.ignored != self.ignored + 1 {
            self.breaks(Rule::NewLoginIsANewEpoch, "an answer that nobody waits for is not ignored");
        }
        if self.idle_reject && self.outputs > 0 {
            self.breaks(Rule::NameWhatWasRefused, "an old refusal has an effect");
        }
        self.login_failed &= view.told[Need::Access.index()] == self.told[Need::Access.index()];
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
            && !same_user(&credentials.account().user_id, user)
        {
            self.breaks(Rule::NewLoginIsANewEpoch, "another account's credentials are held");
        }
        let refresh = credentials.and_then(|credentials| credentials.refresh_token());
        let refresh = refresh.map(|token| serial(token.expose()));
        if refresh != self.refresh {
            let what = format!("refresh token {refresh:?} is held, not {:?}", self.refresh);
            self.breaks(Rule::TransientIsNotRefused, what);
            self.refresh = refresh;
        }
        if let Some(aws) = credentials.and_then(|credentials| credentials.aws()) {
            let parts = [aws.access_key_id(), aws.secret_access_key(), aws.session_token()];
            let parts = parts.map(|part| serial(part.expose()));
            if parts != [parts[0]; 3] {
                self.breaks(Rule::WholeSets, format!("an AWS set of the grants {parts:?}"));
            }
        }
        for need in Need::ALL {
            self.check_lease(need, credentials);
        }
    }

    fn check_lease(&mut self, need: Need, credentials: Option<&Credentials>) {
        let term = credentials.and_then(|credentials| Some((credentials, *credentials.term(need)?)));
        let Some(mut expected) = self.leases[need.index()].held.clone() else {
            if term.is_some() {
                self.breaks(Rule::NewLoginIsANewEpoch, format!("{need}: nobody granted what is held"));
            }
            return;
        };
        let Some((credentials, term)) = term else {
            let rule = self.blame(Rule::NoWaitingOnValid);
            self.breaks(rule, format!("{need}: what was granted is gone"));
            return;
        };
        let (number, generation) = (serial(token(credentials, need)), credentials.generation(need));
        if number != expected.serial {
            let rule = self.blame(if self.stray { Rule::NewLoginIsANewEpoch } else { Rule::AbsoluteDeadlines });
            self.breaks(rule, format!("{need}: of grant {number}, not {}", expected.serial));
        }
        if expected.generation.is_some_and(|known| known != generation) {
            self.breaks(Rule::AbsoluteDeadlines, format!("{need}: a new generation without a new grant"));
        }
        if expected.deadline.is_none() && term.deadline().is_some() {
            self.breaks(Rule::WholeSets, format!("{need}: an unknown deadline is guessed"));
        } else if term.deadline() != expected.deadline || lifetime_of(&term) != expected.lifetime {
            let what = format!("{need}: until {:?}, not {:?}", term.deadline(), expected.deadline);
            self.breaks(Rule::AbsoluteDeadlines, what);
        }
        expected.generation = Some(generation);
        self.lease(need).held = Some(expected);
    }

    /// Which rule is broken when something valid is missing.
    fn blame(&self, otherwise: Rule) -> Rule {
        if self.failure.is_some() { Rule::FailureNeverDisplaces } else { otherwise }
    }

    fn check_served(&mut self, need: Need, view: &View) {
        let served: Option<&Arc<Credentials>> = view.served[need.index()].as_ref();
        let live = self.is_live(need);
        let lease = &self.leases[need.index()];
        if served.is_some() && lease.held.is_some() && !live {
            self.breaks(Rule::ClocksMisbehave, format!("{need}: served beyond its deadline"));
        } else if served.is_none() && live && !lease.named {
            let rule = self.blame(Rule::NoWaitingOnValid);
            self.breaks(rule, format!("{need}: valid, and not served"));
        }
        if let (Some(served), Some(held)) = (served, &view.held)
            && token(served, need) != token(held, need)
        {
            self.breaks(Rule::AbsoluteDeadlines, format!("{need}: what is served is not what is held"));
        }
    }

    /// Who asks and gets nothing learns why at once, or something is on its way.
    fn check_obstacle(&mut self, need: Need, view: &View) {
        let served = view.served[need.index()].is_some();
        let now = self.now;
        let not_before = self.leases.iter().map(|lease| lease.not_before).max().unwrap_or_default();
        let asked_for = not_before.saturating_sub(now.monotonic);
        let asked = self.leases[need.index()].asked;
        match &view.obstacles[need.index()] {
            Some(_) if served => {
                self.breaks(Rule::NoWaitingOnValid, format!("{need}: an obstacle before valid credentials"));
            }
            Some(error) if error.retry_at().is_some() => {
                let pause = error.retry_at().map(|at| at.since(now.wall));
                let pause = pause.and_then(|pause| Duration::try_from(pause).ok()).unwrap_or_default();
                if asked && pause > asked_for.max(MAX_BACKOFF_ASKED) + ROUNDING {
                    self.breaks(Rule::FailuresAreShared, format!("{need}: callers wait {pause:?}"));
                } else if pause > MAX_RETRY_AFTER + ROUNDING {
                    self.breaks(Rule::NobodyPoisons, format!("{need}: a pause of {pause:?}"));
                }
            }
            Some(error) if error.is_retryable() => {
                self.breaks(Rule::FailuresAreShared, format!("{need}: to be tried again, and nobody knows when"));
            }
            None if asked && !served && self.flight.is_none() => {
                let soon = now.monotonic.saturating_add(MAX_BACKOFF_ASKED);
                if view.wake.is_none_or(|wake| wake.at > soon) {
                    self.breaks(Rule::FailuresAreShared, format!("{need}: callers wait for nothing"));
                }
            }
            _ => {}
        }
    }

    fn check_failure(&mut self, view: &View) {
        let Some(failure) = self.failure else { return };
        let grew = |need: Need| view.told[need.index()] > self.told[need.index()];
        let ended = self.failed_events[failure.need.index()];
        let untold = ended && failure.asked && !grew(failure.need);
        let alone = failure.need == Need::Aws
            && grew(Need::Access)
            && !self.failed_events[Need::Access.index()]
            && !self.login_failed;
        let [access, aws] = [Need::Access, Need::Aws].map(|need| view.served[need.index()].is_some());
        let unshared = failure.need == Need::Access
            && ended
            && !access
            && !aws
            && self.leases[Need::Aws.index()].asked
            && !grew(Need::Aws)
            && self.flight.is_none();
        if untold {
            self.breaks(Rule::FailuresAreShared, format!("{}: a failure that nobody was told", failure.need));
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
                self.breaks(Rule::NobodyPoisons, "a request is in flight without a deadline");
            }
            return;
        }
        if self.signed_out {
            return;
        }
        for need in Need::ALL {
            let lease = &self.leases[need.index()];
            if lease.stopped {
                continue;
            }
            let ahead = self.policy.renewal == Renewal::Ahead;
            let not_before = self.leases.iter().map(|lease| lease.not_before).max().unwrap_or_default();
            if lease.named && view.wake.is_none_or(|wake| wake.at > not_before.max(now + MAX_BACKOFF)) {
                let what = format!("{need}: refused, and its renewal is forgotten");
                self.breaks(Rule::NameWhatWasRefused, what);
                continue;
            }
            let blocked = need == Need::Aws && view.served[Need::Access.index()].is_none();
            let Some(held) = lease.held.as_ref().filter(|_| ahead && self.is_live(need)) else {
                continue;
            };
            let (Some(deadline), Some(lifetime)) = (held.deadline, held.lifetime) else {
                continue;
            };
            // A new login has its own pace. With a store, what was held before waits for it.
            let new_login = self.login_first && (need == Need::Access || self.store.is_some());
            if lease.named || lease.failed || blocked || new_login {
                continue;
            }
            // A login that was tried for another lease was tried for this one, too.
            let logins = self.leases.iter().map(|lease| lease.attempted_at[ToyRung::SignIn as usize]);
            let last = lease.attempted_at.into_iter().chain(logins).flatten().max();
            let gap = last.map_or(now, |last| last.saturating_add(MIN_GAP));
            let left = deadline.remaining(self.now).saturating_sub(margin(&self.policy, lifetime));
            let latest = now.saturating_add(left).max(gap).saturating_add(ROUNDING);
            if view.wake.is_none_or(|wake| wake.at > latest) {
                let what = format!("{need}: woken at {:?}, the margin is reached at {latest:?}", view.wake);
                self.breaks(Rule::MarginsFitLifetimes, what);
            }
        }
    }
}
