//! One at a time.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use perennial_core::store::{Store, StoreErrorKind};

use crate::support::{LONG, Scratch, body, failure, lock, read, save, temporaries, try_lock};

#[test]
fn a_second_lock_in_the_same_process_waits_as_long_as_it_may() {
    let scratch = Scratch::new();
    let store = scratch.store();
    let held = lock(&store);
    for other in [store.clone(), scratch.store()] {
        failure(try_lock(&other)).is(StoreErrorKind::Busy, "locked by another");
        failure(other.lock(Duration::from_millis(30), LONG)).is(StoreErrorKind::Busy, "locked by another");
    }
    drop(held);
    drop(try_lock(&store).unwrap());
}

#[test]
fn who_waits_gets_the_lock_when_it_is_given_back() {
    let scratch = Scratch::new();
    let held = lock(&scratch.store());
    let (started, start) = mpsc::channel();
    let waiter = thread::spawn({
        let store = scratch.store();
        move || {
            started.send(()).unwrap();
            drop(lock(&store));
        }
    });
    start.recv().unwrap();
    assert!(!waiter.is_finished());
    drop(held);
    waiter.join().unwrap();
}

#[test]
fn threads_with_stores_of_their_own_lose_no_update() {
    let scratch = Scratch::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = scratch.store();
                for _ in 0..10 {
                    let mut lock = lock(&store);
                    let number = lock.read(LONG).unwrap();
                    let number = number.map_or(0, |text| std::str::from_utf8(text.as_ref()).unwrap().parse().unwrap());
                    lock.write(&body(&u64::to_string(&(number + 1))), LONG).unwrap();
                }
            });
        }
    });
    assert_eq!(read(&scratch.store()).as_deref(), Some("80"));
}

#[test]
fn reading_waits_for_nobody() {
    let scratch = Scratch::new();
    save(&scratch.store(), "old");
    let mut held = lock(&scratch.store());
    assert_eq!(read(&scratch.store()).as_deref(), Some("old"));
    held.write(&body("new"), LONG).unwrap();
    assert_eq!(read(&scratch.store()).as_deref(), Some("new"));
}

#[test]
fn a_lock_proves_that_the_next_record_can_be_written() {
    let scratch = Scratch::new();
    save(&scratch.store(), "old");
    let mut held = lock(&scratch.store());
    for text in ["mark", "record"] {
        let [temporary] = &temporaries(scratch.path())[..] else { panic!("no room was taken") };
        assert!(fs::metadata(scratch.join(temporary)).unwrap().len() >= 16 << 10);
        held.write(&body(text), LONG).unwrap();
    }
    drop(held);
    assert_eq!(temporaries(scratch.path()), Vec::<String>::new());
}

#[test]
fn a_lock_that_was_pulled_from_under_its_holder_is_lost() {
    let scratch = Scratch::new();
    save(&scratch.store(), "old");
    let mut first = lock(&scratch.store());
    fs::remove_file(scratch.join("session.lock")).unwrap();
    failure(first.write(&body("first"), LONG)).is(StoreErrorKind::Lost, "");
    let mut second = try_lock(&scratch.store()).unwrap();
    failure(first.write(&body("first"), LONG)).is(StoreErrorKind::Lost, "");
    failure(first.read(LONG)).is(StoreErrorKind::Lost, "");
    failure(first.quarantine(LONG)).is(StoreErrorKind::Lost, "");
    drop(first);
    failure(try_lock(&scratch.store())).is(StoreErrorKind::Busy, "");
    second.write(&body("second"), LONG).unwrap();
    assert_eq!(read(&scratch.store()).as_deref(), Some("second"));
}

#[test]
fn who_waited_on_a_removed_lock_file_takes_the_new_one() {
    let scratch = Scratch::new();
    let first = lock(&scratch.store());
    let (started, start) = mpsc::channel();
    let waiter = thread::spawn({
        let store = scratch.store();
        move || {
            started.send(()).unwrap();
            save(&store, "waiter");
            lock(&store)
        }
    });
    start.recv().unwrap();
    fs::remove_file(scratch.join("session.lock")).unwrap();
    drop(first);
    let held = waiter.join().unwrap();
    failure(try_lock(&scratch.store())).is(StoreErrorKind::Busy, "");
    drop(held);
    assert_eq!(read(&scratch.store()).as_deref(), Some("waiter"));
}

#[test]
fn a_directory_that_was_replaced_is_not_written_behind_the_back() {
    let scratch = Scratch::new();
    let store = perennial_file::FileStore::new(scratch.join("state").join("session"));
    save(&store, "old");
    let mut held = lock(&store);
    fs::rename(scratch.join("state"), scratch.join("backup")).unwrap();
    save(&store, "restored");
    failure(held.write(&body("late"), LONG)).is(StoreErrorKind::Lost, "");
    drop(held);
    assert_eq!(read(&store).as_deref(), Some("restored"));
    assert_eq!(fs::read(scratch.join("backup").join("session")).unwrap(), b"old");
    assert_eq!(temporaries(&scratch.join("backup")), Vec::<String>::new());
}

#[test]
fn it_cannot_be_watched() {
    let scratch = Scratch::new();
    assert!(scratch.store().watch(std::sync::Arc::new(|| {})).is_none());
}
