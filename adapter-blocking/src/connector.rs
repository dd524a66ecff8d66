//! Sessions over threads.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use perennial_adapter::{BoxFuture, Connect, Runtime, SessionBuilder, SpawnError, SystemClock};
use perennial_core::{
    Error, Exchange, FromEnv, InvalidEnv, PollingExchange, Provider, Request, Response, TransportError,
    TransportSecurity,
};

use crate::park::{block_on, sleep};
use crate::session::Session;
use crate::sync::{thread, thread_local};
use crate::transport::{HttpTransport, Transport};

/// Carries out what sessions ask for, over one transport. Cheap to clone, shared by any number of sessions.
///
/// Each session has one thread that waits, and one more for the time of a request.
#[derive(Clone)]
pub struct Connector {
    transport: Arc<dyn Transport>,
    security: TransportSecurity,
}

impl Connector {
    /// Over ureq, with the certificate authorities of Mozilla.
    pub fn new() -> Self {
        Self::over(HttpTransport::new())
    }

    /// Over a transport of your own. It is shared and never closed here. The rules of sending stand in front of it
    /// ([`TransportSecurity`]); the rest is its own part ([`Request`]).
    pub fn over(transport: impl Transport) -> Self {
        Self { transport: Arc::new(transport), security: TransportSecurity::new() }
    }

    /// Under other rules of sending: with hosts to which plain http is allowed. They stand in front of any transport.
    #[must_use]
    pub fn security(mut self, security: TransportSecurity) -> Self {
        self.security = security;
        self
    }

    /// As [`SessionBuilder::connect`], opened by this connector.
    pub fn connect<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        let session = self.build(builder)?;
        session.credentials()?;
        Ok(session)
    }

    /// As [`SessionBuilder::build`], opened by this connector.
    pub fn build<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        builder.build_on(Arc::new(self.clone())).map(Session::new)
    }

    /// One exchange without a session: one sign-in, one refresh of a given token.
    pub fn run<X: Exchange>(&self, exchange: X) -> Result<X::Output, Error> {
        block_on(perennial_adapter::run(exchange, self, &SystemClock))
    }

    /// Asks until a person has acted, without a session: a sign-in on another device.
    pub fn poll<X: PollingExchange>(&self, exchange: X) -> Result<X::Output, Error> {
        block_on(perennial_adapter::poll(exchange, self, &SystemClock))
    }
}

impl<P: Provider> Session<P> {
    /// Builds a session at this provider: give it a login, a store, whatever overrides the defaults, then
    /// [`connect`](SessionBuilder::connect).
    pub fn builder(provider: P) -> SessionBuilder<P, Connector> {
        SessionBuilder::new(provider).opened_by()
    }

    /// The same from environment variables, under the names that the provider's [`FromEnv`] tells. What is set by hand
    /// afterwards wins; an empty variable is absent.
    pub fn builder_from_env() -> Result<SessionBuilder<P, Connector>, InvalidEnv>
    where
        P: FromEnv,
    {
        SessionBuilder::from_env().map(SessionBuilder::opened_by)
    }
}

impl Connect for Connector {
    type Session<P: Provider> = Session<P>;
    type Connecting<P: Provider> = Result<Session<P>, Error>;

    fn build<P: Provider>(self, builder: SessionBuilder<P>) -> Result<Session<P>, Error> {
        Self::build(&self, builder)
    }

    fn connect<P: Provider>(self, builder: SessionBuilder<P>) -> Result<Session<P>, Error> {
        Self::connect(&self, builder)
    }
}

impl Default for Connector {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Runtime for Connector {
    fn security(&self) -> TransportSecurity {
        self.security.clone()
    }

    fn send(&self, request: Request) -> BoxFuture<Result<Response, TransportError>> {
        let (sender, reply) = oneshot::channel();
        let transport = Arc::clone(&self.transport);
        let work = move || drop(sender.send(transport.send(request)));
        // Where no thread is to be had, or the transport panics, the sender is dropped.
        let _ = start("perennial-request", work);
        let given_up = || TransportError::maybe_sent("the request was given up");
        Box::pin(async move { reply.await.unwrap_or_else(|oneshot::Canceled| Err(given_up())) })
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let _ = start("perennial-store", work);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(sleep(duration))
    }

    fn linger(&self, end: BoxFuture<()>) {
        // A listener, a transport or a store that drops the last handle would wait for itself.
        if !IS_OURS.with(Cell::get) {
            block_on(end);
        }
    }

    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError> {
        start("perennial-session", move || block_on(task)).map_err(|_| SpawnError)
    }
}

thread_local! {
    /// This thread does a session's work.
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let work = move || {
        IS_OURS.with(|ours| ours.set(true));
        work();
    };
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}
