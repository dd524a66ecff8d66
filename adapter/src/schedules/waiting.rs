//! The waiters, the bell, the promise: each alone.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::super::wait::{Notify, WaitList};
use super::{block_on, explore};

/// A picture that is only a number. It is read and written with no order of its own: whatever a waiter learns of it
/// in time, it learns by the waiters' lock.
#[derive(Default)]
struct Picture {
    number: AtomicUsize,
    waiters: WaitList,
}

impl Picture {
    fn publish(&self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
        self.waiters.wake_all();
    }

    fn at_least(&self, wanted: usize) -> bool {
        self.number.load(Ordering::Relaxed) >= wanted
    }

    /// Looks, registers, looks again: as `Shared::until` does.
    async fn until(&self, wanted: usize) {
        let mut place = self.waiters.place();
        poll_fn(|cx| {
            if self.at_least(wanted) {
                return Poll::Ready(());
            }
            place.wait(cx.waker());
            if self.at_least(wanted) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn a_waiter_that_saw_the_old_picture_is_woken_by_the_next() {
    explore("two waiters, one change", || {
        let picture = Arc::new(Picture::default());
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let picture = Arc::clone(&picture);
                thread::spawn(move || block_on(picture.until(1)))
            })
            .collect();
        picture.publish(1);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(picture.waiters.len(), 0);
    });
}

#[test]
fn a_waiter_is_woken_by_each_change_until_it_has_what_it_waits_for() {
    explore("one waiter, two changes", || {
        let picture = Arc::new(Picture::default());
        let waiter = {
            let picture = Arc::clone(&picture);
            thread::spawn(move || block_on(picture.until(2)))
        };
        picture.publish(1);
        picture.publish(2);
        waiter.join().unwrap();
        assert_eq!(picture.waiters.len(), 0);
    });
}

#[test]
fn a_cancelled_waiter_leaves_nothing_behind_and_takes_nobodys_wake_up() {
    explore("one waiter gives up", || {
        let picture = Arc::new(Picture::default());
        let stays = {
            let picture = Arc::clone(&picture);
            thread::spawn(move || block_on(picture.until(1)))
        };
        let leaves = {
            let picture = Arc::clone(&picture);
            thread::spawn(move || {
                let mut cx = Context::from_waker(Waker::noop());
                let _ = pin!(picture.until(1)).poll(&mut cx);
            })
        };
        picture.publish(1);
        stays.join().unwrap();
        leaves.join().unwrap();
        assert_eq!(picture.waiters.len(), 0);
    });
}

#[test]
fn a_ring_before_anybody_listens_is_not_lost() {
    explore("two rings", || {
        let bell = Arc::new(Notify::default());
        let news = Arc::new(AtomicUsize::new(0));
        let ringers: Vec<_> = (0..2)
            .map(|_| {
                let (bell, news) = (Arc::clone(&bell), Arc::clone(&news));
                thread::spawn(move || {
                    news.fetch_add(1, Ordering::Relaxed);
                    bell.notify();
                })
            })
            .collect();
        // Two rings may be one, but what was told before a ring is seen after it.
        while news.load(Ordering::Relaxed) < 2 {
            block_on(poll_fn(|cx| bell.poll(cx)));
        }
        ringers.into_iter().for_each(|ringer| ringer.join().unwrap());
    });
}
