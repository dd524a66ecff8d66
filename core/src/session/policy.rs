//! What a user may decide about a session.

use std::time::Duration;

/// What a user may decide about a session. What is left open, the provider decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long before its deadline a lease is renewed. Clamped to a quarter of the lifetime.
    pub margin: Option<Duration>,
    /// How long a request may take in all.
    pub request_timeout: Option<Duration>,
    /// Whether renewal goes on when nobody asks.
    pub refresh_mode: RefreshMode,
    /// Whether refresh tokens can be used again, whatever the provider says: an exchange whose answer was lost is then
    /// simply repeated.
    pub reusable_refresh_tokens: bool,
    /// Whether the login is kept in the store, beside the credentials: in the clear, unless the store encrypts. Whoever
    /// goes on with the session can then sign in again; else he brings a login or does without.
    pub persist_login: bool,
}

/// Whether renewal goes on when nobody asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshMode {
    /// Credentials are renewed ahead of time, so that nobody ever waits.
    #[default]
    Proactive,
    /// Credentials are renewed when somebody asks for them near or past their end. Whoever asks near the end is served
    /// what is held, and the renewal goes on behind.
    OnDemand,
    /// For programs that end when they have what they came for: nothing begins that nobody waits for. Whoever asks near
    /// the end waits for the renewal, and is served what is held where that fails.
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
