//! What every Perennial adapter shares: the session that callers hold, its builder, the driver that carries a session's
//! requests out, clocks, and a store in memory.
//!
//! Programs take `perennial-hyper` (tokio) or `perennial-blocking` (threads), which re-export what they need of this.
//! Take this crate to write an adapter for another runtime: implement [`Runtime`] (send a request, sleep, start a task) and
//! build sessions with [`SessionBuilder::build_on`]. Nothing else here depends on an async runtime: the futures are
//! plain ones, which any executor can poll, also one that parks a thread.
//!
//! | feature | |
//! | --- | --- |
//! | `test-util` | `ManualClock`, and `Session::settle`: for tests that move the clock themselves |

mod builder;
mod clock;
mod driver;
pub mod http;
mod memory_store;
#[cfg(all(loom, test))]
mod schedules;
mod session;
mod shared;
mod snapshot;
mod source;
mod store_driver;
mod sync;
mod wait;
mod work;

/// The checker of schedules, for adapters that wait by threads of their own.
#[cfg(shuttle)]
#[doc(hidden)]
pub use ::shuttle;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

#[cfg(feature = "test-util")]
pub use self::clock::ManualClock;
pub use self::clock::{Clock, SystemClock};
pub use self::session::{Session, Updates};

pub use self::builder::{Connect, SessionBuilder};
pub use self::memory_store::MemoryStore;
pub use self::snapshot::CredentialsRef;
pub use self::source::{CredentialSource, SourceUpdates};
use perennial_core::exchange::{
    Exchange, MAX_STEPS, Polled, PollingExchange, REQUEST_TIMEOUT, Request, Response, Step,
};
use perennial_core::session::MIN_RETRY_INTERVAL;
use perennial_core::store::STORE_TIMEOUT;
use perennial_core::wire::TransportSecurity;
use perennial_core::{Error, ServiceError, TransportError};

/// A future of any kind, on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What an adapter provides for its runtime: it sends requests, sleeps and starts tasks. Implement it to run sessions
/// on a runtime that has no adapter yet.
pub trait Runtime: Send + Sync + 'static {
    /// Sends a request and reads its answer, by the rules that are listed at [`Request`]. Dropping the future gives the
    /// request up.
    ///
    /// Sessions, [`run`] and [`poll`] do not call this directly but through [`send`](self::send()), which checks the
    /// request and its answer.
    fn send(&self, request: Request) -> BoxFuture<Result<Response, TransportError>>;

    /// To which addresses requests may be sent. By default https, and plain http to this machine only.
    fn security(&self) -> TransportSecurity {
        TransportSecurity::new()
    }

    /// A future that is ready when this much time has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;

    /// Runs work that may block (a store's, or a provider that signs with a hardware key) where it holds up no task: on
    /// a thread of its own, for example. If no thread can be had, drop it: the session takes that for a failure.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);

    /// Called when the last handle of a session was dropped and something is still under way. `end` is ready when
    /// nothing would be lost by ending the program, and after [`CLOSE_TIMEOUT`] at the latest. A runtime whose callers
    /// may block waits for it. The default drops it; the session's task then goes on for as long as the runtime runs
    /// it.
    fn linger(&self, end: BoxFuture<()>) {
        drop(end);
    }

    /// Starts a task that runs by itself: the one that keeps a session alive. An error if there is nothing here that
    /// could run it; whoever waits for credentials then gets [`Closed`](perennial_core::SessionError::Closed).
    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError>;
}

/// How long closing a session takes at most: 40 s, for one request ([`REQUEST_TIMEOUT`], 30 s) and two operations of
/// the store ([`STORE_TIMEOUT`], 5 s each). In this time the answer to a request that was sent arrives, what it brings
/// is saved, and the lock of the store is released.
pub const CLOSE_TIMEOUT: Duration = REQUEST_TIMEOUT.saturating_add(STORE_TIMEOUT.saturating_mul(2));

/// Sends a request over a runtime, and checks request and answer by its [`security`](Runtime::security), whatever its
/// transport checks itself. An address that is not allowed is
/// [`NotSent`](perennial_core::TransportErrorKind::NotSent).
pub async fn send(host: &dyn Runtime, mut request: Request) -> Result<Response, TransportError> {
    let security = host.security();
    security.check_request(&mut request)?;
    let body_cap = request.body_cap;
    security.check_response(host.send(request).await?, body_cap)
}

/// There is nothing here that could run a task: no runtime, no thread to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing here that could run a task")]
pub struct SpawnError;

/// How many requests in a row may get lost while a person signs in.
const MOST_LOST: u32 = 12;

/// Carries out one exchange, without a session: one sign-in, one refresh of a given token. Nothing is repeated, renewed
/// or saved. An error if the service wants more than [`MAX_STEPS`] (32) requests.
pub async fn run<X: Exchange>(mut exchange: X, runtime: &dyn Runtime, clock: &dyn Clock) -> Result<X::Output, Error> {
    let mut request = exchange.start(clock.now());
    for _ in 0..MAX_STEPS {
        let response = send(runtime, request).await?;
        request = match exchange.receive(response, clock.now())? {
            Step::Done(output) => return Ok(output),
            Step::Send(next) => next,
        };
    }
    Err(ServiceError::endless().into())
}

/// Polls the service until a person has acted, without a session: for a sign-in on another device. The exchange says
/// how long to wait between two requests (at least 1 s) and when the person's time is up. If the service cannot be
/// reached, the request is repeated, up to 12 times in a row; but if the very first request fails, so does this.
pub async fn poll<X: PollingExchange>(
    mut exchange: X,
    runtime: &dyn Runtime,
    clock: &dyn Clock,
) -> Result<X::Output, Error> {
    let (mut pause, mut lost) = (None, 0);
    loop {
        let polled = match send(runtime, exchange.request(clock.now())).await {
            Ok(response) => {
                lost = 0;
                exchange.receive(response, clock.now())?
            }
            // The first one tells whether there is a service at all.
            Err(error) => match pause {
                Some(pause) if lost < MOST_LOST => {
                    lost += 1;
                    Polled::Pending(pause)
                }
                _ => return Err(error.into()),
            },
        };
        match polled {
            Polled::Ready(output) => return Ok(output),
            Polled::Pending(wait) => {
                let wait = wait.max(MIN_RETRY_INTERVAL);
                pause = Some(wait);
                runtime.sleep(wait).await;
            }
        }
    }
}
