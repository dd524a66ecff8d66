//! Readers, throughout a renewal.

use perennial_adapter::Clock;
use perennial_core::LeaseId;
use perennial_schedules::{Desk, Subject};
use shuttle::thread;

use super::{A_WHILE, AT_THE_MARGIN, EXPIRY, both, each};

both![
    nobody_notices_a_renewal_ahead_of_time,
    nobody_is_given_what_has_expired,
    who_watches_for_changes_is_told_of_each_issue,
    who_watches_a_session_that_holds_nothing_makes_it_bring_some,
];

fn nobody_notices_a_renewal_ahead_of_time<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    let mut updates = session.updates();
    assert_eq!(updates().unwrap(), 1);
    let time = {
        let desk = desk.clone();
        thread::spawn(move || desk.pass(AT_THE_MARGIN))
    };
    let reader = session.clone();
    let last = each(2, move || {
        let mut last = 1;
        for _ in 0..4 {
            let held = reader.current().expect("valid ones are held all the time");
            assert!(held.access().expose().ends_with(&format!("-access-{}", serial(&held))));
            assert!(serial(&held) >= last, "an older picture after a newer one");
            last = serial(&held);
            assert!(reader.credentials().unwrap() >= last);
        }
        last
    });
    time.join().unwrap();
    assert!(last.iter().all(|serial| (1..=2).contains(serial)));
    assert_eq!(updates().unwrap(), 2);
    assert_eq!(desk.renewals(), 2);
}

fn serial(held: &perennial_core::Credentials) -> u64 {
    held.access().expose().rsplit('-').next().unwrap().parse().unwrap()
}

fn nobody_is_given_what_has_expired<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    let time = {
        let desk = desk.clone();
        thread::spawn(move || desk.pass(EXPIRY))
    };
    let reader = (session.clone(), desk.clone());
    each(2, move || {
        let (session, desk) = &reader;
        for _ in 0..4 {
            let before = desk.clock.now();
            if let Some(held) = session.current() {
                assert!(!held.validity(LeaseId::Access).unwrap().is_expired(before));
            }
        }
    });
    time.join().unwrap();
    assert!(session.credentials().is_ok_and(|serial| serial == 2));
}

fn who_watches_for_changes_is_told_of_each_issue<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    let mut updates = session.updates();
    let watcher = thread::spawn(move || {
        let mut seen = Vec::new();
        while seen.last() != Some(&3) {
            seen.push(updates().unwrap());
        }
        seen
    });
    desk.pass(A_WHILE);
    assert_eq!(session.renew().unwrap(), 2);
    desk.pass(A_WHILE);
    assert_eq!(session.renew().unwrap(), 3);
    // Several while it did not look are one.
    let seen = watcher.join().unwrap();
    assert!(seen.is_sorted_by(|earlier, later| earlier < later), "{seen:?}");
}

fn who_watches_a_session_that_holds_nothing_makes_it_bring_some<S: Subject>() {
    let desk = Desk::new();
    let session = S::build(&desk, desk.setup());
    let watchers = [(); 2].map(|()| {
        let mut updates = session.updates();
        thread::spawn(move || updates().unwrap())
    });
    for watcher in watchers {
        assert_eq!(watcher.join().unwrap(), 1);
    }
    assert_eq!(desk.renewals(), 1);
}
