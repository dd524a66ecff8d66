//! What keeps a request or its answer from arriving.

use std::fmt;
use std::sync::Arc;

use crate::credentials::Timestamp;

/// The request did not reach the service, or its answer did not arrive. The session tries again by itself.
#[derive(Clone, Debug)]
pub struct TransportError {
    pub(super) kind: TransportErrorKind,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    pub(crate) retry_at: Option<Timestamp>,
}

/// How far the request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// Nothing was sent, for certain: no such name, connection refused, certificate not trusted.
    NotSent,
    /// The request may have been sent and processed.
    MaybeSent,
    /// The request's timeout passed. It may have been sent and processed.
    TimedOut,
    /// The answer was larger than the request allows. The request was processed.
    TooLarge,
}

impl TransportError {
    /// An error of this kind, without a source.
    pub fn new(kind: TransportErrorKind) -> Self {
        Self { kind, source: None, retry_at: None }
    }

    /// An error with this source, where nothing was sent for certain.
    pub fn not_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::NotSent).with_source(source)
    }

    /// An error with this source, where the request may have been sent.
    pub fn maybe_sent(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(TransportErrorKind::MaybeSent).with_source(source)
    }

    /// Sets what caused it. Its text is shown: it must hold no secret.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// How far the request got.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl From<TransportErrorKind> for TransportError {
    fn from(kind: TransportErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TransportErrorKind::NotSent => "the service could not be reached",
            TransportErrorKind::MaybeSent => "the connection failed before the answer was complete",
            TransportErrorKind::TimedOut => "the service did not answer in time",
            TransportErrorKind::TooLarge => "the service's answer was too large",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
