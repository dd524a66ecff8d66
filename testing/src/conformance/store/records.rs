//! Reading and writing.

use std::sync::Arc;
use std::thread;

use perennial_core::store::{MAX_RECORD, Store};

use super::StoreUnderTest;
use super::rig::{Rig, TTL, all_of, body, done, expect_record, text};

pub(super) fn an_unused_store_reads_as_no_record<S: StoreUnderTest>(under_test: &S) {
    expect_record("read without the lock", under_test.read(), None);
    expect_record("read under the lock", text(under_test.lock().read(under_test.patience())), None);
    expect_record("read after somebody had locked", under_test.read(), None);
}

pub(super) fn a_record_is_read_back_as_it_was_written<S: StoreUnderTest>(under_test: &S) {
    let long = "0123456789".repeat(10_000);
    for record in ["{}", "a\0b", "\r\n$-1\r\n", "\u{feff}\u{e9} \u{1f511}", "'\"\\%s{}", &long, " short again \n"] {
        under_test.write(record);
        expect_record("read without the lock", under_test.read(), Some(record));
        let locked = text(under_test.lock().read(under_test.patience()));
        expect_record("read under the lock", locked, Some(record));
    }
}

pub(super) fn an_empty_record_is_not_the_same_as_none<S: StoreUnderTest>(under_test: &S) {
    for before in ["", "a record"] {
        under_test.write(before);
        under_test.write("");
        expect_record(&format!("an empty record after {before:?}"), under_test.read(), Some(""));
        expect_record("read under the lock", text(under_test.lock().read(under_test.patience())), Some(""));
    }
}

pub(super) fn a_record_of_one_mebibyte_is_read_back<S: StoreUnderTest>(under_test: &S) {
    let record: String = ('!'..='~').cycle().take(MAX_RECORD).collect();
    under_test.write(&record);
    let found = under_test.read().unwrap_or_default();
    assert!(found == record, "{} bytes were written, and {} others are read", record.len(), found.len());
}

pub(super) fn the_holder_reads_its_own_writes<S: StoreUnderTest>(under_test: &S) {
    let mut lock = under_test.lock();
    for record in ["about to renew", "renewed", "and again"] {
        done("write", lock.write(&body(record), under_test.patience()));
        expect_record("read by the holder", text(lock.read(under_test.patience())), Some(record));
        expect_record("read by another store", under_test.read(), Some(record));
    }
}

pub(super) fn every_store_reads_what_one_wrote<S: StoreUnderTest>(under_test: &S) {
    let stores = [under_test.open(), under_test.open(), under_test.open()];
    for (number, writer) in stores.iter().cycle().take(6).enumerate() {
        let record = format!("written in round {number}");
        let lock = writer.lock(under_test.patience(), TTL);
        done("write", lock.and_then(|mut lock| lock.write(&body(record.as_str()), under_test.patience())));
        for reader in stores.iter().chain([&under_test.open()]) {
            let found = text(reader.read(under_test.patience()));
            expect_record("read without the lock", found, Some(record.as_str()));
            let locked = reader.lock(under_test.patience(), TTL);
            let found = text(locked.and_then(|mut lock| lock.read(under_test.patience())));
            expect_record("read under the lock", found, Some(record.as_str()));
        }
    }
}

pub(super) fn reading_without_the_lock_does_not_wait_for_it<S: StoreUnderTest>(under_test: &S) {
    under_test.write("old");
    let mut lock = under_test.lock();
    expect_record("read while another store holds the lock", under_test.read(), Some("old"));
    done("write", lock.write(&body("new"), under_test.patience()));
    expect_record("read while another store holds the lock", under_test.read(), Some("new"));
}

/// How many records are written while others read.
const WRITES: usize = 40;

/// A record that shows whether it is whole: of another length than the one before.
fn numbered(number: usize) -> String {
    format!("{number:04},").repeat(1 + number * 7919 % 2000)
}

pub(super) fn a_reader_sees_the_old_record_or_the_new_one_whole<S: StoreUnderTest>(under_test: &S) {
    under_test.write(&numbered(0));
    thread::scope(|scope| {
        let writing = Arc::new(());
        let readers = (0..3).map(|_| {
            let writing = Arc::downgrade(&writing);
            scope.spawn(move || {
                let (store, mut last) = (under_test.open(), 0);
                loop {
                    let is_last = writing.strong_count() == 0;
                    let found = text(store.read(under_test.patience())).unwrap_or_default();
                    let number = found.get(..4).and_then(|number| number.parse().ok()).unwrap_or(0);
                    assert!(found == numbered(number), "a record was read in part: {} bytes", found.len());
                    assert!(number >= last, "an older record was read after a newer one");
                    last = number;
                    if is_last {
                        break;
                    }
                }
                assert_eq!(last, WRITES, "the last record that was read");
            })
        });
        let readers = readers.collect();
        (1..=WRITES).for_each(|number| under_test.write(&numbered(number)));
        drop(writing);
        all_of(readers);
    });
}
