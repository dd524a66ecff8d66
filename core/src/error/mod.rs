//! Errors, in four kinds that are never mixed: the service's answer, the transport, the store, and the session's own
//! state.

mod import;
mod outcome;
mod service;
mod store;
mod transport;

use std::sync::Arc;
use std::time::Duration;

pub use self::import::ImportError;
pub use self::outcome::Outcome;
pub(crate) use self::service::ExchangePhase;
pub use self::service::{ServiceError, ServiceErrorKind};
pub use self::store::{StoreError, StoreErrorKind};
pub use self::transport::{TransportError, TransportErrorKind};
use crate::credentials::{LeaseId, Timestamp};

/// Why credentials could not be obtained.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service answered with something else than a grant.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The request did not reach the service, or its answer did not arrive.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The session's store failed, so no request was sent to the service.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session cannot renew in its present state: it is signed out or closed, or a person has to sign in.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Error {
    /// Whether the same call can succeed later by itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Where there is no other method, a session asks a missing endpoint again too.
            Error::Service(error) => {
                error.retry_at.is_some() || !matches!(error.outcome(), Outcome::Rejected | Outcome::Unsupported)
            }
            Error::Transport(_) => true,
            Error::Store(error) => error.is_retryable(),
            Error::Session(_) => self.retry_at().is_some(),
        }
    }

    /// Whether the service answered, whatever it said. `false` where no request was sent, or no answer arrived. An
    /// answer that was too large to be read counts as one.
    pub fn was_answered(&self) -> bool {
        match self {
            Error::Service(error) => error.was_answered(),
            Error::Transport(error) => error.kind == TransportErrorKind::TooLarge,
            Error::Store(_) | Error::Session(_) => false,
        }
    }

    /// Whether the service rejected the login: a wrong password or secret, a locked or unknown account, or a person is
    /// needed. Sending the same login again cannot help. `false` for an answer that merely grants nothing, such as an
    /// unexpected page or "too many attempts".
    pub fn refuses_login(&self) -> bool {
        matches!(self, Error::Service(error) if error.refuses_login())
    }

    /// When the session tries again, by the wall clock: by itself, or in a one-shot session when somebody asks again. Until
    /// then callers get this error at once. `None` where it does not try again, and outside a session.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Error::Service(error) => error.retry_at,
            Error::Transport(error) => error.retry_at,
            Error::Store(error) => error.retry_at,
            Error::Session(
                SessionError::SignInRequired { retry_at, .. } | SessionError::CredentialsRejected { retry_at },
            ) => *retry_at,
            Error::Session(_) => None,
        }
    }

    /// What this failure means for the next attempt.
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::Service(error) => error.outcome(),
            Error::Transport(error) => match error.kind {
                TransportErrorKind::NotSent => Outcome::NotProcessed,
                _ => Outcome::Indeterminate,
            },
            Error::Store(_) => Outcome::NotProcessed,
            Error::Session(_) => Outcome::Rejected,
        }
    }

    /// How long the service asked to wait (`Retry-After`, at most a day), with whatever error it came.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Service(ServiceError { kind, retry_after: other, .. }) => match *kind {
                ServiceErrorKind::RateLimited { retry_after } => retry_after,
                ServiceErrorKind::Unavailable { retry_after } => Some(retry_after),
                _ => *other,
            },
            _ => None,
        }
    }

    pub(crate) fn with_retry_at(mut self, at: Option<Timestamp>) -> Self {
        match &mut self {
            Error::Service(error) => error.retry_at = at,
            Error::Transport(error) => error.retry_at = at,
            Error::Store(error) => error.retry_at = at,
            Error::Session(
                SessionError::SignInRequired { retry_at, .. } | SessionError::CredentialsRejected { retry_at },
            ) => *retry_at = at,
            Error::Session(_) => {}
        }
        self
    }
}

/// Why the session cannot renew in its present state. Somebody has to act, unless there is a `retry_at`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Every renewal method has failed for good. Call `sign_in` with a login that works.
    #[error("a new sign-in is required")]
    SignInRequired {
        /// The service's last error.
        #[source]
        source: Option<Arc<Error>>,
        /// When the session tries once more by itself, by the wall clock: the last answers to the login were neither a
        /// grant nor a rejection, and it is not sent again before. `None` where the login was rejected.
        retry_at: Option<Timestamp>,
    },
    /// The service's API rejected newly issued credentials, more than once. Find out what it misses (a scope, an
    /// audience, a correct clock). `sign_in` tries another login at once.
    #[error("the service's API refuses the credentials that the service issues")]
    CredentialsRejected {
        /// When the session requests new ones, by the wall clock.
        retry_at: Option<Timestamp>,
    },
    /// The session has neither credentials nor a login. Give it one with `sign_in`.
    #[error("there is no login to sign in with")]
    NoLogin,
    /// Signed out, by this session or by another one on the same store. It stays so until `sign_in`, `sign_in_again` or
    /// `install_grant` in one of them.
    #[error("the session is signed out")]
    SignedOut,
    /// The service does not offer such credentials: its provider has no method for this lease.
    #[error("this service gives no {lease_id}")]
    NotOffered {
        /// The lease that was requested.
        lease_id: LeaseId,
    },
    /// A longer remaining lifetime was requested than this service's credentials have. Request less.
    #[error("the service's credentials never live that long")]
    LifetimeTooShort,
    /// The session was closed, or its driver has ended and cannot be started again here.
    #[error("the session is closed")]
    Closed,
    /// A saved session could not be imported.
    #[error("the saved session cannot be used")]
    SavedSession(#[from] ImportError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_source_do_not_repeat_each_other() {
        let error = TransportError::new(TransportErrorKind::NotSent).with_source("connection refused");
        assert_eq!(error.to_string(), "the service could not be reached");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection refused");
    }

    #[test]
    fn each_error_says_whether_the_service_answered_and_whether_it_rejected_the_login() {
        let service = |kind| Error::from(ServiceError::new(kind));
        for kind in [
            ServiceErrorKind::InvalidCredentials,
            ServiceErrorKind::AccountLocked,
            ServiceErrorKind::UserNotFound,
            ServiceErrorKind::InteractionRequired,
        ] {
            assert!(service(kind).was_answered() && service(kind).refuses_login(), "{kind:?}");
        }
        for kind in [
            ServiceErrorKind::RefreshRefused,
            ServiceErrorKind::RateLimited { retry_after: None },
            ServiceErrorKind::Unavailable { retry_after: Duration::ZERO },
            ServiceErrorKind::Unsupported,
            ServiceErrorKind::NotGranted,
            ServiceErrorKind::Malformed { what: "x" },
            ServiceErrorKind::Service,
        ] {
            assert!(service(kind).was_answered() && !service(kind).refuses_login(), "{kind:?}");
        }
        for (phase, answered) in [(ExchangePhase::Request, false), (ExchangePhase::Answer, true)] {
            let error = Error::from(ServiceError::panicked(phase));
            assert_eq!((error.was_answered(), error.refuses_login()), (answered, false), "{phase:?}");
        }
        for (kind, answered) in [
            (TransportErrorKind::NotSent, false),
            (TransportErrorKind::MaybeSent, false),
            (TransportErrorKind::TimedOut, false),
            (TransportErrorKind::TooLarge, true),
        ] {
            let error = Error::from(TransportError::new(kind));
            assert_eq!((error.was_answered(), error.refuses_login()), (answered, false), "{kind:?}");
        }
        assert!(!Error::from(SessionError::SignedOut).was_answered());
    }

    #[test]
    fn only_refusals_are_final() {
        assert!(Error::from(TransportError::new(TransportErrorKind::TimedOut)).is_retryable());
        assert!(Error::from(ServiceError::malformed("x")).is_retryable());
        assert!(!Error::from(ServiceError::new(ServiceErrorKind::InvalidCredentials)).is_retryable());
        let missing = Error::from(ServiceError::new(ServiceErrorKind::Unsupported));
        assert!(!missing.is_retryable());
        assert!(missing.with_retry_at(Some(Timestamp::default())).is_retryable(), "a session tries it again");
        assert!(!Error::from(SessionError::SignedOut).is_retryable());
    }
}
