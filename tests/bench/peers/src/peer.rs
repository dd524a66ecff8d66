//! What a contestant has to be able to do.

use std::future::Future;
use std::hint::black_box;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::endpoint::Endpoint;

/// A caller was given an error instead of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied;

/// One call of one caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// When it began.
    pub(crate) from: Instant,
    /// When the caller was told.
    pub(crate) to: Instant,
    /// Whether there was a token.
    pub(crate) served: bool,
}

/// Somebody who keeps a token. Clones share it, as an application's callers do.
pub(crate) trait Peer: Clone + Send + Sync + 'static {
    /// As the table calls it.
    const NAME: &'static str;
    /// The package whose version is told. By hand there is none.
    const PACKAGE: Option<&'static str>;
    /// How long a token has to live for a renewal ahead of time to come while it is valid, and soon.
    const IN_WINDOW: Duration;
    /// The longest that such a renewal keeps us waiting.
    const WINDOW_OPENS_WITHIN: Duration = Duration::from_secs(1);
    /// How many callers ask at once where a crowd is called for.
    const CROWD: usize = 10_000;
    /// What the callers get.
    type Token: Send;

    /// Somebody who holds a token that the endpoint granted just now.
    ///
    /// # Panics
    /// Where that fails: there would be nothing to measure.
    fn sign_in(endpoint: &Endpoint) -> impl Future<Output = Self> + Send;

    /// The same where the token is to run out without being renewed, so that there is somebody who finds it expired.
    fn sign_in_to_expire(endpoint: &Endpoint) -> impl Future<Output = Self> + Send {
        Self::sign_in(endpoint)
    }

    /// What each caller does.
    fn ask(&self) -> impl Future<Output = Result<Self::Token, Denied>> + Send;

    /// What each caller does, with the time that it took the caller.
    fn call(&self) -> impl Future<Output = Call> + Send {
        async {
            let from = Instant::now();
            let served = self.ask().await.is_ok();
            Call { from, to: Instant::now(), served }
        }
    }

    /// Asks so often, one call after another.
    fn read(&self, runtime: &Handle, iterations: u64) -> Duration {
        runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..iterations {
                assert!(black_box(self.ask().await).is_ok(), "{} lost its token", Self::NAME);
            }
            start.elapsed()
        })
    }

    /// Brings a new login, where a refused one is not tried again. Whether there is a token then; `None` where that
    /// cannot be done without starting all over.
    fn sign_in_again(&self) -> impl Future<Output = Option<bool>> + Send {
        async { None }
    }
}
