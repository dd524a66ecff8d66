//! The service is well again, or all of it but one method: is everybody served?

use std::time::Duration;

use super::{Call, Harness};
use crate::model::Told;
use crate::rule::{Rule, Violation};
use crate::step::{Lives, ScriptedReply, Who};
use crate::subject::Subject;
use crate::toy::ToyMethod;
use perennial_core::session::{MIN_RETRY_INTERVAL, RefreshMode};
use perennial_core::{LeaseId, State};

/// A session is live within this after a right login: what an older exchange may still take, and a bit.
const SIGN_IN: Duration = Duration::from_secs(120);

/// Where one method does not answer, whoever waits is served by another one at its second attempt: two short pauses,
/// and a bit.
const PAST_A_SILENT_ONE: Duration = Duration::from_secs(20);

/// Where one answers with nonsense, the pause may have grown to minutes before anybody waited.
const PAST_AN_ODD_ONE: Duration = Duration::from_secs(300 + 20);

/// What is granted is over after this.
const OVER: Duration = Duration::from_secs(2 * 3600);

/// More than anything takes that recovers.
pub(super) const MOST_TURNS: u32 = 10_000;

/// Ways for a method to be broken for good, and how long it takes to get past it. With the last ones the service does
/// its work: of two sign-ins it keeps the later one, so that a token of before is dead.
const BROKEN: [(ScriptedReply, Duration); 8] = [
    (ScriptedReply::LostBefore, PAST_A_SILENT_ONE),
    (ScriptedReply::ServerError, PAST_A_SILENT_ONE),
    (ScriptedReply::BadRequest, PAST_AN_ODD_ONE),
    (ScriptedReply::MissingPage, PAST_AN_ODD_ONE),
    (ScriptedReply::Missing, PAST_AN_ODD_ONE),
    (ScriptedReply::TimedOut, PAST_A_SILENT_ONE),
    (ScriptedReply::WebPage, PAST_AN_ODD_ONE),
    (ScriptedReply::NoToken, PAST_AN_ODD_ONE),
];
const WITHOUT_WORK: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    ByItself,
    WithLogin,
}

impl<S: Subject> Harness<S> {
    /// Makes the service well: a session that can still sign in comes back by itself, any other with a right login.
    /// Then one method after the other breaks for good, and the others serve.
    pub fn recover(&mut self) -> Result<(), Violation> {
        self.weather = [None; 3];
        if self.model.can_sign_in_again() {
            self.sign_in_again()?;
        }
        if self.model.can_sign_in() && !self.model.is_another_account_there() {
            self.tell(Call::Demand(LeaseId::Access), &Told::Demand(LeaseId::Access))?;
            let within = self.model.recovers_within();
            self.until_served(LeaseId::Access, within, Recovery::ByItself, Rule::NoErrorIsForever)?;
        }
        let login = Who::Ann.login();
        (self.login, self.user) = (Some(login.clone()), Who::Ann.user().into());
        self.tell(Call::SignIn(login.clone()), &Told::SignIn(login))?;
        self.until_served(LeaseId::Access, SIGN_IN, Recovery::WithLogin, Rule::NoErrorIsForever)?;
        self.tell(Call::Demand(LeaseId::Aws), &Told::Demand(LeaseId::Aws))?;
        self.until_served(LeaseId::Aws, SIGN_IN, Recovery::WithLogin, Rule::NoErrorIsForever)?;
        // A one-shot session tries once for each who asks: who goes on to the next method comes more than once.
        if self.policy.refresh_mode == RefreshMode::OneShot {
            return Ok(());
        }
        if self.checks(Rule::SomeWayWorks) || self.checks(Rule::SameInputsSameOutputs) {
            ToyMethod::ALL.into_iter().try_for_each(|method| self.serve_without(method))?;
        }
        Ok(())
    }

    /// With one method that is broken, somebody is served whenever he asks after what was held is over.
    fn serve_without(&mut self, method: ToyMethod) -> Result<(), Violation> {
        let kinds = if method == ToyMethod::SignIn { WITHOUT_WORK } else { BROKEN.len() as u64 };
        let kind = usize::try_from((self.seed / 32 + method as u64) % kinds).unwrap_or(0);
        let (outcome, within) = BROKEN[kind];
        self.weather[method as usize] = Some(outcome);
        if method == ToyMethod::SignIn {
            // Even if somebody tries to sign in meanwhile: what is held of the same account goes on.
            let login = Who::Ann.login();
            self.tell(Call::SignIn(login.clone()), &Told::SignIn(login))?;
        }
        for lease_id in LeaseId::ALL {
            self.live_on(OVER)?;
            self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
            self.until_served(lease_id, within, Recovery::WithLogin, Rule::SomeWayWorks)?;
        }
        self.weather = [None; 3];
        for lease_id in LeaseId::ALL {
            self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
            self.until_served(lease_id, PAST_AN_ODD_ONE, Recovery::WithLogin, Rule::SomeWayWorks)?;
        }
        Ok(())
    }

    /// Time passes, and whatever is asked for is answered.
    fn live_on(&mut self, time: Duration) -> Result<(), Violation> {
        let end = self.now.monotonic.saturating_add(time);
        for _ in 0..MOST_TURNS {
            self.answer_all()?;
            let wake = self.session.next_wake().filter(|wake| wake.at < end);
            let left = wake.map_or(end, |wake| wake.at).saturating_sub(self.now.monotonic);
            self.pass(left, left)?;
            if wake.is_none() {
                return self.answer_all();
            }
        }
        self.broken(Rule::NoBusyLoop, format!("{MOST_TURNS} wake-ups in {time:?}"))
    }

    fn until_served(
        &mut self,
        lease_id: LeaseId,
        within: Duration,
        recovery: Recovery,
        rule: Rule,
    ) -> Result<(), Violation> {
        let end = self.now.monotonic.saturating_add(within);
        for _ in 0..MOST_TURNS {
            let served = self.session.credentials(lease_id, self.now).is_some();
            let wake = self.session.next_wake().filter(|wake| wake.at <= end);
            if self.flight.is_some() {
                self.answer(ScriptedReply::Works(Lives::HOUR))?;
                if self.policy.refresh_mode != RefreshMode::Proactive
                    && self.session.credentials(lease_id, self.now).is_none()
                {
                    // Whoever was told of a failure asks again.
                    self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
                }
            } else if served || recovery == Recovery::ByItself && !self.model.can_sign_in() {
                // A login that was never tried before may be wrong.
                return Ok(());
            } else if self.policy.refresh_mode == RefreshMode::OneShot && self.now.monotonic < end {
                // Nothing comes by itself: whoever was told of a failure asks again when it may be over.
                let at = self.session.obstacle(lease_id).and_then(|error| error.retry_at());
                let left = at.map_or(MIN_RETRY_INTERVAL, |at| {
                    Duration::try_from(at.since(self.now.wall)).unwrap_or(MIN_RETRY_INTERVAL)
                });
                // A moment later: what callers are told is in whole milliseconds.
                let left = left + Duration::from_millis(1);
                self.pass(left, left)?;
                self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
            } else if let Some(wake) = wake {
                let left = wake.at.saturating_sub(self.now.monotonic);
                self.pass(left, left)?;
            } else if self.policy.refresh_mode == RefreshMode::OnDemand && self.now.monotonic < end {
                // Whoever was told when to come again does.
                let pause = self.told_to_wait(lease_id).max(Duration::from_secs(1));
                self.pass(pause, pause)?;
                self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
            } else {
                break;
            }
        }
        let state: State = self.session.state();
        let broken = ToyMethod::ALL.into_iter().find_map(|method| Some((method, self.weather[method as usize]?)));
        let works = match broken {
            Some((method, outcome)) => format!("all but {method:?} ({outcome:?}) works"),
            None => "the service is well".into(),
        };
        self.broken(rule, format!("{lease_id}: {state} though {works}, {within:?} later"))
    }
}
