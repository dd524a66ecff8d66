//! What adapters put around a session, without threads and without a network.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_adapter::{BoxFuture, Clock, Runtime, Session, SessionBuilder, SpawnError};
use perennial_core::providers::navien::Navien;
use perennial_core::{Credentials, LeaseId, Now, Request, Response, SavedSession, TransportError};

use super::clock::at;
use super::machine;
use crate::answers;

/// One look at valid credentials through a shared handle. The clock is one that costs nothing: what the system's
/// takes is the kernel's affair, and valgrind has no page of the kernel's to read it from.
pub fn reading() -> impl FnMut() -> usize {
    let (handle, _) = restored(Stepped::default());
    move || handle.current(LeaseId::Access).expect("valid").bearer().len()
}

/// A renewal through an adapter, from the call to the published credentials. The network takes no time.
pub fn publishing() -> impl FnMut() -> usize {
    let clock = Stepped::default();
    let (handle, host) = restored(clock.clone());
    let mut cx = Context::from_waker(Waker::noop());
    move || {
        clock.0.fetch_add(60, Ordering::Relaxed);
        let mut call = pin!(handle.renew(LeaseId::Access));
        assert!(call.as_mut().poll(&mut cx).is_pending());
        host.run(&mut cx);
        match call.poll(&mut cx) {
            Poll::Ready(renewed) => renewed.expect("a renewal").bearer().len(),
            Poll::Pending => unreachable!("the answer is there at once"),
        }
    }
}

fn restored(clock: impl Clock) -> (Session<Navien>, Arc<AtOnce>) {
    let now = clock.now();
    let credentials = Credentials::from_grant(machine::grant(now), None).expect("an access token");
    let saved = SavedSession::new("navien", Navien::default().base_url(), credentials);
    let setup = SessionBuilder::new(Navien::default()).clock(clock).seed(1).import(saved.to_json().expose());
    let host = Arc::new(AtOnce { answer: answers::navien_refresh(), tasks: Mutex::default() });
    (setup.build_on(Arc::<AtOnce>::clone(&host)).expect("a session"), host)
}

/// Answers every request at once. Its tasks run when they are told to.
struct AtOnce {
    answer: Vec<u8>,
    tasks: Mutex<Vec<BoxFuture<()>>>,
}

impl AtOnce {
    fn run(&self, cx: &mut Context<'_>) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
    }
}

impl Runtime for AtOnce {
    fn send(&self, _request: Request) -> BoxFuture<Result<Response, TransportError>> {
        Box::pin(ready(Ok(answers::response(&self.answer))))
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<()> {
        Box::pin(pending())
    }

    fn spawn_blocking(&self, _work: Box<dyn FnOnce() + Send>) {
        unreachable!("there is no store");
    }

    fn spawn(&self, task: BoxFuture<()>) -> Result<(), SpawnError> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        Ok(())
    }
}

/// Seconds that are counted by hand.
#[derive(Clone, Default)]
struct Stepped(Arc<AtomicU64>);

impl Clock for Stepped {
    fn now(&self) -> Now {
        at(self.0.load(Ordering::Relaxed))
    }
}
