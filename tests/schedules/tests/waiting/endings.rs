//! Sign-outs, closings, and runtimes that go down while somebody waits.

use std::time::Duration;

use perennial_core::{Error, SessionError, SignOut, State};
use perennial_schedules::{Desk, Subject, Tasks, explore};
use shuttle::thread;

use super::{A_WHILE, EXPIRY, both, each};

both![
    a_sign_out_wins_over_a_renewal,
    a_person_who_signs_out_and_one_who_waits_are_both_told,
    closing_tells_everybody_who_waits,
    the_last_handle_ends_the_driver,
];

fn is_end(error: &Error, end: &SessionError) -> bool {
    matches!(error, Error::Session(error) if std::mem::discriminant(error) == std::mem::discriminant(end))
}

fn a_sign_out_wins_over_a_renewal<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    desk.pass(A_WHILE);
    let renews = {
        let session = session.clone();
        thread::spawn(move || session.renew())
    };
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(session.current().is_none());
    match renews.join().unwrap() {
        Ok(grant) => assert_eq!(grant, 2),
        Err(error) => assert!(is_end(&error, &SessionError::SignedOut), "{error:?}"),
    }
    assert_eq!(session.state(), State::SignedOut);
    assert!(session.current().is_none());
    assert!(desk.is_last_signed_out());
    assert!(is_end(&session.credentials().unwrap_err(), &SessionError::SignedOut));
    assert!(desk.renewals() <= 2);
}

fn a_person_who_signs_out_and_one_who_waits_are_both_told<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    desk.pass(EXPIRY);
    let waiters = [(); 2].map(|()| {
        let session = session.clone();
        thread::spawn(move || session.credentials())
    });
    session.sign_out(SignOut::KeepLogin).unwrap();
    for waiter in waiters {
        match waiter.join().unwrap() {
            Ok(grant) => assert_eq!(grant, 2),
            Err(error) => assert!(is_end(&error, &SessionError::SignedOut), "{error:?}"),
        }
    }
    assert!(session.current().is_none());
    assert!(desk.is_last_signed_out());
}

fn closing_tells_everybody_who_waits<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    desk.pass(EXPIRY);
    let waiters = [(); 2].map(|()| {
        let session = session.clone();
        thread::spawn(move || session.credentials())
    });
    let mut updates = session.updates();
    let watcher = thread::spawn(move || while updates().is_ok() {});
    session.close();
    for waiter in waiters {
        match waiter.join().unwrap() {
            Ok(grant) => assert_eq!(grant, 2),
            Err(error) => assert!(is_end(&error, &SessionError::Closed), "{error:?}"),
        }
    }
    watcher.join().unwrap();
    assert!(is_end(&session.credentials().unwrap_err(), &SessionError::Closed));
}

/// A thread that is left over at the end of a story is a deadlock.
fn the_last_handle_ends_the_driver<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    desk.pass(EXPIRY);
    // Each drops its handle when it has what it came for.
    let answers = {
        let threads = [session.clone(), session].map(|session| thread::spawn(move || session.credentials()));
        threads.map(|thread| thread.join().unwrap().unwrap())
    };
    assert_eq!(answers, [2; 2]);
}

#[test]
fn the_last_handle_ends_a_driver_that_is_a_task() {
    explore("the last handle ends a driver that is a task", || {
        let desk = Desk::new();
        let session = Tasks::connect(&desk, desk.setup());
        desk.pass(A_WHILE);
        let runtime = session.runtime.clone();
        let renews = {
            let session = session.clone();
            thread::spawn(move || session.renew().map(drop))
        };
        drop(session);
        renews.join().unwrap().unwrap();
        assert_eq!(runtime.drivers(), 1);
        runtime.finish();
    });
}

#[test]
fn whoever_asks_after_a_runtime_went_down_starts_the_next_driver() {
    explore("whoever asks after a runtime went down starts the next driver", || {
        let desk = Desk::new();
        let session = Tasks::connect(&desk, desk.setup());
        desk.pass(EXPIRY);
        let falls = {
            let runtime = session.runtime.clone();
            thread::spawn(move || runtime.go_down())
        };
        let caller = session.clone();
        let time = desk.clone();
        let answers = each(2, move || {
            // The request that went down with it may have arrived: whoever waited for it is told so, once.
            for _ in 0..2 {
                match caller.credentials() {
                    Ok(grant) => return grant,
                    Err(Error::Transport(_)) => time.pass(Duration::from_secs(10)),
                    Err(error) => panic!("{error:?}"),
                }
            }
            caller.credentials().unwrap()
        });
        falls.join().unwrap();
        assert!(answers.iter().all(|grant| *grant == desk.last_serial()), "{answers:?}");
        assert_eq!(desk.reuses(), 0);
        let runtime = session.runtime.clone();
        drop(session);
        runtime.finish();
    });
}
