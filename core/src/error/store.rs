//! What a store did wrong.

use std::fmt;
use std::sync::Arc;

use super::import::ImportError;
use crate::credentials::Timestamp;

/// A store did not do what it was asked for. Credentials that are held go on being served.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    pub(crate) retry_at: Option<Timestamp>,
}

/// What a store did wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another session held the lock all the time. The session tries again by itself.
    Busy,
    /// The lock was no longer ours: another session may hold it. The session locks and reads again by itself.
    Lost,
    /// The store could not be reached, or failed: nothing was written. The session tries again by itself.
    Unavailable,
    /// The store failed so that it may have written or not. The session writes again by itself.
    MaybeWritten,
    /// The store did not answer in time. The session tries again by itself.
    TimedOut,
    /// The place cannot be used as it is: it may not be written to, it is not ours, the key is wrong. Mend that, or
    /// choose another place; the session finds out by itself when it is mended.
    Unusable,
    /// What is saved there cannot be taken up by this session, and is left as it is. Choose another place.
    Refused(ImportError),
}

impl StoreError {
    /// A failure of this kind.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None, retry_at: None }
    }

    /// With what caused it. Its text must hold no secret: it is shown.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// What went wrong.
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
