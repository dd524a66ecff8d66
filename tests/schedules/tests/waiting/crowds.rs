//! Many callers, one request.

use std::time::Duration;

use perennial_core::{Error, ServiceErrorKind};
use perennial_schedules::{Desk, Subject, Tasks, explore};
use perennial_testing::{After, ScriptedReply};
use shuttle::future::{block_on, spawn};
use shuttle::thread;

use super::{A_WHILE, EXPIRY, both, each};

both![
    a_crowd_at_expiry_makes_one_request,
    a_crowd_that_comes_while_the_credentials_expire_makes_one_request,
    a_crowd_shares_one_failure,
    a_hundred_refusals_of_one_token_cause_one_renewal,
];

fn a_crowd_at_expiry_makes_one_request<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    desk.pass(EXPIRY);
    let crowd = each(3, move || session.credentials().unwrap());
    assert_eq!(crowd, [2; 3]);
    assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
}

fn a_crowd_that_comes_while_the_credentials_expire_makes_one_request<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    let time = {
        let desk = desk.clone();
        thread::spawn(move || desk.pass(EXPIRY))
    };
    let caller = session.clone();
    let crowd = each(2, move || caller.credentials().unwrap());
    time.join().unwrap();
    assert!(crowd.iter().all(|grant| (1..=2).contains(grant)));
    assert_eq!(session.credentials().unwrap(), 2);
    assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
}

fn a_crowd_shares_one_failure<S: Subject>() {
    let desk = Desk::new();
    desk.will([ScriptedReply::RateLimited(After::Seconds(30))]);
    let session = S::build(&desk, desk.setup());
    let caller = session.clone();
    for answer in each(3, move || caller.credentials()) {
        let Err(Error::Service(error)) = answer else { panic!("{answer:?}") };
        assert!(matches!(error.kind(), ServiceErrorKind::RateLimited { .. }), "{error:?}");
    }
    assert_eq!(desk.renewals(), 1);
    // And nobody is poisoned.
    desk.pass(Duration::from_secs(60));
    assert_eq!(session.credentials().unwrap(), desk.last_serial());
    assert_eq!(desk.renewals(), 2);
}

fn a_hundred_refusals_of_one_token_cause_one_renewal<S: Subject>() {
    let desk = Desk::new();
    let session = S::connect(&desk, desk.setup());
    // Old enough not to be suspected of being refused whatever it is.
    desk.pass(A_WHILE);
    let refused = session.current().unwrap();
    let crowd = each(2, move || {
        (0..50).for_each(|_| session.rejected(&refused));
        session.credentials().unwrap()
    });
    assert_eq!(crowd, [2; 2]);
    assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
}

#[test]
fn one_who_gives_up_takes_nobody_with_it() {
    explore("one who gives up takes nobody with it", || {
        let desk = Desk::new();
        let session = Tasks::connect(&desk, desk.setup());
        desk.pass(EXPIRY);
        let [leader, second, third] = [(); 3].map(|()| {
            let handle = session.handle.clone();
            spawn(async move { handle.credentials().await.map(|current| current.access().expose().to_owned()) })
        });
        leader.abort();
        for task in [second, third] {
            assert!(block_on(task).unwrap().unwrap().ends_with("-access-2"));
        }
        let _ = block_on(leader);
        assert_eq!((desk.renewals(), desk.reuses()), (2, 0));
    });
}
