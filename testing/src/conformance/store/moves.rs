//! Quarantined and retired records, and the sign-out that removes the retired ones.

use super::StoreUnderTest;
use super::rig::{Rig, body, done, expect_record, text};

/// Asserts that exactly these are quarantined, if anybody can look.
#[track_caller]
fn assert_quarantined(under_test: &impl StoreUnderTest, expected: &[&str]) {
    assert_kept("quarantined", under_test.quarantined(), expected);
}

/// Asserts that exactly these are retired, if anybody can look.
#[track_caller]
fn assert_retired(under_test: &impl StoreUnderTest, expected: &[&str]) {
    assert_kept("retired", under_test.retired(), expected);
}

#[track_caller]
fn assert_kept(what: &str, found: Option<Vec<Vec<u8>>>, expected: &[&str]) {
    let Some(found) = found else { return };
    let mut found: Vec<_> = found.iter().map(|record| String::from_utf8_lossy(record).into_owned()).collect();
    found.sort();
    assert!(found == expected, "{what} are {found:?}, and should be {expected:?}");
}

pub(super) fn quarantine_moves_the_record_away_and_keeps_it<S: StoreUnderTest>(under_test: &S) {
    under_test.write("not understood");
    let mut lock = under_test.lock();
    done("quarantine", lock.quarantine(under_test.patience()));
    expect_record("read under the same lock", text(lock.read(under_test.patience())), None);
    expect_record("read without the lock", under_test.read(), None);
    // The lock is still held, and goes on.
    under_test.assert_held();
    done("write", lock.write(&body("new"), under_test.patience()));
    drop(lock);
    expect_record("read afterwards", under_test.read(), Some("new"));
    assert_quarantined(under_test, &["not understood"]);
    assert_retired(under_test, &[]);
}

pub(super) fn each_quarantined_record_has_a_place_of_its_own<S: StoreUnderTest>(under_test: &S) {
    for record in ["a first", "b second", "b second", "c third"] {
        let mut lock = under_test.lock();
        done("write", lock.write(&body(record), under_test.patience()));
        done("quarantine", lock.quarantine(under_test.patience()));
        expect_record("read afterwards", under_test.read(), None);
    }
    assert_quarantined(under_test, &["a first", "b second", "b second", "c third"]);
}

pub(super) fn quarantine_and_retire_without_a_record_do_nothing<S: StoreUnderTest>(under_test: &S) {
    let mut lock = under_test.lock();
    for _ in 0..2 {
        done("quarantine", lock.quarantine(under_test.patience()));
        done("retire", lock.retire(under_test.patience()));
        expect_record("read afterwards", text(lock.read(under_test.patience())), None);
        assert_quarantined(under_test, &[]);
        assert_retired(under_test, &[]);
    }
    drop(lock);
    expect_record("read afterwards", under_test.read(), None);
}

pub(super) fn clear_writes_and_removes_what_was_retired_and_nothing_else<S: StoreUnderTest>(under_test: &S) {
    let patience = under_test.patience();
    let mut lock = under_test.lock();
    done("write", lock.write(&body("a damaged one"), patience));
    done("quarantine", lock.quarantine(patience));
    for record in ["b another program's", "c another program's, later"] {
        done("write", lock.write(&body(record), patience));
        done("retire", lock.retire(patience));
        expect_record("read after the record was retired", text(lock.read(patience)), None);
    }
    assert_retired(under_test, &["b another program's", "c another program's, later"]);
    done("write", lock.write(&body("signed in"), patience));
    done("clear", lock.clear(&body("signed out"), patience));
    expect_record("read afterwards", text(lock.read(patience)), Some("signed out"));
    expect_record("read afterwards", under_test.read(), Some("signed out"));
    assert_retired(under_test, &[]);
    if under_test.retired().is_some() {
        assert_quarantined(under_test, &["a damaged one"]);
    } else if let Some(found) = under_test.quarantined() {
        // The retired ones may be among them.
        assert!(found.iter().any(|record| record == b"a damaged one"), "a quarantined record was removed");
    }
}

pub(super) fn clear_without_retired_records_is_a_write<S: StoreUnderTest>(under_test: &S) {
    let mut lock = under_test.lock();
    for record in ["signed out before anything was written", "signed out again"] {
        done("clear", lock.clear(&body(record), under_test.patience()));
        expect_record("read afterwards", text(lock.read(under_test.patience())), Some(record));
        expect_record("read afterwards", under_test.read(), Some(record));
    }
    drop(lock);
    under_test.write("signed in");
    expect_record("read afterwards", under_test.read(), Some("signed in"));
    assert_quarantined(under_test, &[]);
    assert_retired(under_test, &[]);
}
