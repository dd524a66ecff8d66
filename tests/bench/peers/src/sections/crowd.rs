//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{LIMIT, millis};
use crate::peer::Peer;

/// What became of a crowd.
pub(crate) struct Told {
    /// How many were given a token.
    pub(crate) served: usize,
    /// How many were given an error.
    pub(crate) denied: usize,
    /// How long it took until the last one was told, or given up on.
    pub(crate) time: Duration,
}

/// Lets so many callers ask at once, each in a task of its own. The time runs from the moment at which the last of them
/// stands ready, and includes waking them.
pub(crate) async fn crowd<P: Peer>(peer: &P, callers: usize) -> Told {
    let (gate, closed) = watch::channel(());
    let ready = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (peer, mut gate, ready) = (peer.clone(), closed.clone(), Arc::clone(&ready));
        tasks.spawn(async move {
            ready.fetch_add(1, SeqCst);
            gate.changed().await.is_ok() && peer.ask().await.is_ok()
        });
    }
    while ready.load(SeqCst) < callers {
        sleep(Duration::from_millis(1)).await;
    }
    let start = Instant::now();
    gate.send_replace(());
    let mut told = Told { served: 0, denied: 0, time: Duration::ZERO };
    // What is over the limit is dropped with the set.
    let _ = timeout(LIMIT, async {
        while let Some(outcome) = tasks.join_next().await {
            *if outcome.unwrap_or(false) { &mut told.served } else { &mut told.denied } += 1;
        }
    })
    .await;
    told.time = start.elapsed();
    told
}

impl Told {
    /// The time in milliseconds, or how many were told within the limit.
    pub(crate) fn time(&self, callers: usize) -> String {
        match self.served + self.denied {
            all if all == callers => millis(self.time),
            some => format!("over {}: {some} of {callers} told", millis(LIMIT)),
        }
    }
}
