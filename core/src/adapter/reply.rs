//! What another thread will say, as a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::sync::Mutex;
use super::wait::lock;

/// What another thread will say. `None`: it never will.
pub struct Reply<T>(Arc<Mutex<Slot<T>>>);

/// The other side of a [`Reply`]. Dropped without a word, the promise is broken: nobody waits for ever.
pub struct Promise<T>(Arc<Mutex<Slot<T>>>);

enum Slot<T> {
    Open(Option<Waker>),
    Said(T),
    Broken,
}

/// Both sides of one reply.
pub struct Pledge<T> {
    /// For whoever does the work.
    pub promise: Promise<T>,
    /// For whoever waits.
    pub reply: Reply<T>,
}

impl<T> Pledge<T> {
    /// A new one.
    pub fn new() -> Self {
        let slot = Arc::new(Mutex::new(Slot::Open(None)));
        Self { promise: Promise(Arc::clone(&slot)), reply: Reply(slot) }
    }
}

impl<T> Default for Pledge<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Promise<T> {
    /// Says it.
    pub fn keep(self, said: T) {
        self.end(Slot::Said(said));
    }

    fn end(&self, end: Slot<T>) {
        let waker = {
            let mut slot = lock(&self.0);
            match &mut *slot {
                Slot::Open(waker) => {
                    let waker = waker.take();
                    *slot = end;
                    waker
                }
                Slot::Said(_) | Slot::Broken => None,
            }
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.end(Slot::Broken);
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = lock(&self.0);
        match std::mem::replace(&mut *slot, Slot::Broken) {
            Slot::Open(_) => {
                *slot = Slot::Open(Some(cx.waker().clone()));
                Poll::Pending
            }
            Slot::Said(said) => Poll::Ready(Some(said)),
            Slot::Broken => Poll::Ready(None),
        }
    }
}
