//! What a session has learnt of the service itself: whether it asked to be left alone, and which of its endpoints exist.

use std::time::Duration;

use super::schedule::{MIN_QUIET, MISSING_FOR, MISSING_FOR_AT_MOST};
use crate::error::{Error, ServiceError, ServiceErrorKind};

/// What was learnt of the service itself.
pub(super) struct Service<R> {
    pub(super) endpoints: Endpoints<R>,
    pub(super) quiet: Option<Quiet>,
}

impl<R> Default for Service<R> {
    fn default() -> Self {
        Self { endpoints: Endpoints::default(), quiet: None }
    }
}

/// The service asked to be left alone (429, or 503 with `Retry-After`). That holds for the account: no lease asks before
/// the end, whoever waits.
#[derive(Debug)]
pub(super) struct Quiet {
    /// By the monotonic clock.
    pub(super) until: Duration,
    /// What callers hear.
    pub(super) error: Box<Error>,
    pub(super) told_by: ToldBy,
}

/// Who told of the quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToldBy {
    Service,
    /// Another session on the store: its word is taken back when the record does not say so any more, because a person
    /// has signed in there.
    Store,
}

/// How long this failure asks for quiet; `None` where it does not. A 429 that names no time asks for a while, too.
pub(super) fn quiet_asked(error: &Error) -> Option<Duration> {
    match error {
        Error::Service(service) if matches!(service.kind(), ServiceErrorKind::RateLimited { .. }) => {
            Some(error.retry_after().unwrap_or(MIN_QUIET))
        }
        _ => error.retry_after(),
    }
}

impl Quiet {
    /// As it was found in a store, where no words are kept.
    pub(super) fn found(until: Duration) -> Self {
        let error = ServiceError::new(ServiceErrorKind::RateLimited { retry_after: None });
        Self { until, error: Box::new(error.into()), told_by: ToldBy::Store }
    }
}

/// Which methods have an endpoint, as far as that is known.
#[derive(Debug)]
pub(super) struct Endpoints<R>(Vec<(R, Endpoint)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    /// The method has brought a grant: a 404 is an outage of it.
    Works,
    /// Its endpoint does not exist, after so many looks; it is left out until this moment.
    Missing { looks: u32, until: Duration },
}

impl<R> Default for Endpoints<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R: Copy + PartialEq> Endpoints<R> {
    fn of(&self, method: R) -> Option<Endpoint> {
        self.0.iter().find(|(known, _)| *known == method).map(|(_, endpoint)| *endpoint)
    }

    fn set(&mut self, method: R, endpoint: Endpoint) {
        self.0.retain(|(known, _)| *known != method);
        self.0.push((method, endpoint));
    }

    /// The method brought a grant.
    pub(super) fn worked(&mut self, method: R) {
        self.set(method, Endpoint::Works);
    }

    pub(super) fn has_worked(&self, method: R) -> bool {
        self.of(method) == Some(Endpoint::Works)
    }

    /// Its endpoint does not exist: the method is left out for some minutes, and longer each time.
    pub(super) fn is_missing(&mut self, method: R, now: Duration) {
        let looks = match self.of(method) {
            Some(Endpoint::Missing { looks, .. }) => looks.saturating_add(1),
            Some(Endpoint::Works) | None => 1,
        };
        let pause = MISSING_FOR.saturating_mul(1 << (looks - 1).min(16)).min(MISSING_FOR_AT_MOST);
        self.set(method, Endpoint::Missing { looks, until: now.saturating_add(pause) });
    }

    pub(super) fn is_left_out(&self, method: R, now: Duration) -> bool {
        self.left_out_until(method, now).is_some()
    }

    pub(super) fn left_out_until(&self, method: R, now: Duration) -> Option<Duration> {
        match self.of(method) {
            Some(Endpoint::Missing { until, .. }) if until > now => Some(until),
            _ => None,
        }
    }

    /// Forgets which of these methods are missing: they are tried again.
    pub(super) fn forget(&mut self, is_meant: impl Fn(R) -> bool) {
        self.0.retain(|(method, endpoint)| *endpoint == Endpoint::Works || !is_meant(*method));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_endpoint_is_left_out_for_minutes_that_grow_to_a_day() {
        let mut endpoints = Endpoints::default();
        let mut now = Duration::from_secs(10);
        for minutes in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
            endpoints.is_missing('a', now);
            now += Duration::from_secs(60 * minutes) - Duration::from_millis(1);
            assert!(endpoints.is_left_out('a', now) && !endpoints.is_left_out('b', now), "{minutes}");
            now += Duration::from_millis(1);
            assert!(!endpoints.is_left_out('a', now), "{minutes}");
        }
        endpoints.worked('a');
        assert!(endpoints.has_worked('a') && !endpoints.is_left_out('a', now));
        endpoints.is_missing('b', now);
        endpoints.forget(|_| true);
        assert!(endpoints.has_worked('a') && !endpoints.is_left_out('b', now));
    }

    #[test]
    fn a_429_asks_for_quiet_with_and_without_a_time_and_a_plain_failure_does_not() {
        let asked = |kind| quiet_asked(&ServiceError::new(kind).into());
        let (none, hour) = (None, Duration::from_secs(3600));
        assert_eq!(asked(ServiceErrorKind::RateLimited { retry_after: none }), Some(MIN_QUIET));
        assert_eq!(asked(ServiceErrorKind::RateLimited { retry_after: Some(hour) }), Some(hour));
        assert_eq!(asked(ServiceErrorKind::Unavailable { retry_after: hour }), Some(hour));
        assert_eq!(asked(ServiceErrorKind::Service), None);
    }
}
