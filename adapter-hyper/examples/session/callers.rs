//! What every story needs: tasks that ask for credentials all the time, and eyes on the service.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use perennial_core::{LeaseId, Provider};
use perennial_emulator::Emulator;
use perennial_hyper::Session;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const CALLERS: u64 = 20;

pub(crate) struct Callers {
    counts: Arc<Counts>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    served: AtomicU64,
    waited: AtomicU64,
}

impl Callers {
    pub(crate) fn start<P: Provider>(session: &Session<P>) -> Self {
        let counts = Arc::<Counts>::default();
        let tasks = (0..CALLERS).map(|_| tokio::spawn(call_on(session.clone(), Arc::clone(&counts)))).collect();
        Self { counts, tasks }
    }

    /// How many calls were served, and how many of them had to wait.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.counts.served.load(Ordering::Relaxed), self.counts.waited.load(Ordering::Relaxed))
    }

    pub(crate) fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn call_on<P: Provider>(session: Session<P>, counts: Arc<Counts>) {
    loop {
        if session.current(LeaseId::Access).is_none() {
            counts.waited.fetch_add(1, Ordering::Relaxed);
        }
        if session.credentials().await.is_ok() {
            counts.served.fetch_add(1, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a request has met the outage.
pub(crate) async fn wait_for_failure(service: &Emulator) -> Outcome {
    for _ in 0..1000 {
        if service.requests().iter().any(|request| request.fault.is_some()) {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("no renewal came".into())
}
