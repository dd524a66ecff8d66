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

/// Opens sessions over one transport, and carries out single exchanges without a session. Cheap to clone, shared by any
/// number of sessions. You need one only for a transport or security rules of your own, or for [`run`](Self::run) and
/// [`poll`](Self::poll): without one a [`Session::builder`] takes a default connector.
#[derive(Clone)]
pub struct Connector {
    transport: Arc<dyn Transport>,
    security: TransportSecurity,
}

impl Connector {
    /// Sends with the default [`HttpTransport`], over hyper. It trusts Mozilla's root certificates.
    pub fn new() -> Self {
        Self::over(HttpTransport::new())
    }

    /// Sends with this transport: an [`HttpTransport`] with other settings, or one of your own. Each request and its
    /// answer are checked by [`TransportSecurity`]; the rules that the transport has to keep itself are listed at
    /// [`Request`].
    pub fn over(transport: impl Transport) -> Self {
        Self { transport: Arc::new(transport), security: TransportSecurity::new() }
    }

    /// With other rules for the addresses that may be sent to: to allow plain http to a host. By default https is
    /// allowed, and http to this machine only. The rules hold for any transport.
    #[must_use]
    pub fn security(mut self, security: TransportSecurity) -> Self {
        self.security = security;
        self
    }

    /// As [`SessionBuilder::connect`], opened by this connector. Await it inside a tokio runtime with I/O and time
    /// enabled (`enable_all()`; `#[tokio::main]` has both): it does not work where one of them is off, and outside of
    /// any runtime the error is [`Closed`](perennial_core::SessionError::Closed).
    pub async fn connect<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        let session = self.build(builder)?;
        session.credentials().await?;
        Ok(session)
    }

    /// As [`SessionBuilder::build`], opened by this connector.
    pub fn build<P: Provider, C>(&self, builder: SessionBuilder<P, C>) -> Result<Session<P>, Error> {
        builder.build_on(Arc::new(self.clone())).map(Session::new)
    }

    /// Carries out one exchange without a session: one sign-in, one refresh of a given token. Exchanges are made by
    /// methods of the provider. Nothing is repeated, renewed or saved.
    pub async fn run<X: Exchange>(&self, exchange: X) -> Result<X::Output, Error> {
        perennial_adapter::run(exchange, self, &SystemClock).await
    }

    /// Polls the service until a person has acted, without a session: for a sign-in on another device. If the service
    /// cannot be reached, the request is repeated, up to 12 times in a row; but if the very first request fails, so
    /// does this.
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

    /// As [`builder`](Self::builder), with the provider and the login from environment variables. The provider reads
    /// them ([`FromEnv`]), and its documentation lists their names. What is set by hand afterwards wins; an empty
    /// variable counts as absent. An error if one that is needed is missing, or one cannot be used.
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
