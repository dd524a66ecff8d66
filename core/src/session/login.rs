//! What the service made of the login so far, and when it may be shown again.

use std::time::Duration;

use crate::credentials::Now;
use crate::error::Error;

/// The login that a session has, if it has one.
pub(super) struct HeldLogin<L> {
    pub(super) given: Option<L>,
    pub(super) state: LoginState,
}

impl<L> HeldLogin<L> {
    pub(super) fn new(given: Option<L>) -> Self {
        Self { given, state: LoginState::Open }
    }
}

/// What the service made of the login so far.
#[derive(Debug, Default)]
pub(super) enum LoginState {
    /// It may be shown.
    #[default]
    Open,
    /// A person has given it, and nothing was heard of it since: what others met with it before does not count.
    Given,
    /// It was shown, and answered with neither a grant nor a plain refusal: it is shown again, but not soon.
    Odd(OddAnswers),
    /// It was refused: only another login helps. What the service said.
    Refused(Box<Error>),
}

/// Answers to a person's login that were neither a grant nor a plain refusal: an unknown page, a 412, a 500, a 429.
/// Services lock accounts after some attempts, and nobody knows which of these count.
#[derive(Debug)]
pub(super) struct OddAnswers {
    /// How many there were since the last grant.
    pub(super) count: u32,
    /// By the monotonic clock.
    pub(super) not_before: Duration,
    /// The last of them.
    pub(super) error: Box<Error>,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// The least pause after so many odd answers in a row. Attempts begin at 0 s, at once after the usual backoff, after
/// 5 min, 1 h 5 min, 2 h 5 min, 4 h 5 min, 8 h 5 min and 14 h 5 min: three in the first hour, eight in the first day.
/// From then on one in three hours and a bit, which is seven or eight a day.
pub(super) fn rest_after(count: u32) -> Duration {
    match count {
        0 | 1 => Duration::ZERO,
        2 => 5 * MINUTE,
        3 | 4 => HOUR,
        5 => 2 * HOUR,
        6 => 4 * HOUR,
        7 => 6 * HOUR,
        8 => 10 * HOUR,
        _ => 3 * HOUR + MINUTE,
    }
}

impl LoginState {
    /// One more odd answer.
    pub(super) fn answered_oddly(&mut self, error: &Error, now: Now) {
        let count = match self {
            LoginState::Odd(odd) => odd.count.saturating_add(1),
            LoginState::Open | LoginState::Given | LoginState::Refused(_) => 1,
        };
        let not_before = now.monotonic.saturating_add(rest_after(count));
        *self = LoginState::Odd(OddAnswers { count, not_before, error: Box::new(error.clone()) });
    }

    /// Until when it must not be shown, if that has not passed.
    pub(super) fn rests_until(&self, now: Now) -> Option<Duration> {
        match self {
            LoginState::Odd(odd) if odd.not_before > now.monotonic => Some(odd.not_before),
            _ => None,
        }
    }

    /// The refusal that ended its use.
    pub(super) fn refusal(&self) -> Option<&Error> {
        match self {
            LoginState::Refused(error) => Some(error),
            LoginState::Open | LoginState::Given | LoginState::Odd(_) => None,
        }
    }

    /// What the service said instead of granting, the last time.
    pub(super) fn last_answer(&self) -> Option<&Error> {
        match self {
            LoginState::Open | LoginState::Given => None,
            LoginState::Odd(odd) => Some(&odd.error),
            LoginState::Refused(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Timestamp;
    use crate::error::{ServiceError, ServiceErrorKind};

    #[test]
    fn a_login_is_shown_three_times_in_the_first_hour_eight_times_in_the_first_day_and_eight_a_day_from_then_on() {
        let mut login = LoginState::default();
        let error = ServiceError::new(ServiceErrorKind::Service).into();
        let (start, mut at, mut shown) = (Duration::from_secs(1000), Duration::from_secs(1000), Vec::new());
        while at < start + 96 * HOUR {
            let now = Now::new(Timestamp::default(), at);
            if login.rests_until(now).is_none() {
                shown.push(at - start);
                login.answered_oddly(&error, now);
            }
            at += Duration::from_secs(1);
        }
        let within = |from: Duration, to: Duration| shown.iter().filter(|at| (from..to).contains(*at)).count();
        assert_eq!(within(Duration::ZERO, HOUR), 3);
        assert_eq!(within(Duration::ZERO, 24 * HOUR), 8);
        for from in &shown[8..] {
            assert!(within(*from, *from + 24 * HOUR) <= 8, "{from:?}: {shown:?}");
        }
        assert!(shown.last().is_some_and(|last| *last > 90 * HOUR), "it goes on");
    }
}
