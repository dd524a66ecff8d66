//! What a store keeps beside a session.

use super::failures::Failures;
use super::stamp::WriteStamp;
use crate::credentials::{Secret, Timestamp};

/// What a store keeps beside a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordMeta {
    /// Counts up with each change, whoever makes it. `None`: it was not written by a store.
    pub(crate) revision: Option<u64>,
    /// When the one-use refresh token was sent, if no answer to that is known.
    pub(crate) refresh_sent_at: Option<Timestamp>,
    /// When the record was written, and how old its leases were then.
    pub(crate) written: Option<WriteStamp>,
    /// The login, as the provider writes it.
    pub(crate) login: Option<Secret>,
    /// What went wrong at the service.
    pub(crate) failures: Failures,
    /// When a person last signed in, by the clock of that machine: a sign-out of before that is over.
    pub(crate) signed_in_at: Option<Timestamp>,
}
