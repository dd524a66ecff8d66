//! What the service has still to forget.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::credentials::{Credentials, Fingerprint};
use crate::error::Error;

/// Credentials that are to be revoked, one after another.
#[derive(Default)]
pub(super) struct Revocations {
    queue: VecDeque<Arc<Credentials>>,
    /// What was queued since the session was signed out: each is revoked once, however often a store shows it.
    known: Vec<Fingerprint>,
    /// Why one of them could not be revoked.
    error: Option<Box<Error>>,
}

impl Revocations {
    /// Somebody signs out: what was revoked at an earlier sign-out may be at hand again.
    pub(super) fn begin(&mut self) {
        self.known.clear();
    }

    /// Somebody asks whether the service is told: what failed before is another story.
    pub(super) fn forget_error(&mut self) {
        self.error = None;
    }

    pub(super) fn extend<C: Into<Arc<Credentials>>>(&mut self, credentials: impl IntoIterator<Item = C>) {
        for credentials in credentials {
            let credentials = credentials.into();
            let fingerprint = credentials.fingerprint_of_tokens();
            if !self.known.contains(&fingerprint) {
                self.known.push(fingerprint);
                self.queue.push_back(credentials);
            }
        }
    }

    /// The last one that was queued, unless it is being revoked.
    pub(super) fn back(&self) -> Option<&Arc<Credentials>> {
        self.queue.back()
    }

    /// The next one to revoke.
    pub(super) fn pop(&mut self) -> Option<Arc<Credentials>> {
        self.queue.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// One of them was revoked, or could not be: that is not tried again, since the request may have arrived.
    pub(super) fn ended(&mut self, error: Option<Error>) {
        self.error = self.error.take().or(error.map(Box::new));
    }

    pub(super) fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }
}
