//! A provider's code that may block, where it holds up neither the session nor its driver; and what panics.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Clock;
use super::shared::Shared;
use perennial_core::exchange::Provider;
use perennial_core::session::{Session as Machine, Work};

/// Work on its way to where it runs. Run or dropped, the session hears of it.
pub(crate) struct BlockingWork<P: Provider> {
    shared: Arc<Shared<P>>,
    work: Option<Work<P::Exchange>>,
}

impl<P: Provider> Shared<P> {
    /// Runs the provider's code where it may block. The driver is notified when it is done.
    pub(crate) fn run_blocking(self: &Arc<Self>, work: Work<P::Exchange>) {
        let errand = BlockingWork { shared: Arc::clone(self), work: Some(work) };
        self.runtime.spawn_blocking(Box::new(move || errand.run()));
    }

    /// Driving the session panicked: everybody who waits is told. Whether that could be done.
    pub(crate) fn tell_of_panic(&self) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.with(Machine::driver_panicked))).is_ok()
    }

    /// Waits for a moment, or for the session to be closed.
    pub(crate) async fn rest(&self, until: Duration) {
        let left = until.saturating_sub(self.clock.now().monotonic);
        let mut sleep = self.runtime.sleep(left);
        poll_fn(|cx| {
            self.clock.watch(cx.waker());
            while self.notify.poll(cx).is_ready() {}
            let over = self.is_closed() || until <= self.clock.now().monotonic;
            if over || sleep.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl<P: Provider> BlockingWork<P> {
    fn run(mut self) {
        if let Some(work) = self.work.take() {
            let done = work.run();
            self.shared.command(|session, now| session.work_done(done, now));
        }
    }
}

impl<P: Provider> Drop for BlockingWork<P> {
    /// No thread was to be had, or it went down.
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.shared.command(|session, now| session.work_done(work.give_up(), now));
        }
    }
}

/// What foreign code comes to, as it is polled; `None` where it panics.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
