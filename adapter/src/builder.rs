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

    /// Builds a session that has not asked the service for anything yet.
    fn build<P: Provider>(self, builder: SessionBuilder<P>) -> Result<Self::Session<P>, Error>;

    /// Builds a session and waits until it holds valid credentials.
    fn connect<P: Provider>(self, builder: SessionBuilder<P>) -> Self::Connecting<P>;
}

/// Builds a session from a provider and whatever overrides the defaults. Programs get one from `Session::builder` or
/// `Session::builder_from_env` of `perennial-hyper` or `perennial-blocking`, and finish it with
/// [`connect`](Self::connect) or [`build`](Self::build). `C` is the connector of that adapter; `()` means that none is
/// chosen yet.
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
    /// A session at this provider, with no connector chosen: see [`opened_by`](Self::opened_by).
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

    /// With the provider and the login from environment variables. The provider reads them ([`FromEnv`]), and its
    /// documentation lists their names. What is set by hand afterwards wins; an empty variable counts as absent. An
    /// error if one that is needed is missing, or one cannot be used.
    pub fn from_env() -> Result<Self, InvalidEnv>
    where
        P: FromEnv,
    {
        let (provider, login) = P::from_env(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))?;
        Ok(Self { login, ..Self::new(provider) })
    }
}

impl<P: Provider, C> SessionBuilder<P, C> {
    /// With a login, which lets the session sign in by itself. Without one it needs an imported session, a store with a
    /// session in it, [`Session::sign_in`] or [`Session::install_grant`].
    pub fn login(mut self, login: P::Login) -> Self {
        self.login = Some(login);
        self
    }

    /// With a policy. It replaces the whole policy, so call [`request_timeout`](Self::request_timeout) and
    /// [`persist_login`](Self::persist_login) after it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long each request may take in all, from the name look-up to the last byte of the answer. Without this the
    /// provider decides; most leave it at 30 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.policy = self.policy.request_timeout(timeout);
        self
    }

    /// Goes on from a saved session: one from [`Session::export`], or another program's if the provider can read that.
    /// It is read when the session is built; one that cannot be used is an error there.
    pub fn import(mut self, saved: impl Into<Vec<u8>>) -> Self {
        self.saved = Some(saved.into());
        self
    }

    /// Keeps the session in a store, and shares it with every other session on the same store, in this process or in
    /// another. If a session is saved there, this one continues it; [`import`](Self::import) only fills an empty store.
    /// If somebody has signed out there, this session is signed out too, until somebody signs in: [`Session::sign_in`],
    /// [`Session::sign_in_again`].
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Keeps the login in the store, too, in the clear unless the store encrypts: whoever continues the session can
    /// then sign in again without being given the login. Off by default.
    pub fn persist_login(mut self) -> Self {
        self.policy = self.policy.persist_login();
        self
    }

    /// Calls this listener with each [`Event`], for your logs or metrics; events are written to `tracing` anyway. It
    /// runs on the task or thread that keeps the session alive, which goes on only when it returns: it must not block.
    /// If it panics, that event is lost and the session goes on.
    ///
    /// An event of a failure may name the time of the next attempt. In a [one-shot](Policy::one_shot) session nothing
    /// begins by itself at that time, and after the program has ended nothing is retried: the attempt is made when
    /// somebody asks again.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// With another clock than [`SystemClock`](crate::SystemClock), the default: for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = SessionClock::of(clock);
        self
    }

    /// With this seed for the jitter of pauses and renewals, so that a test can be repeated. By default it is random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Opens the session with this connector: for a transport of your own, or for a host that plain http is allowed to.
    /// Without it, the adapter's default connector is used.
    pub fn connector(mut self, connector: C) -> Self {
        self.connector = Some(connector);
        self
    }

    /// The same builder for another type of connector, `D`: its default value, unless one is
    /// [given](Self::connector) afterwards.
    pub fn opened_by<D>(self) -> SessionBuilder<P, D> {
        let Self { connector: _, provider, login, policy, saved, seed, clock, listener, store } = self;
        SessionBuilder { connector: None, provider, login, policy, saved, seed, clock, listener, store }
    }

    /// Builds the session over a runtime of your own: for those who write an adapter. An error
    /// ([`SavedSession`](perennial_core::SessionError::SavedSession)) if what was given to [`import`](Self::import)
    /// cannot be used.
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
    /// Builds the session and waits until it holds valid credentials: imported, found in the store, or from a sign-in.
    ///
    /// If there are none to be had, this fails with the reason and the session is dropped. A program that should start
    /// although the service is away takes [`build`](Self::build) instead. If somebody has signed out on the store, the
    /// error is [`SignedOut`](perennial_core::SessionError::SignedOut): [`build`](Self::build) the session, and sign
    /// in.
    ///
    /// In `perennial-hyper` this is a future. Await it inside a tokio runtime with I/O and time enabled
    /// (`enable_all()`; `#[tokio::main]` has both): it does not work where one of them is off, and outside of any
    /// runtime the error is [`Closed`](perennial_core::SessionError::Closed).
    pub fn connect(mut self) -> C::Connecting<P> {
        self.connector.take().unwrap_or_default().connect(self.opened_by())
    }

    /// Builds a session that has not asked the service for anything yet: the first call that needs credentials reads
    /// the store or signs in. An imported session is held from the beginning, and is renewed when that is due.
    ///
    /// An error ([`SavedSession`](perennial_core::SessionError::SavedSession)) if what was given to
    /// [`import`](Self::import) cannot be used.
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
