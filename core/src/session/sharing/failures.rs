//! What a session on a store tells the others of its failures, and what it takes from theirs.

use std::time::Duration;

use crate::credentials::{Secret, Timestamp};
use crate::error::{Error, ServiceError, ServiceErrorKind};
use crate::exchange::Provider;
use crate::session::Session;
use crate::session::flight::Mode;
use crate::session::login::{LoginState, OddAnswers, rest_after};
use crate::session::service::{Quiet, ToldBy};
use crate::store::{Failures, LoginAnswer, LoginDigest, LoginFailure, Refusal};
use crate::wire::MAX_RETRY_AFTER;

impl<P: Provider> Session<P> {
    /// Whether there is anything that others have to know.
    pub(super) fn has_failures(&self) -> bool {
        let quiet = self.service.quiet.as_ref().is_some_and(|quiet| quiet.until > self.now.monotonic);
        quiet || self.login.state.last_answer().is_some() && self.login_text().is_some()
    }

    /// What others have to know, for the record.
    pub(super) fn failures_to_save(&mut self) -> Failures {
        let quiet = self.service.quiet.as_ref().filter(|quiet| quiet.until > self.now.monotonic);
        let not_before = quiet.map(|quiet| self.wall_at(quiet.until).unix_millis());
        let answer = match &self.login.state {
            LoginState::Open | LoginState::Given => None,
            LoginState::Odd(odd) => {
                Some(LoginAnswer::Odd { count: odd.count, not_before: self.wall_at(odd.not_before).unix_millis() })
            }
            LoginState::Refused(error) => Some(LoginAnswer::Refused(refusal(error))),
        };
        let login = match self.login_text() {
            Some(text) => answer.map(|answer| {
                let salt = [self.random.next(), self.random.next()];
                LoginFailure { of: LoginDigest::new(&text, salt), answer }
            }),
            // Of a login that others have.
            None if self.mode == Mode::SignedIn => {
                self.store.as_ref().and_then(|cell| cell.known.failures.login.clone())
            }
            None => None,
        };
        let failures = Failures { not_before, login };
        if let Some(cell) = &mut self.store {
            cell.known.failures.clone_from(&failures);
        }
        failures
    }

    /// Takes up what others have met. A person who signs in here is not held up by what was there before.
    pub(super) fn heed(&mut self, failures: &Failures) {
        let is_given = matches!(self.login.state, LoginState::Given);
        // Where what others signed in with serves, a login that was given is of no use now.
        if !is_given || !self.is_taking_over() {
            self.heed_quiet(failures);
        }
        let Some(cell) = &mut self.store else { return };
        let known = std::mem::replace(&mut cell.known.failures.login, failures.login.clone());
        if is_given {
            return;
        }
        let is_news = failures.login != known || matches!(self.login.state, LoginState::Open);
        let told = failures.login.as_ref().filter(|_| is_news);
        let text = told.and_then(|_| self.login_text());
        if let (Some(told), Some(text)) = (told, text)
            && told.of.is_of(&text)
        {
            self.heed_login(told.answer);
        }
    }

    fn heed_quiet(&mut self, failures: &Failures) {
        let Some(cell) = &mut self.store else { return };
        if failures.not_before.is_none() {
            self.service.quiet.take_if(|quiet| quiet.told_by == ToldBy::Store);
        }
        // Once: where a clock was set back, a moment may never come.
        let known = std::mem::replace(&mut cell.known.failures.not_before, failures.not_before);
        let Some(until) = failures.not_before().filter(|_| known != failures.not_before) else { return };
        let until = self.now.monotonic.saturating_add(self.time_until(until, MAX_RETRY_AFTER));
        if until > self.now.monotonic && self.service.quiet.as_ref().is_none_or(|quiet| quiet.until < until) {
            let quiet = Quiet::found(until);
            let error = Error::clone(&quiet.error);
            self.service.quiet = Some(quiet);
            self.tell_of_quiet(None, &error);
        }
    }

    fn heed_login(&mut self, answer: LoginAnswer) {
        match (answer, &self.login.state) {
            (_, LoginState::Refused(_)) => {}
            (LoginAnswer::Refused(refusal), _) => {
                let error = ServiceError::new(kind(refusal)).into();
                self.login.state = LoginState::Refused(Box::new(error));
            }
            (LoginAnswer::Odd { count, .. }, LoginState::Odd(ours)) if ours.count >= count => {}
            (LoginAnswer::Odd { count, not_before }, _) => {
                let rest = self.time_until(Timestamp::from_unix_millis(not_before), rest_after(count));
                let not_before = self.now.monotonic.saturating_add(rest);
                let error = Box::new(ServiceError::new(ServiceErrorKind::Service).into());
                self.login.state = LoginState::Odd(OddAnswers { count, not_before, error });
            }
        }
    }

    /// How long it is until a moment that another machine's clock told: never longer than what was meant.
    fn time_until(&self, moment: Timestamp, most: Duration) -> Duration {
        Duration::try_from(moment.since(self.now.wall)).unwrap_or_default().min(most)
    }

    /// What tells the login from another one. `None` where there is none, or its provider writes none.
    fn login_text(&self) -> Option<Secret> {
        self.written_login()
    }
}

fn refusal(error: &Error) -> Refusal {
    let Error::Service(error) = error else { return Refusal::Other };
    match error.kind() {
        ServiceErrorKind::InvalidCredentials => Refusal::InvalidCredentials,
        ServiceErrorKind::AccountLocked => Refusal::AccountLocked,
        ServiceErrorKind::UserNotFound => Refusal::UserNotFound,
        ServiceErrorKind::InteractionRequired => Refusal::InteractionRequired,
        _ => Refusal::Other,
    }
}

fn kind(refusal: Refusal) -> ServiceErrorKind {
    match refusal {
        Refusal::InvalidCredentials | Refusal::Other => ServiceErrorKind::InvalidCredentials,
        Refusal::AccountLocked => ServiceErrorKind::AccountLocked,
        Refusal::UserNotFound => ServiceErrorKind::UserNotFound,
        Refusal::InteractionRequired => ServiceErrorKind::InteractionRequired,
    }
}
