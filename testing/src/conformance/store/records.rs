//! Reading and writing.

use std::thread;

use perennial_core::store::{MAX_RECORD, Store};

use super::StoreUnderTest;
use super::rig::{Rig, TTL, body, done, text};

pub(super) fn an_unused_store_reads_as_no_record<S: StoreUnderTest>(under_test: &S) {
    assert_eq!(under_test.read(), None, "read without the lock");
    assert_eq!(text(under_test.lock().read(under_test.patience())), None, "read under the lock");
    assert_eq!(under_test.read(), None, "read after somebody had locked");
}

pub(super) fn a_record_is_read_back_as_it_was_written<S: StoreUnderTest>(under_test: &S) {
    let long = "0123456789".repeat(10_000);
    for record in ["{}", "a\0b", "\r\n$-1\r\n", "\u{feff}\u{e9} \u{1f511}", "'\"\\%s{}", &long, " short again \n"] {
        under_test.write(record);
        assert_eq!(under_test.read().as_deref(), Some(record), "read without the lock");
        let locked = text(under_test.lock().read(under_test.patience()));
        assert_eq!(locked.as_deref(), Some(record), "read under the lock");
    }
}

pub(super) fn an_empty_record_is_not_the_same_as_none<S: StoreUnderTest>(under_test: &S) {
    for before in ["", "a record"] {
        under_test.write(before);
        under_test.write("");
        assert_eq!(under_test.read().as_deref(), Some(""), "an empty record after {before:?}");
        assert_eq!(text(under_test.lock().read(under_test.patience())).as_deref(), Some(""), "read under the lock");
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
        assert_eq!(text(lock.read(under_test.patience())).as_deref(), Some(record), "read by the holder");
        assert_eq!(under_test.read().as_deref(), Some(record), "read by another store");
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
            assert_eq!(found.as_deref(), Some(record.as_str()), "read without the lock");
            let locked = reader.lock(under_test.patience(), TTL);
            let found = text(locked.and_then(|mut lock| lock.read(under_test.patience())));
            assert_eq!(found.as_deref(), Some(record.as_str()), "read under the lock");
        }
    }
}

pub(super) fn reading_without_the_lock_does_not_wait_for_it<S: StoreUnderTest>(under_test: &S) {
    under_test.write("old");
    let mut lock = under_test.lock();
    assert_eq!(under_test.read().as_deref(), Some("old"), "read while another store holds the lock");
    done("write", lock.write(&body("new"), under_test.patience()));
    assert_eq!(under_test.read().as_deref(), Some("new"), "read while another store holds the lock");
}

/// How many records are written while others read.
const WRITES: usize = 40;

/// How often each reader reads at most.
const READS: usize = 1000;

/// A record that shows whether it is whole: of another length than the one before.
fn numbered(number: usize) -> String {
    format!("{number:04},").repeat(1 + number * 7919 % 2000)
}

pub(super) fn a_reader_sees_the_old_record_or_the_new_one_whole<S: StoreUnderTest>(under_test: &S) {
    under_test.write(&numbered(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (store, mut last) = (under_test.open(), 0);
                for _ in 0..READS {
                    let found = text(store.read(under_test.patience())).unwrap_or_default();
                    let number = found.get(..4).and_then(|number| number.parse().ok()).unwrap_or(0);
                    assert!(found == numbered(number), "a record was read in part: {} bytes", found.len());
                    assert!(number >= last, "an older record was read after a newer one");
                    last = number;
                    if number == WRITES {
                        break;
                    }
                }
            });
        }
        (1..=WRITES).for_each(|number| under_test.write(&numbered(number)));
    });
}
