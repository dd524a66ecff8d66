//! Waiting and waking under loom: every order in which up to three threads can run, and every stale value that they
//! may read. A waiter that nobody wakes is a deadlock there, which loom reports with the threads' states.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p perennial-adapter --lib --target-dir target/loom schedules -- --nocapture
//! ```

mod shared;
mod waiting;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};

/// Wakes one thread.
#[derive(Default)]
struct Alarm {
    notified: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        *self.notified.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// Polls a future on this thread until it is ready; between two polls it waits to be woken, and for nothing else.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(Arc::clone(&alarm));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        let mut notified = alarm.notified.lock().unwrap();
        while !std::mem::take(&mut *notified) {
            notified = alarm.changed.wait(notified).unwrap();
        }
    }
}

/// Enough for every fault that was planted here; `LOOM_MAX_PREEMPTIONS` says otherwise.
const STOPS: usize = 3;

/// Tries all schedules in which threads are stopped so often where they need not wait, and says how many there were.
fn explore(name: &str, story: impl Fn() + Send + Sync + 'static) {
    let schedules = Arc::new(AtomicUsize::new(0));
    let mut model = loom::model::Builder::new();
    model.max_branches = 10_000;
    model.preemption_bound.get_or_insert(STOPS);
    let count = Arc::clone(&schedules);
    model.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        story();
    });
    println!("{name}: {} schedules", schedules.load(Ordering::Relaxed));
}
