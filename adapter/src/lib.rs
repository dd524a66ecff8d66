//! What every Perennial adapter shares: the session that callers hold, its builder, the driver that carries a session's
//! requests out, clocks, and a store in memory.
//!
//! Programs take `perennial-hyper` (tokio) or `perennial-blocking` (threads), which re-export what they need of this.
//! Take this crate to write an adapter for another runtime: implement [`Runtime`] (send a request, sleep, start a task) and
//! build sessions with [`SessionBuilder::build_on`]. Nothing here knows a runtime: the rest are plain futures that any
//! executor polls, a parked thread included.
//!
//! | feature | |
//! | --- | --- |
//! | `test-util` | `ManualClock`, and `Session::settle`: tests in which time passes only when they say so |

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

/// What a runtime has to offer: sending, sleeping, starting.
pub trait Runtime: Send + Sync + 'static {
    /// Carries out a request, as [`Request`] says. Dropping the future gives it up. Everything here that sends calls
    /// [`send`](self::send()), which has the rules of sending in front.
    fn send(&self, request: Request) -> BoxFuture<Result<Response, TransportError>>;

    /// The rules of sending, with their exceptions.
    fn security(&self) -> TransportSecurity {
        TransportSecurity::new()
    }

    /// Sleeps.
    fn sleep(&self, duration: Duration) -> BoxFuture<()>;

    /// Does work that may block, where it blocks no task. Dropped where that cannot be had.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);

    /// The last handle of a session is gone, and `end` is ready when nothing would be lost by ending the program, or
    /// after [`CLOSE_TIMEOUT`]. A host whose callers may block waits for it; others let it go, and the driver goes on
    /// as long as it is given the time.
    fn linger(&self, end: BoxFuture<()>) {
        drop(end);
    }

    /// Starts a task that runs by itself. An error means that there is nothing here which could run it.
    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError>;
}

/// How long the end of a session takes at most: a request that is out comes to its end, what it brings is saved, and
/// the lock of the store is given back.
pub const CLOSE_TIMEOUT: Duration = REQUEST_TIMEOUT.saturating_add(STORE_TIMEOUT.saturating_mul(2));

/// Sends over a host, with its rules of sending in front: whatever its transport does.
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

/// Carries out one exchange, without a session: one sign-in, one refresh of a given token.
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

/// Asks until a person has acted: a sign-in on another device. How long the person may take, the exchange knows. A
/// request that gets lost on the way is repeated, up to 12 in a row.
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
