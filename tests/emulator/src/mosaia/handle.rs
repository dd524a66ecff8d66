//! What a test changes in the service, and asks it, while it runs.

use super::state::Kind;
use super::{Counters, Mosaia, MosaiaSettings};
use std::sync::Arc;

/// Changes and asks the Mosaia service while it runs. From [`Emulator::mosaia`](crate::Emulator::mosaia).
///
/// An owner is an e-mail address, or the id of a client that signed in by its secret.
#[derive(Clone)]
pub struct MosaiaHandle {
    mosaia: Arc<Mosaia>,
}

impl MosaiaHandle {
    pub(crate) fn new(mosaia: Arc<Mosaia>) -> Self {
        Self { mosaia }
    }

    // -- Changing it.

    /// Changes the settings (not the accounts and clients) from the next request on. Issued tokens keep their
    /// lifetimes.
    pub fn configure(&self, change: impl FnOnce(&mut MosaiaSettings)) {
        change(&mut self.mosaia.lock().settings);
    }

    /// Adds an account, or gives an existing one another password and unlocks it.
    pub fn add_account(&self, email: &str, password: &str) {
        self.mosaia.lock().accounts.add(email, password);
    }

    /// Sign-ins to the account are refused (403) until it is unlocked. Sessions go on.
    pub fn lock_account(&self, email: &str) {
        self.mosaia.lock().accounts.lock(email, true);
    }

    /// Undoes [`MosaiaHandle::lock_account`].
    pub fn unlock_account(&self, email: &str) {
        self.mosaia.lock().accounts.lock(email, false);
    }

    /// Every access token of the owner is refused from now on; refresh tokens stay good.
    pub fn revoke_access(&self, owner: &str) {
        self.mosaia.lock().revoke(owner, Kind::Access);
    }

    /// Every refresh token of the owner is refused from now on; access tokens stay good.
    pub fn revoke_refresh(&self, owner: &str) {
        self.mosaia.lock().revoke(owner, Kind::Refresh);
    }

    /// Ends every session of the owner.
    pub fn revoke_session(&self, owner: &str) {
        self.mosaia.lock().ledger.end_sessions_of(owner);
    }

    // -- Counting. Lost and spoiled answers count: the service did perform them.

    /// Sign-ins by password that succeeded.
    #[must_use]
    pub fn sign_ins(&self) -> usize {
        self.counters().sign_ins
    }

    /// Sign-ins by a client's secret that succeeded.
    #[must_use]
    pub fn client_sign_ins(&self) -> usize {
        self.counters().client_sign_ins
    }

    /// Refreshes at the sign-in endpoint that succeeded.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.counters().refreshes
    }

    /// Codes that redirects brought back.
    #[must_use]
    pub fn codes(&self) -> usize {
        self.counters().codes
    }

    /// Codes that were exchanged for tokens.
    #[must_use]
    pub fn code_exchanges(&self) -> usize {
        self.counters().code_exchanges
    }

    /// Refreshes at the token endpoints that succeeded.
    #[must_use]
    pub fn oauth_refreshes(&self) -> usize {
        self.counters().oauth_refreshes
    }

    /// Sign-outs that succeeded.
    #[must_use]
    pub fn sign_outs(&self) -> usize {
        self.counters().sign_outs
    }

    /// API calls that succeeded.
    #[must_use]
    pub fn self_calls(&self) -> usize {
        self.counters().self_calls
    }

    /// Sign-ins that were refused for the password, the secret, the account or its lock.
    #[must_use]
    pub fn refused_sign_ins(&self) -> usize {
        self.counters().refused_sign_ins
    }

    /// Refreshes that were refused for their token, or for the endpoint that it was shown to.
    #[must_use]
    pub fn refused_refreshes(&self) -> usize {
        self.counters().refused_refreshes
    }

    /// Codes that were refused: unknown, used, too old, somebody else's, without the right verifier.
    #[must_use]
    pub fn refused_codes(&self) -> usize {
        self.counters().refused_codes
    }

    /// API calls and sign-outs that were refused for their access token.
    #[must_use]
    pub fn refused_calls(&self) -> usize {
        self.counters().refused_calls
    }

    /// How often a spent refresh token or code was used again.
    #[must_use]
    pub fn reuse_detected(&self) -> usize {
        self.counters().reuse_detected
    }

    // -- Asking.

    /// Whether an API call with this access token would succeed now.
    #[must_use]
    pub fn is_access_valid(&self, access_token: &str) -> bool {
        self.mosaia.lock().session_of(access_token).is_some()
    }

    /// Whether a refresh with this token would succeed now.
    #[must_use]
    pub fn is_refresh_valid(&self, refresh_token: &str) -> bool {
        self.mosaia.lock().ledger.session_of(&Kind::Refresh, refresh_token).is_some()
    }

    /// The access token issued last to the owner, dead or alive.
    #[must_use]
    pub fn newest_access(&self, owner: &str) -> Option<String> {
        self.mosaia.lock().ledger.newest(&Kind::Access, owner)
    }

    /// The refresh token issued last to the owner, dead or alive.
    #[must_use]
    pub fn newest_refresh(&self, owner: &str) -> Option<String> {
        self.mosaia.lock().ledger.newest(&Kind::Refresh, owner)
    }

    /// How many sessions of the owner have not been ended.
    #[must_use]
    pub fn live_sessions(&self, owner: &str) -> usize {
        self.mosaia.lock().ledger.live_sessions(owner)
    }

    pub(super) fn counters(&self) -> Counters {
        self.mosaia.lock().counters
    }
}
