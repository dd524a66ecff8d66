//! The one exchange in flight, and what a session is told of itself.

use std::time::Duration;

use super::revoking::Revocations;
use super::work::{Place, Runs, caught};
use crate::credentials::LeaseId;
use crate::error::{Error, TransportError, TransportErrorKind};
use crate::exchange::{Exchange as _, Provider, RequestId};

/// Whether the session may ask for credentials at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    SignedIn,
    SignedOut,
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The service, just now.
    Issued,
    /// A save: nobody knows how they fared since.
    SavedSession,
}

/// The one exchange in flight, and those that wait for it to end.
pub(super) struct Exchanges<P: Provider> {
    pub(super) in_flight: InFlight<P>,
    /// Where their code runs.
    pub(super) runs: Runs,
    pub(super) revocations: Revocations,
    pub(super) last_request: RequestId,
}

impl<P: Provider> Default for Exchanges<P> {
    fn default() -> Self {
        let (revocations, last_request) = (Revocations::default(), RequestId::default());
        Self { in_flight: InFlight::Free, runs: Runs::Here, revocations, last_request }
    }
}

/// The one exchange in flight, and what becomes of its grant. On the heap: most of the time there is none.
pub(super) enum InFlight<P: Provider> {
    Free,
    /// It is published.
    Renewing(Box<RunningExchange<P>>),
    /// Somebody signed out meanwhile: it is revoked.
    Orphaned(Box<RunningExchange<P>>),
    /// There is none: the service is told to forget.
    Revoking(Box<RunningExchange<P>>),
}

pub(super) struct RunningExchange<P: Provider> {
    pub(super) place: Place<P::Exchange>,
    /// The request that is out or being made, or the one whose answer is being read.
    pub(super) id: RequestId,
    /// Of what it is at: the request, or the provider's work.
    pub(super) deadline: Duration,
    /// How many requests were sent.
    pub(super) steps: u32,
    pub(super) lease_id: LeaseId,
    /// The position among the methods of `lease_id`.
    pub(super) position: usize,
}

/// What a provider began; an error where its code panicked.
pub(super) type Begun<X> = Result<X, Error>;

/// What a lease can do now.
pub(super) enum Choice<X> {
    Begin(usize, Begun<X>),
    /// The access token must be renewed first.
    Blocked,
    /// Only the login is left, and it must not be shown before this.
    LoginRests(Duration),
    /// Only what this attempt has passed by already is left.
    Passed,
    /// Nothing is left.
    Exhausted,
}

impl<P: Provider> RunningExchange<P> {
    /// Whether a request with the login was sent.
    pub(super) fn has_shown_login(&self) -> bool {
        let shown = match &self.place {
            Place::Waiting(exchange) | Place::Ready(exchange, _) => caught(|| exchange.has_shown_login()),
            Place::Away => None,
        };
        self.steps > 0 && shown.unwrap_or(true)
    }

    /// What it is to be past the deadline.
    pub(super) fn overdue(&self) -> Error {
        let late = TransportError::new(TransportErrorKind::TimedOut);
        match self.place {
            Place::Waiting(_) => late,
            _ if self.steps == 0 => TransportError::not_sent("the provider took too long to make the request"),
            _ => late.with_source("the provider took too long to read the answer"),
        }
        .into()
    }
}

impl<P: Provider> InFlight<P> {
    pub(super) fn flight(&self) -> Option<&RunningExchange<P>> {
        match self {
            InFlight::Free => None,
            InFlight::Renewing(flight) | InFlight::Orphaned(flight) | InFlight::Revoking(flight) => Some(flight),
        }
    }

    pub(super) fn flight_mut(&mut self) -> Option<&mut RunningExchange<P>> {
        match self {
            InFlight::Free => None,
            InFlight::Renewing(flight) | InFlight::Orphaned(flight) | InFlight::Revoking(flight) => Some(flight),
        }
    }
}
