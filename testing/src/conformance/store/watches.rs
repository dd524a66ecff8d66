//! Watching for writes of others.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};

use perennial_core::store::{Store, WatchGuard};

use super::StoreUnderTest;
use super::rig::{Rig, body, done, expect_record, text};

/// The operations that change the record, and how the record begins then.
const CHANGES: [(&str, Option<&str>); 5] = [
    ("write", Some("written")),
    ("quarantine", None),
    ("write", Some("another program's")),
    ("retire", None),
    ("clear", Some("signed out")),
];

pub(super) fn a_watch_reports_every_write_of_another_store<S: StoreUnderTest>(under_test: &S) {
    let patience = under_test.patience();
    let Some(watching) = under_test.watch() else { return };
    // The first one comes at whatever moment the watch begins; needless calls before each write are dropped.
    for turn in 0..2 {
        for (what, record) in CHANGES {
            let mut lock = under_test.lock();
            watching.changes.try_iter().for_each(drop);
            let record = record.map(|record| format!("{record} {turn}"));
            match (what, &record) {
                ("write", Some(record)) => done(what, lock.write(&body(record.as_str()), patience)),
                ("clear", Some(record)) => done(what, lock.clear(&body(record.as_str()), patience)),
                ("quarantine", _) => done(what, lock.quarantine(patience)),
                _ => done(what, lock.retire(patience)),
            }
            drop(lock);
            under_test.expect_change(&watching, what, record.as_deref());
        }
    }
}

pub(super) fn a_dropped_watch_reports_nothing_more_and_frees_its_callback<S: StoreUnderTest>(under_test: &S) {
    let Some(dropped) = under_test.watch() else { return };
    let Some(other) = under_test.watch() else { return };
    under_test.write("seen by both");
    under_test.expect_change(&dropped, "write", Some("seen by both"));
    under_test.expect_change(&other, "write", Some("seen by both"));
    drop(dropped.guard);
    // Calls that are under way may still arrive. The callback is freed when its sender is.
    let ended = loop {
        if let Err(ended) = dropped.changes.recv_timeout(under_test.patience()) {
            break ended;
        }
    };
    assert!(ended == RecvTimeoutError::Disconnected, "the callback is kept after its watch was dropped");
    under_test.write("seen by one");
    under_test.expect_change(&other, "write", Some("seen by one"));
}

pub(super) fn a_callback_may_read_the_store_and_drop_its_own_watch<S: StoreUnderTest>(under_test: &S) {
    let patience = under_test.patience();
    if under_test.watch().is_none() {
        return;
    }
    let (store, own) = (Arc::new(under_test.open()), Arc::new(Mutex::new(None::<WatchGuard>)));
    let (sender, calls) = mpsc::channel();
    let called = {
        let (store, own) = (Arc::clone(&store), Arc::clone(&own));
        move || {
            let read = store.read(patience);
            let watch = own.lock().unwrap_or_else(PoisonError::into_inner).take();
            let dropped = watch.map(drop).is_some();
            let _ = sender.send((read, dropped));
        }
    };
    let watch = store.watch(Arc::new(called));
    // A call may have come already, and found no watch to drop. The one for this write finds it.
    *own.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    under_test.write("written");
    loop {
        let Ok((read, dropped)) = calls.recv_timeout(patience) else {
            panic!("a callback that reads the store and drops its watch does not end, or is not called");
        };
        let found = text(read);
        if found.is_some() {
            expect_record("what the callback read", found, Some("written"));
        }
        if dropped {
            break;
        }
    }
    under_test.write("nobody watches");
    expect_record("read afterwards", under_test.read(), Some("nobody watches"));
}
