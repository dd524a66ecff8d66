//! What a user may decide about a session.

use std::time::Duration;

/// What a user may decide about a session. What is left open, the provider decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long before its deadline a lease is renewed, at most a quarter of its lifetime. `None`: the provider's
    /// [`margin`](crate::Provider::margin), 5 minutes unless it says otherwise.
    pub margin: Option<Duration>,
    /// How long a request may take in all. `None`: the timeout that the provider gives each request,
    /// [`REQUEST_TIMEOUT`](crate::wire::REQUEST_TIMEOUT) (30 seconds) unless it says otherwise.
    pub request_timeout: Option<Duration>,
    /// Whether renewal goes on when nobody asks.
    pub refresh_mode: RefreshMode,
    /// Whether refresh tokens can be used more than once, whatever the provider says: a refresh whose answer was lost
    /// is then simply repeated. `false` by default. Set it only if the service accepts a refresh token that was used
    /// before.
    pub reusable_refresh_tokens: bool,
    /// Whether the login (a password, for instance) is saved in the store, beside the credentials. `false` by default.
    /// It is saved in plain text unless the store encrypts. Another session on the store that has this setting and no
    /// login of its own can then sign in with it. Has no effect if the provider cannot [write
    /// logins](crate::Provider::write_login).
    pub persist_login: bool,
}

/// Whether renewal goes on when nobody asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshMode {
    /// Credentials are renewed ahead of time, so that nobody ever waits.
    #[default]
    Proactive,
    /// Credentials are renewed when somebody asks for them inside the renewal margin or after they have expired. Inside
    /// the margin the caller gets the present ones at once, and the renewal runs in the background.
    OnDemand,
    /// For short-lived programs, such as command-line tools: no renewal begins unless a caller waits for it. A caller
    /// who asks inside the renewal margin waits for the renewal, and gets the present credentials if that fails.
    OneShot,
}

/// What becomes of the login when somebody signs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignOut {
    /// It is kept, in the store too if it is there, and is not used until somebody signs in again.
    KeepLogin,
    /// It is forgotten, in the store too: only a new login, or a grant, brings the session back.
    ForgetLogin,
}

impl Policy {
    /// With a renewal margin.
    #[must_use]
    pub fn margin(mut self, margin: Duration) -> Self {
        self.margin = Some(margin);
        self
    }

    /// With a total deadline for each request.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Renews only when somebody asks.
    #[must_use]
    pub fn on_demand(mut self) -> Self {
        self.refresh_mode = RefreshMode::OnDemand;
        self
    }

    /// Renews only when somebody asks, and never behind whoever asked: for a command-line tool, a credential helper, a
    /// job. Such a program may end at any time without losing a renewal that it never saw.
    #[must_use]
    pub fn one_shot(mut self) -> Self {
        self.refresh_mode = RefreshMode::OneShot;
        self
    }

    /// Takes refresh tokens for reusable.
    #[must_use]
    pub fn reusable_refresh_tokens(mut self) -> Self {
        self.reusable_refresh_tokens = true;
        self
    }

    /// Keeps the login in the store, too: a session without one takes it up from there.
    #[must_use]
    pub fn persist_login(mut self) -> Self {
        self.persist_login = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_is_kept_beside_the_others() {
        let (margin, timeout) = (Duration::from_secs(77), Duration::from_secs(9));
        let policy = Policy::default().margin(margin).request_timeout(timeout).reusable_refresh_tokens().on_demand();
        let policy = policy.persist_login();
        let whole = Policy {
            margin: Some(margin),
            request_timeout: Some(timeout),
            refresh_mode: RefreshMode::OnDemand,
            reusable_refresh_tokens: true,
            persist_login: true,
        };
        assert_eq!(policy, whole);
        assert_eq!(policy.one_shot(), Policy { refresh_mode: RefreshMode::OneShot, ..whole });
        assert_eq!(
            policy.persist_login().reusable_refresh_tokens().on_demand().request_timeout(timeout).margin(margin),
            whole
        );
    }
}
