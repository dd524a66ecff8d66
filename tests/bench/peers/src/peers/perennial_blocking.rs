//! `perennial-blocking`, hooked up as `perennial-hyper` is. Each of its callers is a thread: a crowd is 500 of them, out
//! of the pool of the runtime, and readers call without any runtime.

use std::hint::black_box;
use std::time::{Duration, Instant};

use perennial_adapter::SessionBuilder;
use perennial_blocking::{Connector, Session};
use perennial_core::Policy;
use perennial_core::providers::oauth2::{Login, OAuth2};
use tokio::task::spawn_blocking;

use super::perennial_hyper::setup;
use crate::endpoint::Endpoint;
use crate::peer::{Call, Denied, Peer};
use crate::sections::storm::THREADS;

#[derive(Clone)]
pub(crate) struct PerennialBlocking(Session<OAuth2>);

impl PerennialBlocking {
    async fn connect(setup: SessionBuilder<OAuth2>) -> Self {
        let session = spawn_blocking(|| Connector::new().connect(setup)).await;
        Self(session.expect("no panic").expect("the endpoint grants"))
    }
}

impl Peer for PerennialBlocking {
    const NAME: &'static str = "**perennial-blocking**";
    const PACKAGE: Option<&'static str> = Some("perennial-blocking");
    const IN_WINDOW: Duration = Duration::from_secs(8);
    const WINDOW_OPENS_WITHIN: Duration = Duration::from_secs(7);
    const CROWD: usize = THREADS;
    type Token = ();

    async fn sign_in(endpoint: &Endpoint) -> Self {
        Self::connect(setup(endpoint)).await
    }

    async fn sign_in_to_expire(endpoint: &Endpoint) -> Self {
        Self::connect(setup(endpoint).policy(Policy::default().on_demand())).await
    }

    async fn ask(&self) -> Result<(), Denied> {
        let session = self.0.clone();
        let asked = spawn_blocking(move || session.credentials().map(drop));
        asked.await.expect("a session does not panic").map_err(|_| Denied)
    }

    /// The time of the thread that calls: the pool's own is none of it.
    async fn call(&self) -> Call {
        let session = self.0.clone();
        let called = spawn_blocking(move || {
            let from = Instant::now();
            let served = session.credentials().is_ok();
            Call { from, to: Instant::now(), served }
        });
        called.await.expect("a session does not panic")
    }

    fn read(&self, _: &tokio::runtime::Handle, iterations: u64) -> Duration {
        let start = Instant::now();
        for _ in 0..iterations {
            assert!(black_box(self.0.credentials()).is_ok(), "the session lost its token");
        }
        start.elapsed()
    }

    async fn sign_in_again(&self) -> Option<bool> {
        let session = self.0.clone();
        spawn_blocking(move || session.sign_in(Login::client_credentials()).is_ok()).await.ok()
    }
}
