//! Sessions over tokio.

use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use perennial_adapter::{BoxFuture, Connect, Runtime, SessionBuilder, SpawnError, SystemClock};
use perennial_core::{
    Error, Exchange, FromEnv, InvalidEnv, PollingExchange, Provider, Request, Response, TransportError,
    TransportSecurity,
};

use crate::session::Session;
use crate::transport::{HttpTransport, Transport};

/// Carries out what sessions ask for, over one transport. Cheap to clone, shared by any number of sessions.
#[derive(Clone)]
pub struct Connector {
    transport: Arc<dyn Transport>,
    security: TransportSecurity,
}

impl Connector {
    /// Over hyper, with the certificate authorities of Mozilla.
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
    pub async fn connect<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        let session = self.build(builder)?;
        session.credentials().await?;
        Ok(session)
    }

    /// As [`SessionBuilder::build`], opened by this connector.
    pub fn build<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        builder.build_on(Arc::new(self.clone())).map(Session::new)
    }

    /// One exchange without a session: one sign-in, one refresh of a given token.
    pub async fn run<X: Exchange>(&self, exchange: X) -> Result<X::Output, Error> {
        perennial_adapter::run(exchange, self, &SystemClock).await
    }

    /// Asks until a person has acted, without a session: a sign-in on another device.
    pub async fn poll<X: PollingExchange>(&self, exchange: X) -> Result<X::Output, Error> {
        perennial_adapter::poll(exchange, self, &SystemClock).await
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
    type Connecting<P: Provider> = BoxFuture<Result<Session<P>, Error>>;

    fn build<P: Provider>(self, builder: SessionBuilder<P>) -> Result<Session<P>, Error> {
        Self::build(&self, builder)
    }

    fn connect<P: Provider>(self, builder: SessionBuilder<P>) -> BoxFuture<Result<Session<P>, Error>> {
        Box::pin(async move { Self::connect(&self, builder).await })
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
        self.transport.send(request)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move {
            match tokio::runtime::Handle::try_current() {
                Ok(_) => tokio::time::sleep(duration).await,
                // Whoever waits for the end of a session may wait outside of the runtime that it ran on.
                Err(_) => sleep_on_a_thread(duration).await,
            }
        })
    }

    /// On a thread of its own: a runtime that ends would wait for its blocking threads, and a lock may take its time.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let _ = std::thread::Builder::new().name("perennial-store".into()).spawn(work);
    }

    /// On the runtime of whoever calls.
    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| SpawnError)?;
        runtime.spawn(task);
        Ok(())
    }
}

async fn sleep_on_a_thread(duration: Duration) {
    let (sender, reply) = oneshot::channel();
    let sleep = move || {
        std::thread::sleep(duration);
        let _ = sender.send(());
    };
    // Where no thread is to be had it is over at once.
    let _ = std::thread::Builder::new().name("perennial-sleep".into()).spawn(sleep);
    let _ = reply.await;
}
