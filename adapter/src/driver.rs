//! The loop that carries out what a session asks for, over any host.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::{Instrument, debug, debug_span, info, warn};

use super::shared::{Next, Shared};
use super::sync::atomic::Ordering;
use super::{BoxFuture, Clock, send};
use crate::store_driver::StoreQueue;
use crate::work::caught;
use perennial_core::session::{Event, Input, MAX_BACKOFF, MIN_RETRY_INTERVAL, Output, Wake};
use perennial_core::store::WatchGuard;
use perennial_core::{Error, SessionError, TransportError};
use perennial_core::{Provider, Request, RequestId, Response};

/// The longest sleep. The wall clock is looked at again then: after a suspend it is ahead.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// The driver's hold on its session. However the driver ends (closed, panicked, dropped with its runtime), the
/// request in flight is given up and the next caller finds the seat free.
struct DriverGuard<P: Provider> {
    shared: Arc<Shared<P>>,
    flight: Option<Flight>,
    store: Option<StoreQueue>,
    /// Ends with the driver.
    _watch: Option<WatchGuard>,
}

struct Flight {
    id: RequestId,
    answer: BoxFuture<Result<Response, TransportError>>,
}

impl<P: Provider> Shared<P> {
    /// Starts the driver if none is running.
    pub(crate) fn ensure_driver(self: &Arc<Self>) -> Result<(), Error> {
        if !self.try_claim_driver()? {
            return Ok(());
        }
        let task: BoxFuture<()> = Box::pin(drive_to_the_end(DriverGuard::take(Arc::clone(self))));
        // Where it cannot be started it is dropped, and so leaves its seat.
        self.runtime.spawn(task).map_err(|_| SessionError::Closed.into())
    }
}

impl<P: Provider> DriverGuard<P> {
    fn take(shared: Arc<Shared<P>>) -> Self {
        let changed: Weak<Shared<P>> = Arc::downgrade(&shared);
        let watch = shared.store.as_ref().and_then(|store| {
            store.watch(Arc::new(move || {
                if let Some(shared) = changed.upgrade() {
                    shared.store_changed.store(true, Ordering::Release);
                    shared.notify.notify();
                }
            }))
        });
        let store = shared.store.clone().map(StoreQueue::new);
        Self { shared, flight: None, store, _watch: watch }
    }
}

impl<P: Provider> Drop for DriverGuard<P> {
    fn drop(&mut self) {
        // The lock first: a next way is not taken under one that is gone.
        if self.store.take().is_some() {
            self.shared.with(|session, now| session.handle_input(Input::StoreGone, now));
        }
        if let Some(flight) = self.flight.take() {
            let error = TransportError::maybe_sent("the request was given up");
            self.shared.with(|session, now| session.handle_input(Input::Failed(flight.id, error), now));
        }
        self.shared.driver_left();
    }
}

/// What a driver does when nothing is left to do now.
enum Rest {
    Until(Option<Wake>),
    ForGood,
}

enum Turn {
    Input(Input),
    /// Time has passed, or somebody rang.
    Look,
}

/// Drives, whatever panics. All that is foreign and does something is caught where it is called; what is left is
/// told to those who wait, and tried again after a pause.
async fn drive_to_the_end<P: Provider>(mut seat: DriverGuard<P>) {
    let shared = Arc::clone(&seat.shared);
    let (mut falls, mut fell_at) = (0, Duration::ZERO);
    while caught(drive(&mut seat)).await.is_none() {
        let now = shared.clock.now().monotonic;
        falls = if now.saturating_sub(fell_at) < 2 * MAX_BACKOFF { falls + 1 } else { 0 };
        fell_at = now;
        warn!(provider = shared.provider.name(), "driving the session panicked");
        if !shared.tell_of_panic() || shared.is_closed() {
            return shared.give_up();
        }
        shared.rest(now.saturating_add(MIN_RETRY_INTERVAL.saturating_mul(1 << falls.min(16)).min(MAX_BACKOFF))).await;
    }
}

async fn drive<P: Provider>(seat: &mut DriverGuard<P>) {
    loop {
        let moves = seat.shared.clock.moves();
        let Rest::Until(wake) = seat.drain() else { return };
        #[cfg(feature = "test-util")]
        if seat.is_idle() {
            seat.shared.driver_rests();
        }
        let mut sleep = wake.map(|wake| {
            let left = wake.at.saturating_sub(seat.shared.clock.now().monotonic);
            seat.shared.runtime.sleep(left.min(LONGEST_SLEEP))
        });
        let turn = poll_fn(|cx| seat.poll_turn(moves, sleep.as_mut(), cx)).await;
        #[cfg(feature = "test-util")]
        seat.shared.driver_stirs();
        seat.shared.with(|session, now| match turn {
            Turn::Input(input) => session.handle_input(input, now),
            Turn::Look => session.handle_input(Input::Wake, now),
        });
        if seat.shared.store_changed.swap(false, Ordering::AcqRel) {
            seat.shared.with(|session, now| session.handle_input(Input::StoreChanged, now));
        }
    }
}

impl<P: Provider> DriverGuard<P> {
    /// Does all that the session asks for.
    fn drain(&mut self) -> Rest {
        loop {
            // One at a time: listeners, transports and the provider's work are not called under the lock.
            match self.shared.next() {
                Next::Work(work) if work.may_block() => self.shared.run_blocking(work),
                Next::Work(work) => {
                    let done = work.run();
                    self.shared.with(|session, now| session.work_done(done, now));
                }
                // It may still be giving its lock back, and removing what it had beside it.
                Next::Leave if self.store.as_ref().is_some_and(|store| !store.is_still()) => return Rest::Until(None),
                Next::Leave => return Rest::ForGood,
                Next::Output(Output::Sleep(wake)) => return Rest::Until(wake),
                Next::Output(output) => self.carry_out(output),
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send(request) => self.flight = Some(self.send(request)),
            Output::Cancel(id) => {
                self.flight.take_if(|flight| flight.id == id);
            }
            Output::Store(op) => {
                if let Some(store) = &mut self.store {
                    store.push(op);
                }
            }
            Output::Event(event) => self.report(&event),
            Output::Sleep(_) => {}
        }
    }

    /// Whether nothing is out, neither at the service nor at the store.
    #[cfg(feature = "test-util")]
    fn is_idle(&self) -> bool {
        self.flight.is_none() && self.store.as_ref().is_none_or(StoreQueue::is_idle)
    }

    fn send(&self, request: Request) -> Flight {
        let id = request.id;
        let uri = request.http.uri();
        let span = debug_span!(
            "exchange",
            provider = self.shared.provider.name(),
            request = id.0,
            host = uri.host(),
            path = uri.path()
        );
        span.in_scope(|| debug!("sending"));
        let host = Arc::clone(&self.shared.runtime);
        let panicked = || TransportError::maybe_sent("the transport panicked");
        let answer =
            async move { caught(async { send(&*host, request).await }).await.unwrap_or_else(|| Err(panicked())) };
        Flight { id, answer: Box::pin(answer.instrument(span)) }
    }

    fn report(&self, event: &Event) {
        let provider = self.shared.provider.name();
        match event {
            Event::Exhausted { .. } | Event::Failed { .. } | Event::Expired { .. } => warn!(provider, "{event}"),
            Event::NotSaved { .. } | Event::Quarantined { .. } | Event::StoreRegressed => warn!(provider, "{event}"),
            Event::RenewalStarted { .. } | Event::Saved => debug!(provider, "{event}"),
            _ => info!(provider, "{event}"),
        }
        if let Some(listener) = &self.shared.listener {
            // A listener that panics has lost an event; the session goes on.
            if catch_unwind(AssertUnwindSafe(|| listener(event))).is_err() {
                warn!(provider, "the event listener panicked");
            }
        }
    }

    fn poll_turn(&mut self, moves: u64, sleep: Option<&mut BoxFuture<()>>, cx: &mut Context<'_>) -> Poll<Turn> {
        self.shared.clock.watch(cx.waker());
        if let Some(flight) = &mut self.flight
            && let Poll::Ready(answer) = flight.answer.as_mut().poll(cx)
        {
            let id = flight.id;
            self.flight = None;
            return Poll::Ready(Turn::Input(match answer {
                Ok(response) => Input::Response(id, response),
                Err(error) => Input::Failed(id, error),
            }));
        }
        if let Some(store) = &mut self.store
            && let Poll::Ready(input) = store.poll(&*self.shared.runtime, cx)
        {
            return Poll::Ready(Turn::Input(input));
        }
        if self.shared.notify.poll(cx).is_ready() || self.shared.clock.moves() != moves {
            return Poll::Ready(Turn::Look);
        }
        if sleep.is_some_and(|sleep| Pin::new(sleep).poll(cx).is_ready()) {
            return Poll::Ready(Turn::Look);
        }
        Poll::Pending
    }
}
