//! Waiting and waking, for tasks and threads alike: all that is known of a waiter is its waker.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use super::sync::{Mutex, MutexGuard};

/// Locks, whoever panicked before: nothing here is left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everybody who waits for the picture to change.
#[derive(Default)]
pub(crate) struct WaitList(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    last: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl WaitList {
    /// A place to wait in. Given back when dropped, so that a cancelled caller leaves nothing behind.
    pub(crate) fn place(&self) -> WaitSlot<'_> {
        WaitSlot { waiters: self, number: None }
    }

    pub(crate) fn wake_all(&self) {
        // Woken outside the lock: whoever wakes up may come back at once.
        let wakers = std::mem::take(&mut lock(&self.0).wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    /// How many wait.
    #[cfg(all(loom, test))]
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).wakers.len()
    }
}

pub(crate) struct WaitSlot<'a> {
    waiters: &'a WaitList,
    number: Option<u64>,
}

impl WaitSlot<'_> {
    /// To be woken at the next change. Look again after this: the change may have come in between.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        let mut queue = lock(&self.waiters.0);
        let number = *self.number.get_or_insert_with(|| {
            queue.last += 1;
            queue.last
        });
        queue.wakers.insert(number, waker.clone());
    }
}

impl Drop for WaitSlot<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            lock(&self.waiters.0).wakers.remove(&number);
        }
    }
}

/// Wakes the driver. A ring before it listens is not lost.
#[derive(Default)]
pub(crate) struct Notify(Mutex<Notified>);

#[derive(Default)]
struct Notified {
    notified: bool,
    listener: Option<Waker>,
}

impl Notify {
    pub(crate) fn notify(&self) {
        let listener = {
            let mut ring = lock(&self.0);
            ring.notified = true;
            ring.listener.take()
        };
        listener.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ring = lock(&self.0);
        if std::mem::take(&mut ring.notified) {
            return Poll::Ready(());
        }
        ring.listener = Some(cx.waker().clone());
        Poll::Pending
    }
}
