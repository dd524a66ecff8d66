//! What the model expects of a session's getters after each step.

use std::sync::Arc;
use std::time::Duration;

use super::account::DAY;
use super::{MIN_GAP, Model, View, lifetime_of, margin, most_pace, serial, token};
use crate::credentials::same_user;
use crate::session::{MAX_BACKOFF, MAX_BACKOFF_ASKED, Renewal};
use crate::testing::rule::Rule;
use crate::testing::toy::ToyRung;
use crate::{Credentials, Error, Need, SessionError, State};

const ROUNDING: Duration = Duration::from_millis(1);

impl Model {
    /// Compares what the getters say with what was expected. Call it when the outputs are drained.
    pub fn check(&mut self, view: &View) {
        self.falls_back_on_sign_out();
        self.note_who_was_told(view);
        for need in Need::ALL {
            // Who is told, or served, waits no longer.
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
        } else if served.is_some() && lease.named {
            let what = format!("{need}: served again to those who said that it is refused");
            self.breaks(Rule::RejectedStaysAway, what);
        } else if served.is_some() && live && self.is_barred(need) {
            self.breaks(Rule::DoubtIsLookedInto, format!("{need}: served, and nobody knows whether it is over"));
        } else if served.is_none() && live && !lease.named && !self.may_be_barred(need) {
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
        let lease = self.leases[need.index()].clone();
        let stops = lease.stopped || self.leases[Need::Access.index()].stopped;
        let idle = !served && self.flight.is_none();
        match &view.obstacles[need.index()] {
            Some(_) if served => {
                self.breaks(Rule::NoWaitingOnValid, format!("{need}: an obstacle before valid credentials"));
            }
            Some(Error::Session(SessionError::Closed)) if self.closed => {}
            Some(error) => match error.retry_at() {
                Some(at) => {
                    let pause = Duration::try_from(at.since(now.wall)).unwrap_or_default();
                    self.check_pause(need, pause, lease.asked);
                    self.check_announced(need, pause, view);
                }
                None if error.is_retryable() || !stops => {
                    self.breaks(Rule::FailuresAreShared, format!("{need}: to be tried again, and nobody knows when"));
                }
                None => {}
            },
            None if lease.asked && idle => {
                let soon = now.monotonic.saturating_add(MAX_BACKOFF_ASKED);
                if view.wake.is_none_or(|wake| wake.at > soon) {
                    self.breaks(Rule::FailuresAreShared, format!("{need}: callers wait for nothing"));
                }
            }
            None => {}
        }
        if idle && !stops {
            self.check_quiet_is_said(need, view);
            self.check_rest_is_said(need, view);
            self.check_rejection_is_said(need, view);
        }
    }

    /// What callers are told of the next attempt, the session knows, too.
    fn check_announced(&mut self, need: Need, pause: Duration, view: &View) {
        // Who comes a bit too early waits, then.
        let at = self.now.monotonic.saturating_add(pause).saturating_add(MAX_BACKOFF_ASKED);
        let ahead = self.policy.renewal == Renewal::Ahead;
        let waits = self.leases[need.index()].asked || ahead && self.leases[need.index()].wanted;
        // In a one-shot session nothing is tried until they come.
        let tries = self.policy.renewal != Renewal::OneShot;
        if tries && waits && self.flight.is_none() && view.wake.is_none_or(|wake| wake.at > at) {
            let what = format!("{need}: callers come again in {pause:?}, and nothing is tried then");
            self.breaks(Rule::NobodyPoisons, what);
        }
    }

    /// Whoever asks while the service wants quiet hears of it at once, whichever lease it is.
    fn check_quiet_is_said(&mut self, need: Need, view: &View) {
        let quiet = self.account.quiet_left(self.now);
        if quiet <= MIN_GAP || self.closed || !self.leases[need.index()].asked {
            return;
        }
        let until = view.obstacles[need.index()].as_ref().and_then(Error::retry_at);
        let left = until.and_then(|at| Duration::try_from(at.since(self.now.wall)).ok());
        if left.is_none_or(|left| left + ROUNDING < quiet) {
            let what = format!("{need}: the service wants quiet for {quiet:?}, and callers are told {left:?}");
            self.breaks(Rule::QuietIsTheServices, what);
        }
        if need == Need::Access && view.state == State::SigningIn {
            self.breaks(Rule::QuietIsTheServices, "it says that it signs in, and the service wants quiet");
        }
    }

    /// While a password rests a person can act: callers say so.
    fn check_rest_is_said(&mut self, need: Need, view: &View) {
        let obstacle = view.obstacles[need.index()].as_ref();
        let said = match obstacle {
            Some(Error::Session(SessionError::SignInRequired { source, .. })) => {
                obstacle.and_then(Error::retry_at).is_some() && source.is_some()
            }
            _ => false,
        };
        if said && !self.account.may_login_rest() {
            self.breaks(Rule::PasswordIsNotRepeated, format!("{need}: a person is called without a reason"));
        }
        let cheaper = self.refresh.is_some() && !self.refresh_refused;
        let quiet = self.account.quiet_left_at_most(self.now) > Duration::ZERO;
        let rests = !self.closed && self.can_sign_in() && self.account.is_login_resting() && !cheaper && !quiet;
        let access = need == Need::Access && self.leases[need.index()].wanted;
        if rests && access && !(said && view.state == State::SignInRequired) {
            let what = format!("the password rests, and callers hear {obstacle:?}, it is {}", view.state);
            self.breaks(Rule::PasswordIsNotRepeated, what);
        }
    }

    /// Who has named what he was given hears of the next one at once.
    fn check_rejection_is_said(&mut self, need: Need, view: &View) {
        let lease = &self.leases[need.index()];
        let waits = lease.asked || self.policy.renewal == Renewal::Ahead;
        // A wait of some seconds is no harm.
        let soon = self.now.monotonic.saturating_add(MAX_BACKOFF_ASKED).saturating_add(ROUNDING);
        let comes = view.wake.is_some_and(|wake| wake.at <= soon);
        if lease.named && waits && !comes && view.obstacles[need.index()].is_none() {
            self.breaks(Rule::RejectedStaysAway, format!("{need}: refused, and callers wait for nothing"));
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
        let grew = |need: Need| view.told[need.index()] > self.told[need.index()];
        let ended = self.failed_events[failure.need.index()];
        let untold = ended && failure.asked && !grew(failure.need);
        let alone = failure.need == Need::Aws
            && grew(Need::Access)
            && !self.failed_events[Need::Access.index()]
            && !self.login_failed
            && !failure.of_account
            // At the same moment the login may be found to rest.
            && !self.account.may_login_rest();
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
        if self.signed_out || self.closed {
            return;
        }
        for need in Need::ALL {
            let lease = self.leases[need.index()].clone();
            if lease.stopped {
                continue;
            }
            let ahead = self.policy.renewal == Renewal::Ahead;
            let told = self.account.quiet_left_at_most(self.now);
            let told = if self.account.may_login_rest() { DAY } else { told };
            let begins = !self.closed && self.policy.renewal != Renewal::OneShot;
            if lease.named && begins && view.wake.is_none_or(|wake| wake.at > now + told.max(MAX_BACKOFF)) {
                let what = format!("{need}: refused, and its renewal is forgotten");
                self.breaks(Rule::NameWhatWasRefused, what);
                continue;
            }
            let blocked = need == Need::Aws && view.served[Need::Access.index()].is_none();
            if lease.named && ahead && !lease.failed && !blocked && !self.login_first {
                let at = lease.renewed_at.map_or(now, |at| at.saturating_add(most_pace(lease.fresh_rejects)));
                let latest = at.max(now + told).max(now + MIN_GAP) + ROUNDING;
                if view.wake.is_none_or(|wake| wake.at > latest) {
                    let what = format!("{need}: renewed at {:?}, not by {latest:?}", view.wake);
                    self.breaks(Rule::RejectedStaysAway, what);
                }
            }
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
            let latest = now.saturating_add(left).max(gap).max(now + told).saturating_add(ROUNDING);
            if view.wake.is_none_or(|wake| wake.at > latest) {
                let what = format!("{need}: woken at {:?}, the margin is reached at {latest:?}", view.wake);
                self.breaks(Rule::MarginsFitLifetimes, what);
            }
        }
    }
}
