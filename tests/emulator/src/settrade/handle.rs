//! What a test changes in the service, and asks it, while it runs.

use super::state::Kind;
use super::{Counters, Settrade, SettradeSettings};
use std::sync::Arc;

/// Changes and asks the Settrade service while it runs. From [`Emulator::settrade`](crate::Emulator::settrade).
#[derive(Clone)]
pub struct SettradeHandle {
    settrade: Arc<Settrade>,
}

impl SettradeHandle {
    pub(crate) fn new(settrade: Arc<Settrade>) -> Self {
        Self { settrade }
    }

    // -- Changing it.

    /// Changes the settings (not the apps) from the next request on. Issued tokens keep their lifetimes.
    pub fn configure(&self, change: impl FnOnce(&mut SettradeSettings)) {
        change(&mut self.settrade.lock().settings);
    }

    /// Gives an app another secret, or adds one. Sessions go on. False if it is not base64 of a key.
    pub fn set_secret(&self, app_id: &str, app_secret: &str) -> bool {
        self.settrade.lock().set_secret(app_id, app_secret)
    }

    /// Every access token is refused from now on; refresh tokens stay good.
    pub fn revoke_access(&self) {
        self.settrade.lock().revoke(Kind::Access);
    }

    /// Every refresh token is refused from now on; access tokens stay good.
    pub fn revoke_refresh(&self) {
        self.settrade.lock().revoke(Kind::Refresh);
    }

    /// Lets an MQTT connection in that shows this dispatcher token, in whatever way: each token once, and only
    /// while the session it was issued to lives.
    #[must_use]
    pub fn admit(&self, dispatcher_token: &str) -> bool {
        self.settrade.lock().admit(dispatcher_token)
    }

    // -- Counting. Lost and spoiled answers count: the service did perform them.

    /// Logins that succeeded.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.counters().logins
    }

    /// Refreshes that succeeded.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.counters().refreshes
    }

    /// Dispatcher tokens that were issued.
    #[must_use]
    pub fn dispatcher_tokens(&self) -> usize {
        self.counters().dispatcher_tokens
    }

    /// API calls that succeeded.
    #[must_use]
    pub fn api_calls(&self) -> usize {
        self.counters().api_calls
    }

    /// MQTT connections that were let in.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.counters().admitted
    }

    /// MQTT connections that were not let in.
    #[must_use]
    pub fn not_admitted(&self) -> usize {
        self.counters().not_admitted
    }

    /// Logins that were refused for the app or the signature.
    #[must_use]
    pub fn refused_logins(&self) -> usize {
        self.counters().refused_logins
    }

    /// Logins that were refused for their timestamp.
    #[must_use]
    pub fn refused_clocks(&self) -> usize {
        self.counters().refused_clocks
    }

    /// Refreshes that were refused for their token or app.
    #[must_use]
    pub fn refused_refreshes(&self) -> usize {
        self.counters().refused_refreshes
    }

    /// API calls and requests for dispatcher tokens that were refused for their access token.
    #[must_use]
    pub fn refused_calls(&self) -> usize {
        self.counters().refused_calls
    }

    /// How often a spent refresh token was used again. Its session has ended with it.
    #[must_use]
    pub fn reuse_detected(&self) -> usize {
        self.counters().reuse_detected
    }

    // -- Asking.

    /// Whether an API call with this access token would succeed now.
    #[must_use]
    pub fn is_access_valid(&self, access_token: &str) -> bool {
        self.settrade.lock().is_valid(Kind::Access, access_token)
    }

    /// Whether a refresh with this token would succeed now.
    #[must_use]
    pub fn is_refresh_valid(&self, refresh_token: &str) -> bool {
        self.settrade.lock().is_valid(Kind::Refresh, refresh_token)
    }

    fn counters(&self) -> Counters {
        self.settrade.lock().counters
    }
}
