//! What a test changes in the service, and asks it, while it runs.

use super::state::Kind;
use super::{Counters, Navien, NavienSettings};
use std::sync::Arc;

/// Changes and asks the Navien service while it runs. From [`Emulator::navien`](crate::Emulator::navien).
#[derive(Clone)]
pub struct NavienHandle {
    navien: Arc<Navien>,
}

impl NavienHandle {
    pub(crate) fn new(navien: Arc<Navien>) -> Self {
        Self { navien }
    }

    // -- Changing it.

    /// Changes the settings (not the accounts) from the next request on. Issued tokens keep their lifetimes.
    pub fn configure(&self, change: impl FnOnce(&mut NavienSettings)) {
        change(&mut self.navien.lock().settings);
    }

    /// Adds an account, or gives an existing one another password and unlocks it.
    pub fn add_account(&self, email: &str, password: &str) {
        self.navien.lock().accounts.add(email, password);
    }

    /// Sign-ins to the account are refused (403) until it is unlocked. Sessions go on.
    pub fn lock_account(&self, email: &str) {
        self.navien.lock().accounts.lock(email, true);
    }

    /// Undoes [`NavienHandle::lock_account`].
    pub fn unlock_account(&self, email: &str) {
        self.navien.lock().accounts.lock(email, false);
    }

    /// From now on only this password signs in. Sessions go on.
    pub fn change_password(&self, email: &str, password: &str) {
        self.navien.lock().accounts.change_password(email, password);
    }

    /// Every access token of the account is refused from now on; refresh tokens stay good.
    pub fn revoke_access(&self, email: &str) {
        self.navien.lock().revoke(email, Kind::Access);
    }

    /// Every refresh token of the account is refused from now on; access tokens stay good.
    pub fn revoke_refresh(&self, email: &str) {
        self.navien.lock().revoke(email, Kind::Refresh);
    }

    /// Ends every session of the account: access, refresh and AWS.
    pub fn revoke_session(&self, email: &str) {
        self.navien.lock().ledger.end_sessions_of(email);
    }

    // -- Counting. Lost and spoiled answers count: the service did perform them.

    /// Sign-ins that succeeded.
    #[must_use]
    pub fn sign_ins(&self) -> usize {
        self.counters().sign_ins
    }

    /// Refreshes that succeeded.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.counters().refreshes
    }

    /// Session refreshes that succeeded.
    #[must_use]
    pub fn session_refreshes(&self) -> usize {
        self.counters().session_refreshes
    }

    /// Secured sign-ins that succeeded.
    #[must_use]
    pub fn secured_sign_ins(&self) -> usize {
        self.counters().secured_sign_ins
    }

    /// API calls that succeeded.
    #[must_use]
    pub fn device_lists(&self) -> usize {
        self.counters().device_lists
    }

    /// Sign-ins that were refused for the password, the account or its lock.
    #[must_use]
    pub fn refused_sign_ins(&self) -> usize {
        self.counters().refused_sign_ins
    }

    /// Refreshes that were refused for their token.
    #[must_use]
    pub fn refused_refreshes(&self) -> usize {
        self.counters().refused_refreshes
    }

    /// API calls, session refreshes and secured sign-ins that were refused for their access token or account.
    #[must_use]
    pub fn refused_calls(&self) -> usize {
        self.counters().refused_calls
    }

    /// How often a spent refresh token was used again.
    #[must_use]
    pub fn reuse_detected(&self) -> usize {
        self.counters().reuse_detected
    }

    // -- Asking.

    /// Whether an API call with this access token would succeed now.
    #[must_use]
    pub fn is_access_valid(&self, access_token: &str) -> bool {
        self.navien.lock().is_valid(Kind::Access, access_token)
    }

    /// Whether a refresh with this token would succeed now.
    #[must_use]
    pub fn is_refresh_valid(&self, refresh_token: &str) -> bool {
        self.navien.lock().is_valid(Kind::Refresh, refresh_token)
    }

    /// Whether these three belong together and are alive.
    #[must_use]
    pub fn is_aws_valid(&self, access_key_id: &str, secret_key: &str, session_token: &str) -> bool {
        self.navien.lock().is_aws_valid(access_key_id, secret_key, session_token)
    }

    /// The access token issued last to the account, dead or alive.
    #[must_use]
    pub fn newest_access(&self, email: &str) -> Option<String> {
        self.navien.lock().ledger.newest(&Kind::Access, email)
    }

    /// The refresh token issued last to the account, dead or alive.
    #[must_use]
    pub fn newest_refresh(&self, email: &str) -> Option<String> {
        self.navien.lock().ledger.newest(&Kind::Refresh, email)
    }

    /// How many sessions of the account have not been revoked.
    #[must_use]
    pub fn live_sessions(&self, email: &str) -> usize {
        self.navien.lock().ledger.live_sessions(email)
    }

    fn counters(&self) -> Counters {
        self.navien.lock().counters
    }
}
