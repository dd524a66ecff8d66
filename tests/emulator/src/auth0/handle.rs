//! What a test changes in the service, and asks it, while it runs.

use super::state::Counters;
use super::{Auth0, Auth0Settings};
use std::sync::Arc;

/// Changes and asks the site with Auth0's sign-in pages while it runs. From
/// [`Emulator::auth0`](crate::Emulator::auth0).
#[derive(Clone)]
pub struct Auth0Handle {
    auth0: Arc<Auth0>,
}

impl Auth0Handle {
    pub(crate) fn new(auth0: Arc<Auth0>) -> Self {
        Self { auth0 }
    }

    // -- Changing it.

    /// Changes the settings (not the accounts) from the next request on. Issued tokens keep their lifetimes.
    pub fn configure(&self, change: impl FnOnce(&mut Auth0Settings)) {
        change(&mut self.auth0.lock().settings);
    }

    /// Adds an account, or gives an existing one another password and unlocks it.
    pub fn add_account(&self, email: &str, password: &str) {
        self.auth0.lock().accounts.add(email, password);
    }

    /// Sign-ins to the account are refused until it is unlocked. Tokens stay good.
    pub fn lock_account(&self, email: &str) {
        self.auth0.lock().accounts.lock(email, true);
    }

    /// Undoes [`Auth0Handle::lock_account`].
    pub fn unlock_account(&self, email: &str) {
        self.auth0.lock().accounts.lock(email, false);
    }

    /// From now on only this password signs in. Tokens stay good.
    pub fn change_password(&self, email: &str, password: &str) {
        self.auth0.lock().accounts.change_password(email, password);
    }

    /// Every token of the account is refused from now on.
    pub fn revoke_tokens(&self, email: &str) {
        self.auth0.lock().ledger.revoke(|owner, _| owner == email);
    }

    // -- Counting. Lost and spoiled answers count: the service did perform them.

    /// Sign-ins that ended in tokens.
    #[must_use]
    pub fn sign_ins(&self) -> usize {
        self.counters().sign_ins
    }

    /// Logins that were refused for the password, the account or its lock.
    #[must_use]
    pub fn refused_sign_ins(&self) -> usize {
        self.counters().refused_sign_ins
    }

    /// Requests that no browser would have sent: a wrong `state` or `_csrf_token`, a cookie missing, or sent to the
    /// other host.
    #[must_use]
    pub fn broken_walks(&self) -> usize {
        self.counters().broken_walks
    }

    /// API calls that succeeded.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.counters().calls
    }

    /// API calls that were refused for their token.
    #[must_use]
    pub fn refused_calls(&self) -> usize {
        self.counters().refused_calls
    }

    // -- Asking.

    /// Whether an API call with this token would succeed now.
    #[must_use]
    pub fn is_token_valid(&self, token: &str) -> bool {
        self.auth0.lock().ledger.session_of_any(token).is_some()
    }

    /// The token issued last to the account in this cookie, dead or alive.
    #[must_use]
    pub fn newest_token(&self, email: &str, cookie: &str) -> Option<String> {
        self.auth0.lock().ledger.newest(&cookie.to_owned(), email)
    }

    fn counters(&self) -> Counters {
        self.auth0.lock().counters
    }
}
