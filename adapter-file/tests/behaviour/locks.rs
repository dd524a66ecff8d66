//! Locking: one holder at a time, also after the lock file was removed.

use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use perennial_core::store::{Store, StoreErrorKind};

use crate::support::{LONG, TestDir, body, failure, lock, read, save, temp_files, try_lock};

#[test]
fn a_second_lock_in_the_same_process_is_busy_after_its_timeout() {
    let dir = TestDir::new();
    let store = dir.store();
    let held = lock(&store);
    for other in [store.clone(), dir.store()] {
        failure(try_lock(&other)).is(StoreErrorKind::Busy, "locked by another");
        failure(other.lock(Duration::from_millis(30), LONG)).is(StoreErrorKind::Busy, "locked by another");
    }
    drop(held);
    drop(try_lock(&store).unwrap());
}

#[test]
fn a_lock_preallocates_room_for_the_next_record() {
    let dir = TestDir::new();
    save(&dir.store(), "old");
    let mut held = lock(&dir.store());
    for text in ["mark", "record"] {
        let [temporary] = &temp_files(dir.path())[..] else { panic!("no room was taken") };
        assert!(fs::metadata(dir.join(temporary)).unwrap().len() >= 16 << 10);
        held.write(&body(text), LONG).unwrap();
    }
    drop(held);
    assert_eq!(temp_files(dir.path()), Vec::<String>::new());
}

#[test]
fn a_lock_whose_file_was_removed_is_lost() {
    let dir = TestDir::new();
    save(&dir.store(), "old");
    let mut first = lock(&dir.store());
    fs::remove_file(dir.join("session.lock")).unwrap();
    failure(first.write(&body("first"), LONG)).is(StoreErrorKind::Lost, "");
    let mut second = try_lock(&dir.store()).unwrap();
    failure(first.write(&body("first"), LONG)).is(StoreErrorKind::Lost, "");
    failure(first.read(LONG)).is(StoreErrorKind::Lost, "");
    failure(first.quarantine(LONG)).is(StoreErrorKind::Lost, "");
    drop(first);
    failure(try_lock(&dir.store())).is(StoreErrorKind::Busy, "");
    second.write(&body("second"), LONG).unwrap();
    assert_eq!(read(&dir.store()).as_deref(), Some("second"));
}

#[test]
fn a_thread_that_waited_on_a_removed_lock_file_locks_the_new_one() {
    let dir = TestDir::new();
    let first = lock(&dir.store());
    let (started, start) = mpsc::channel();
    let waiter = thread::spawn({
        let store = dir.store();
        move || {
            started.send(()).unwrap();
            save(&store, "waiter");
            lock(&store)
        }
    });
    start.recv().unwrap();
    fs::remove_file(dir.join("session.lock")).unwrap();
    drop(first);
    let held = waiter.join().unwrap();
    failure(try_lock(&dir.store())).is(StoreErrorKind::Busy, "");
    drop(held);
    assert_eq!(read(&dir.store()).as_deref(), Some("waiter"));
}

#[test]
fn a_lock_whose_directory_was_replaced_is_lost_and_writes_to_neither() {
    let dir = TestDir::new();
    let store = perennial_file::FileStore::new(dir.join("state").join("session"));
    save(&store, "old");
    let mut held = lock(&store);
    fs::rename(dir.join("state"), dir.join("backup")).unwrap();
    save(&store, "restored");
    failure(held.write(&body("late"), LONG)).is(StoreErrorKind::Lost, "");
    drop(held);
    assert_eq!(read(&store).as_deref(), Some("restored"));
    assert_eq!(fs::read(dir.join("backup").join("session")).unwrap(), b"old");
    assert_eq!(temp_files(&dir.join("backup")), Vec::<String>::new());
}
