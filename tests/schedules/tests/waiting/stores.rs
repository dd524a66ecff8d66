//! Sessions with a store, whose operations run on threads of their own.

use std::time::Duration;

use perennial_core::store::Store;
use perennial_schedules::{Cell, Desk, Mood, Subject, Tasks, Threads, explore};
use shuttle::thread;

use super::{EXPIRY, both, each};

const WAIT: Duration = Duration::from_secs(5);

both![
    two_sessions_on_one_store_make_one_request,
    a_store_that_panics_poisons_nobody,
    a_session_that_is_dropped_while_it_renews_saves_what_it_was_given,
];

fn two_sessions_on_one_store_make_one_request<S: Subject>() {
    let desk = Desk::new();
    let cell = Cell::new(Mood::Well);
    let one = S::connect(&desk, desk.setup().store(cell.clone()));
    let other = S::connect(&desk, desk.stranger().store(cell.clone()));
    assert_eq!(desk.renewals(), 1);
    desk.pass(EXPIRY);
    let threads = [one, other].map(|session| thread::spawn(move || session.credentials().unwrap()));
    assert_eq!(threads.map(|thread| thread.join().unwrap()), [2; 2]);
    assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
}

fn a_store_that_panics_poisons_nobody<S: Subject>() {
    let desk = Desk::new();
    let cell = Cell::new(Mood::Well);
    let session = S::connect(&desk, desk.setup().store(cell.clone()));
    desk.pass(EXPIRY);
    cell.set(Mood::Panics);
    let recovers = {
        let cell = cell.clone();
        thread::spawn(move || {
            cell.wait_for_a_panic();
            cell.set(Mood::Well);
        })
    };
    let (caller, time) = (session.clone(), desk.clone());
    let answers = each(2, move || {
        for _ in 0..8 {
            match caller.credentials() {
                Ok(serial) => return serial,
                Err(_) => time.pass(Duration::from_secs(10)),
            }
        }
        panic!("the store has been well for long");
    });
    recovers.join().unwrap();
    assert!(answers.iter().all(|serial| *serial == desk.last_serial()), "{answers:?}");
    assert_eq!(desk.reuses(), 0);
}

/// What works once is spent: what came for it must not be lost.
fn a_session_that_is_dropped_while_it_renews_saves_what_it_was_given<S: Subject>() {
    let desk = Desk::new();
    let cell = Cell::new(Mood::Well);
    let session = S::connect(&desk, desk.setup().store(cell.clone()));
    desk.pass(EXPIRY);
    let waiter = {
        let session = session.clone();
        thread::spawn(move || session.credentials())
    };
    desk.wait_for(2);
    session.close();
    drop(session);
    let _ = waiter.join().unwrap();
    let next = S::build(&desk, desk.stranger().store(cell.clone()));
    assert_eq!(next.credentials().unwrap(), 2);
    assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
}

/// Whoever drops the last handle of threads finds all done.
#[test]
fn the_last_handle_of_threads_waits_until_what_was_spent_is_saved() {
    explore("the last handle of threads waits until what was spent is saved", || {
        let desk = Desk::new();
        let cell = Cell::new(Mood::Well);
        let session = Threads::connect(&desk, desk.setup().store(cell.clone()));
        desk.pass(EXPIRY);
        let renews = {
            let session = session.clone();
            // It may be the last, or this thread is.
            thread::spawn(move || drop(session.renew()))
        };
        desk.wait_for(2);
        drop(session);
        renews.join().unwrap();
        let record = cell.record().expect("it was saved");
        assert!(String::from_utf8_lossy(record.as_ref()).contains("refresh-2"), "{:?}", desk.renewals());
        assert!(!cell.is_locked());
        assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
    });
}

#[test]
fn whoever_closes_a_session_of_tasks_finds_all_done() {
    explore("whoever closes a session of tasks finds all done", || {
        let desk = Desk::new();
        let cell = Cell::new(Mood::Well);
        let session = Tasks::connect(&desk, desk.setup().store(cell.clone()));
        desk.pass(EXPIRY);
        let renews = {
            let session = session.clone();
            thread::spawn(move || drop(session.renew()))
        };
        desk.wait_for(2);
        session.close();
        let record = cell.record().expect("it was saved");
        assert!(String::from_utf8_lossy(record.as_ref()).contains("refresh-2"));
        assert!(!cell.is_locked());
        renews.join().unwrap();
        session.runtime.finish();
    });
}

#[test]
fn a_runtime_that_goes_down_gives_the_lock_back() {
    explore("a runtime that goes down gives the lock back", || {
        let desk = Desk::new();
        let cell = Cell::new(Mood::Well);
        let session = Tasks::connect(&desk, desk.setup().store(cell.clone()));
        let other = Tasks::connect(&desk, desk.setup().store(cell.clone()));
        desk.pass(EXPIRY);
        let falls = {
            let runtime = session.runtime.clone();
            thread::spawn(move || runtime.go_down())
        };
        let threads = [session, other].map(|session| {
            let desk = desk.clone();
            thread::spawn(move || {
                for _ in 0..8 {
                    match session.credentials() {
                        Ok(serial) => return serial,
                        Err(_) => desk.pass(Duration::from_secs(10)),
                    }
                }
                panic!("the lock was never given back");
            })
        });
        threads.into_iter().for_each(|thread| assert!(thread.join().unwrap() >= 2));
        falls.join().unwrap();
        assert_eq!(desk.reuses(), 0);
        // A lock that nobody gave back would be a deadlock here.
        drop(cell.lock(WAIT, WAIT).unwrap());
    });
}
