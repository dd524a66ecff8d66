//! Errors of a store.

use std::fmt;
use std::sync::Arc;

use super::import::ImportError;
use crate::credentials::Timestamp;

/// An operation of a store failed. Credentials that a session holds are served all the same.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    pub(crate) retry_at: Option<Timestamp>,
}

/// The kind of a store's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another session held the lock until the timeout. The session tries again by itself.
    Busy,
    /// The lock has expired or was taken over: another session may hold it. The session locks and reads again by
    /// itself.
    Lost,
    /// The store failed or could not be reached, and nothing was written. The session tries again by itself.
    Unavailable,
    /// The store failed and may have written. The session writes again by itself.
    MaybeWritten,
    /// The store did not answer in time. The session tries again by itself.
    TimedOut,
    /// The store cannot be used as it is: its file is not writable or belongs to another user, or its key is wrong.
    /// Repair it or use another one. The session notices by itself when it is repaired.
    Unusable,
    /// This session cannot import the saved session that is there, and leaves it as it is. Use another store.
    Refused(ImportError),
}

impl StoreError {
    /// An error of this kind, without a source.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None, retry_at: None }
    }

    /// Sets what caused it. Its text is shown: it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The kind of error.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    pub(crate) fn is_retryable(&self) -> bool {
        !matches!(self.kind, StoreErrorKind::Unusable | StoreErrorKind::Refused(_))
    }
}

impl From<StoreErrorKind> for StoreError {
    fn from(kind: StoreErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            StoreErrorKind::Busy => "the saved session is locked by another process",
            StoreErrorKind::Lost => "the lock on the saved session was lost",
            StoreErrorKind::Unavailable => "the store of the session failed",
            StoreErrorKind::MaybeWritten => "the store of the session failed, perhaps after it had saved",
            StoreErrorKind::TimedOut => "the store of the session did not answer in time",
            StoreErrorKind::Unusable => "the store of the session cannot be used as it is",
            StoreErrorKind::Refused(_) => "the saved session cannot be used here",
        })
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match (&self.source, &self.kind) {
            (Some(source), _) => Some(source.as_ref()),
            (None, StoreErrorKind::Refused(error)) => Some(error),
            (None, _) => None,
        }
    }
}
