//! What a session is made of.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use super::clock::SessionClock;
use super::shared::{Listener, Shared};
use super::{Clock, Runtime};
use crate::session::Handle;
use perennial_core::Error;
use perennial_core::exchange::{FromEnv, InvalidEnv, Provider};
use perennial_core::session::{Event, Policy, Session};
use perennial_core::store::Store;

/// What a session is made of: a provider, and what the defaults do not fit.
#[must_use]
pub struct SessionBuilder<P: Provider> {
    provider: P,
    login: Option<P::Login>,
    policy: Policy,
    saved: Option<Vec<u8>>,
    seed: Option<u64>,
    clock: SessionClock,
    listener: Option<Listener>,
    store: Option<Arc<dyn Store>>,
}

impl<P: Provider> SessionBuilder<P> {
    /// A session at this provider.
    pub fn new(provider: P) -> Self {
        Self {
            provider,
            login: None,
            policy: Policy::default(),
            saved: None,
            seed: None,
            clock: SessionClock::System,
            listener: None,
            store: None,
        }
    }

    /// From environment variables, under the names that the provider's [`FromEnv`] tells. What is set by hand
    /// afterwards wins; an empty variable is absent.
    pub fn from_env() -> Result<Self, InvalidEnv>
    where
        P: FromEnv,
    {
        let (provider, login) = P::from_env(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))?;
        Ok(Self { login, ..Self::new(provider) })
    }

    /// With a login, which lets the session sign in by itself.
    pub fn login(mut self, login: P::Login) -> Self {
        self.login = Some(login);
        self
    }

    /// With a policy, in place of all that was chosen of one before: [`persist_login`](Self::persist_login) comes after it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// With a total deadline for each request.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.policy = self.policy.request_timeout(timeout);
        self
    }

    /// Goes on from a saved session, in Perennial's own form or another that the provider reads.
    pub fn import(mut self, saved: impl Into<Vec<u8>>) -> Self {
        self.saved = Some(saved.into());
        self
    }

    /// Keeps the session in a store, and shares it with every other session on the same one: in this process or in
    /// another. What is saved there is gone on with; [`import`](Self::import) only fills an empty store. Where somebody has
    /// signed out there, so is this session, until somebody signs in: [`Handle::sign_in`], [`Handle::sign_in_again`].
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps the login in the store, too: whoever goes on with the session can sign in again without being given it.
    pub fn persist_login(mut self) -> Self {
        self.policy = self.policy.persist_login();
        self
    }

    /// With a listener for all that happens. It is called by the driver: it should be quick.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// With another clock than the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SessionClock::of(clock);
        self
    }

    /// With a seed for the jitter, to have the same run again.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The session, not yet asked for anything. Fails where a saved session cannot be taken up.
    pub fn build(self, host: Arc<dyn Runtime>) -> Result<Handle<P>, Error> {
        let seed = self.seed.unwrap_or_else(any_seed);
        let mut session = Session::new(self.provider, self.login, self.policy, seed).with_work_handed_out();
        if self.store.is_some() {
            session = session.with_store();
        }
        if let Some(saved) = self.saved.map(zeroize::Zeroizing::new) {
            let now = self.clock.now();
            let saved =
                session.provider().read_saved_session(&saved, now).map_err(perennial_core::SessionError::from)?;
            session.import(saved, now).map_err(perennial_core::SessionError::from)?;
        }
        Ok(Handle::new(Shared::new(session, self.clock, host, self.listener, self.store)))
    }
}

/// The standard library's only source of randomness. It spreads load and keeps no secret.
fn any_seed() -> u64 {
    std::hash::RandomState::new().hash_one(())
}

impl<P: Provider> std::fmt::Debug for SessionBuilder<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("provider", &self.provider.name())
            .field("login", &self.login)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
