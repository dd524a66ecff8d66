//! Locks that expire or are lost otherwise.

use std::time::{Duration, Instant};

use perennial_core::store::Store;

use super::StoreUnderTest;
use super::rig::{Rig, SHORT_TTL, TTL, assert_lost, body, done, expect_record, shown};
use crate::conformance::case::does_not_apply;

pub(super) fn a_lock_never_claims_to_last_longer_than_its_ttl<S: StoreUnderTest>(under_test: &S) {
    let store = under_test.open();
    let mut claimed = None;
    // The last one is left to expire.
    for ttl in [TTL, Duration::from_secs(10), SHORT_TTL] {
        drop(claimed.take());
        let called = Instant::now();
        let lock = store.lock(under_test.patience(), ttl);
        let lock = lock.unwrap_or_else(|error| panic!("`lock` fails although it is free: {}", shown(&error)));
        // It counts from the call, and the lock may have been taken as late as now.
        let longest = called.elapsed() + ttl;
        match (lock.remaining(), under_test.locks_expire()) {
            (Some(remaining), true) => {
                assert!(remaining <= longest, "a lock for {ttl:?} claims {remaining:?}, and has {longest:?} at most");
                claimed = Some((lock, called, remaining));
            }
            (None, false) => {}
            (None, true) => panic!("a lock that expires does not tell when"),
            (Some(remaining), false) => {
                panic!("a lock lasts {remaining:?}, but `StoreUnderTest::locks_expire` is false");
            }
        }
    }
    let Some((late, called, remaining)) = claimed else { return };
    let next = under_test.lock();
    let taken = called.elapsed();
    assert!(taken >= remaining, "a lock that claimed {remaining:?} was another's after {taken:?}");
    drop((late, next));
}

pub(super) fn after_its_ttl_another_store_can_lock<S: StoreUnderTest>(under_test: &S) {
    if !under_test.locks_expire() {
        return does_not_apply("its locks do not expire");
    }
    let mut held = under_test.lock_for(SHORT_TTL);
    let _ = held.write(&body("by the first"), under_test.patience());
    let mut next = under_test.lock();
    done("write", next.write(&body("by the next"), under_test.patience()));
    expect_record("read afterwards", under_test.read(), Some("by the next"));
}

pub(super) fn every_operation_of_a_lost_lock_is_lost<S: StoreUnderTest>(under_test: &S) {
    under_test.write("there is a record");
    let (patience, late) = (under_test.patience(), body("too late"));
    let Some(mut lost) = under_test.lost_lock() else { return };
    let mut next = under_test.lock();
    assert_lost("read", lost.read(patience));
    assert_lost("write", lost.write(&late, patience));
    assert_lost("quarantine", lost.quarantine(patience));
    assert_lost("retire", lost.retire(patience));
    assert_lost("clear", lost.clear(&late, patience));
    expect_record("after operations under a lost lock", under_test.read(), Some("there is a record"));
    done("write", next.write(&body("by the next"), patience));
    assert_lost("write", lost.write(&late, patience));
    expect_record("read afterwards", under_test.read(), Some("by the next"));
}

pub(super) fn a_late_write_is_lost_and_changes_nothing<S: StoreUnderTest>(under_test: &S) {
    under_test.write("before");
    let late = body("too late");
    let Some(mut lost) = under_test.lost_lock() else { return };
    assert_lost("write", lost.write(&late, under_test.patience()));
    expect_record(
        "after a late write, while nobody held the lock and nobody had written",
        under_test.read(),
        Some("before"),
    );
    under_test.write("in time");
    assert_lost("write", lost.write(&late, under_test.patience()));
    assert_lost("clear", lost.clear(&late, under_test.patience()));
    expect_record(
        "after a late write, while nobody held the lock and another had written",
        under_test.read(),
        Some("in time"),
    );
}

pub(super) fn a_lost_guard_does_not_release_the_next_lock<S: StoreUnderTest>(under_test: &S) {
    let Some(lost) = under_test.lost_lock() else { return };
    let mut next = under_test.lock();
    drop(lost);
    under_test.assert_held();
    done("write", next.write(&body("still the holder"), under_test.patience()));
    drop(next);
    expect_record("read afterwards", under_test.read(), Some("still the holder"));
}
