//! Building a session.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use super::clock::SessionClock;
use super::shared::{Listener, Shared};
use super::{Clock, Runtime};
use crate::session::Session;
use perennial_core::Error;
use perennial_core::exchange::{FromEnv, InvalidEnv, Provider};
use perennial_core::session::{Event, Policy, Session as Machine};
use perennial_core::store::Store;

/// Opens sessions: the part of an adapter that a [`SessionBuilder`] ends in.
#[diagnostic::on_unimplemented(
    message = "this builder does not know which adapter opens the session",
    note = "begin with `Session::builder` of `perennial_hyper` or `perennial_blocking`, or give it a `connector`"
)]
pub trait Connect: Default {
    /// What callers hold.
    type Session<P: Provider>;
    /// What [`SessionBuilder::connect`] returns: a future, or a result where the call blocks.
    type Connecting<P: Provider>;

    /// A session that waits for the first demand.
    fn build<P: Provider>(self, builder: SessionBuilder<P>) -> Result<Self::Session<P>, Error>;

    /// A session that holds valid credentials.
    fn connect<P: Provider>(self, builder: SessionBuilder<P>) -> Self::Connecting<P>;
}

/// Builds a session from a provider and whatever overrides the defaults. `C` is what opens it: an adapter's
/// `Session::builder` says which, and `()` leaves it to be given later.
#[must_use]
pub struct SessionBuilder<P: Provider, C = ()> {
    connector: Option<C>,
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
            connector: None,
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
}

impl<P: Provider, C> SessionBuilder<P, C> {
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
    /// signed out there, so is this session, until somebody signs in: [`Session::sign_in`], [`Session::sign_in_again`].
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

    /// Opened by this connector: over its transport, under its rules of sending. Unless this is called, a default one
    /// opens the session.
    pub fn connector(mut self, connector: C) -> Self {
        self.connector = Some(connector);
        self
    }

    /// The same, opened by another kind of connector: an adapter's default one, unless it is
    /// [given](Self::connector).
    pub fn opened_by<D>(self) -> SessionBuilder<P, D> {
        let Self { connector: _, provider, login, policy, saved, seed, clock, listener, store } = self;
        SessionBuilder { connector: None, provider, login, policy, saved, seed, clock, listener, store }
    }

    /// The session over a runtime of your own, not yet asked for anything. An error where a saved session was given that
    /// cannot be imported.
    pub fn build_on(self, runtime: Arc<dyn Runtime>) -> Result<Session<P>, Error> {
        let seed = self.seed.unwrap_or_else(any_seed);
        let mut session = Machine::new(self.provider, self.login, self.policy, seed).with_work_handed_out();
        if self.store.is_some() {
            session = session.with_store();
        }
        if let Some(saved) = self.saved.map(zeroize::Zeroizing::new) {
            let now = self.clock.now();
            let saved =
                session.provider().read_saved_session(&saved, now).map_err(perennial_core::SessionError::from)?;
            session.import(saved, now).map_err(perennial_core::SessionError::from)?;
        }
        Ok(Session::new(Shared::new(session, self.clock, runtime, self.listener, self.store)))
    }
}

impl<P: Provider, C: Connect> SessionBuilder<P, C> {
    /// A session that holds valid credentials: imported, found in the store, or signed in, or the error that stands in
    /// the way. On a store where somebody has signed out that is
    /// [`SignedOut`](perennial_core::SessionError::SignedOut): [`build`](Self::build) the session, and sign in.
    pub fn connect(mut self) -> C::Connecting<P> {
        self.connector.take().unwrap_or_default().connect(self.opened_by())
    }

    /// A session that waits for the first demand. An error where a saved session was given that cannot be imported.
    pub fn build(mut self) -> Result<C::Session<P>, Error> {
        self.connector.take().unwrap_or_default().build(self.opened_by())
    }
}

/// The standard library's only source of randomness. It spreads load and keeps no secret.
fn any_seed() -> u64 {
    std::hash::RandomState::new().hash_one(())
}

impl<P: Provider, C> std::fmt::Debug for SessionBuilder<P, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("provider", &self.provider.name())
            .field("login", &self.login)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
