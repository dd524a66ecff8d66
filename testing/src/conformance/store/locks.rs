//! Locking: one holder at a time, who releases by dropping.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{panic, thread};

use perennial_core::store::{Store, StoreErrorKind};

use super::StoreUnderTest;
use super::rig::{Rig, TTL, all_of, body, done, expect_record, shown, text};

pub(super) fn only_one_store_at_a_time_holds_the_lock<S: StoreUnderTest>(under_test: &S) {
    let store = under_test.open();
    for _ in 0..2 {
        let held = store.lock(under_test.patience(), TTL);
        let held = held.unwrap_or_else(|error| panic!("`lock` fails although it is free: {}", shown(&error)));
        under_test.assert_held();
        let own = store.lock(Duration::from_millis(60), TTL);
        assert!(own.is_err(), "the store that holds the lock gets it a second time");
        drop(held);
        drop(under_test.lock());
    }
}

pub(super) fn a_lock_waits_no_longer_than_its_timeout_and_is_busy<S: StoreUnderTest>(under_test: &S) {
    let mut held = under_test.lock();
    // On a busy machine a store may not be reached at the end of the time: the longest is tried some times.
    let timeouts = under_test.busy_timeouts();
    let again = [timeouts[timeouts.len() - 1]; 9];
    let mut told = timeouts.into_iter().chain(again).map(|timeout| under_test.refused(timeout));
    let busy = told.any(|error| error.kind() == StoreErrorKind::Busy);
    assert!(busy, "`lock` is not `Busy` while another holds the lock, but unavailable");
    // Who gave up has neither taken the lock away nor queued for it.
    done("write", held.write(&body("by the holder"), under_test.patience()));
    drop(held);
    drop(under_test.lock());
}

pub(super) fn the_longest_timeout_and_ttl_are_accepted<S: StoreUnderTest>(under_test: &S) {
    const LONGEST: Duration = Duration::MAX;
    let store = under_test.open();
    expect_record("read afterwards", text(store.read(LONGEST)), None);
    let lock = store.lock(LONGEST, LONGEST);
    let mut lock = lock.unwrap_or_else(|error| panic!("`lock` fails: {}", shown(&error)));
    thread::scope(|scope| {
        // One that has to wait, too.
        let (waiting, started) = mpsc::channel();
        let waiter = scope.spawn(move || {
            let store = under_test.open();
            let _ = waiting.send(());
            store.lock(LONGEST, LONGEST).map(drop)
        });
        let _ = started.recv();
        done("write", lock.write(&body("first"), LONGEST));
        done("quarantine", lock.quarantine(LONGEST));
        done("retire", lock.retire(LONGEST));
        done("clear", lock.clear(&body("last"), LONGEST));
        expect_record("read afterwards", text(lock.read(LONGEST)), Some("last"));
        drop(lock);
        let waited = waiter.join();
        done("lock", waited.unwrap_or_else(|_| panic!("`lock` panics where it has to wait")));
    });
}

pub(super) fn a_waiting_store_gets_the_lock_when_it_is_released<S: StoreUnderTest>(under_test: &S) {
    let mut held = under_test.lock();
    let (store, patience, (answer, answers)) = (under_test.open(), under_test.patience(), mpsc::channel());
    thread::spawn(move || {
        let locked = store.lock(patience, TTL);
        let _ = answer.send(locked.and_then(|mut lock| lock.read(patience)));
    });
    // Whatever it says by now, it says too early. If it has not begun by now, it waits the shorter.
    match answers.recv_timeout(Duration::from_millis(60)) {
        Err(RecvTimeoutError::Timeout) => {}
        Ok(Ok(_)) => panic!("a second store gets the lock that another one holds"),
        Ok(Err(error)) => panic!("`lock` does not wait for up to its timeout: {}", shown(&error)),
        Err(RecvTimeoutError::Disconnected) => panic!("`lock` panics while another holds the lock"),
    }
    done("write", held.write(&body("while the other waited"), patience));
    drop(held);
    match answers.recv_timeout(2 * patience) {
        Ok(read) => expect_record("read afterwards", text(read), Some("while the other waited")),
        Err(_) => panic!("`lock` has not ended although the lock was released"),
    }
}

/// How many threads lock at once, and how often each does.
const LOCKERS: usize = 8;
const TURNS: usize = 5;

pub(super) fn many_lockers_get_the_lock_in_turn_and_lose_no_update<S: StoreUnderTest>(under_test: &S) {
    thread::scope(|scope| {
        let lockers = (0..LOCKERS).map(|_| {
            scope.spawn(|| {
                let store = under_test.open();
                for _ in 0..TURNS {
                    let lock = store.lock(under_test.patience(), TTL);
                    let mut lock = lock.unwrap_or_else(|error| panic!("`lock` fails: {}", shown(&error)));
                    let number = text(lock.read(under_test.patience())).map_or(0, |number| number.parse().unwrap_or(0));
                    done("write", lock.write(&body((number + 1).to_string()), under_test.patience()));
                }
            })
        });
        all_of(lockers.collect());
    });
    let expected = (LOCKERS * TURNS).to_string();
    expect_record("one was added under the lock each time", under_test.read(), Some(&expected));
}

pub(super) fn a_dropped_guard_releases_the_lock<S: StoreUnderTest>(under_test: &S) {
    let store = under_test.open();
    for turn in 0..20 {
        // By turns one that has written and one that has not, by the same store and by another.
        let mut lock = under_test.lock();
        if turn % 2 == 0 {
            done("write", lock.write(&body("written"), under_test.patience()));
        }
        drop(lock);
        let lock = store.lock(under_test.patience(), TTL);
        drop(lock.unwrap_or_else(|error| panic!("`lock` fails after a guard was dropped: {}", shown(&error))));
    }
    // A guard may outlive its store.
    let guard = under_test.open().lock(under_test.patience(), TTL);
    drop(store);
    under_test.assert_held();
    drop(guard);
    drop(under_test.lock());
}

pub(super) fn a_guard_dropped_by_a_panicking_thread_releases_the_lock<S: StoreUnderTest>(under_test: &S) {
    under_test.write("before");
    let panicked = thread::scope(|scope| {
        let holder = scope.spawn(|| {
            let _lock = under_test.lock();
            // A panic that prints nothing.
            panic::resume_unwind(Box::new("a panic while the lock is held"));
        });
        holder.join().is_err()
    });
    assert!(panicked);
    expect_record("read afterwards", under_test.read(), Some("before"));
    under_test.write("after");
    expect_record("read afterwards", under_test.read(), Some("after"));
}

pub(super) fn a_guard_may_be_used_and_dropped_by_another_thread<S: StoreUnderTest>(under_test: &S) {
    let patience = under_test.patience();
    let mut lock = under_test.lock();
    done("write", lock.write(&body("by one thread"), patience));
    let used = thread::spawn(move || {
        expect_record("read afterwards", text(lock.read(patience)), Some("by one thread"));
        done("write", lock.write(&body("by another"), patience));
        lock
    });
    let lock = used.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
    under_test.assert_held();
    assert!(thread::spawn(move || drop(lock)).join().is_ok(), "dropping the guard in another thread panics");
    expect_record("read afterwards", text(under_test.lock().read(patience)), Some("by another"));
}
