//! A thread as an executor: it parks until it is woken, or until the earliest of its sleeps is over.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::sync::thread::{self, Thread};
use crate::sync::{Instant, thread_local};

thread_local! {
    /// The earliest moment for which the future that is being polled sleeps.
    static SLEEP_UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };

    /// Made once for each thread: most futures here are ready at once, and should cost nothing then.
    static WAKER: Waker = waker();
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future on this thread until it is ready.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    // A thread that is about to end may have none left.
    WAKER.try_with(|waker| run(future.as_mut(), waker)).unwrap_or_else(|_| run(future.as_mut(), &waker()))
}

fn run<T>(mut future: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> T {
    let mut cx = Context::from_waker(waker);
    loop {
        SLEEP_UNTIL.with(|earliest| earliest.set(None));
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        match SLEEP_UNTIL.with(Cell::get) {
            Some(until) => thread::park_timeout(until.saturating_duration_since(Instant::now())),
            None => thread::park(),
        }
    }
}

/// Sleeps, on a thread that [`block_on`]s it.
pub(crate) fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
    let until = Instant::now().checked_add(duration);
    std::future::poll_fn(move |_| match until {
        Some(until) if until <= Instant::now() => Poll::Ready(()),
        Some(until) => {
            SLEEP_UNTIL.with(|earliest| earliest.set(Some(earliest.get().map_or(until, |other| other.min(until)))));
            Poll::Pending
        }
        // Further than this clock can say.
        None => Poll::Pending,
    })
}
