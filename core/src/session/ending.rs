//! How a session ends: nothing begins any more, and what would be lost is brought to its end.
//!
//! | what is under way at [`Session::close`] | what becomes of it |
//! | --- | --- |
//! | a request with a one-use token | its answer is taken, saved and announced |
//! | a request that spends nothing, a sign-in | given up |
//! | a one-use token that is marked in the store and was not sent | the mark is taken back |
//! | something that is not saved | saved; tried again where that fails and may pass |
//! | something that the store says it cannot keep | given up |
//! | the store's lock | given back |
//! | a pause, a renewal that is due, a look into the store | nothing comes of it |

use super::flight::InFlight;
use super::phase::Phase;
use super::sharing::Busy;
use super::{Now, Session};
use crate::exchange::{Consumes, Provider};
use crate::store::StoreError;

/// What could be lost or left half done if the program ended now: see [`Session::unfinished`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unfinished {
    /// A token that works once was sent, and the answer with its successor is not here.
    #[error("a refresh token that works once was sent, and its answer has not come")]
    Unanswered,
    /// What is held is not in the store. Why, where an attempt to save it has failed.
    #[error("the session is not saved")]
    Unsaved(#[source] Option<StoreError>),
    /// The store is locked, or at work.
    #[error("the store of the session has not finished its work")]
    StoreAtWork,
}

impl<P: Provider> Session<P> {
    /// Shuts the session down: call it before the program ends, and go on with the loop until
    /// [`is_finished`](Self::is_finished). No new renewal begins. If a one-use refresh token was sent, its answer is
    /// still waited for, and what it brings is saved; other renewals and sign-ins are given up. The store's lock is
    /// released.
    pub fn close(&mut self, now: Now) {
        self.tick(now);
        self.phase = Phase::Ending;
        if !self.is_token_out() {
            self.drop_flight();
        }
        self.advance();
    }

    /// What could be lost if the program ended now, whether or not the session was [closed](Self::close). `None` if
    /// there is nothing. Revocations do not count: see [`is_signing_out`](Self::is_signing_out).
    pub fn unfinished(&self) -> Option<Unfinished> {
        if self.is_token_out() {
            return Some(Unfinished::Unanswered);
        }
        match self.store_business() {
            Busy::No => None,
            Busy::Unsaved => Some(Unfinished::Unsaved(self.save_error().cloned())),
            Busy::AtWork => Some(Unfinished::StoreAtWork),
        }
    }

    /// Whether the session was [closed](Self::close) and the program may end: everything is done, or what is left
    /// cannot be saved because of a store error that retrying does not fix.
    pub fn is_finished(&self) -> bool {
        let waits = match self.unfinished() {
            None => false,
            Some(Unfinished::Unsaved(Some(error))) => error.is_retryable(),
            Some(_) => true,
        };
        self.is_ending() && !waits
    }

    pub(super) fn is_ending(&self) -> bool {
        self.phase == Phase::Ending
    }

    pub(super) fn is_token_out(&self) -> bool {
        let InFlight::Renewing(flight) = &self.exchanges.in_flight else { return false };
        flight.steps > 0
            && self.consumes(self.provider.methods(flight.lease_id)[flight.position]) == Consumes::RefreshToken
    }
}
