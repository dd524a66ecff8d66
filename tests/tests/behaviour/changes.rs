//! The issues of a lease, one after another.

use std::thread;
use std::time::{Duration, Instant};

use perennial_core::{LeaseId, Policy, SignOut};
use perennial_emulator::{Endpoint, Fault};
use perennial_tests::{Issues, LONG, Subject, TIMEOUT, World, both};

use super::{EXPIRY, generation, has_failed};

both![
    what_is_held_comes_first_and_then_each_new_issue,
    a_session_that_holds_nothing_is_made_to_bring_some,
    a_lease_that_nobody_has_asked_for_is_asked_for,
    what_has_run_out_does_not_come,
    failures_pass,
    a_lazy_session_renews_what_ran_out_for_who_waits,
    who_waits_through_a_sign_out_is_told_of_the_next_sign_in,
];

fn what_is_held_comes_first_and_then_each_new_issue<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    for lease_id in LeaseId::ALL {
        let mut changes = session.changes(lease_id);
        let held = changes.next().unwrap();
        assert_eq!(generation(&held, lease_id), 1);
        assert!(world.accepts(lease_id, &held));
    }
    // At once, and without a word to the service.
    assert_eq!(world.requests(), 1);

    let mut changes = session.changes(LeaseId::Aws);
    for count in 1..=3 {
        assert_eq!(generation(&changes.next().unwrap(), LeaseId::Aws), count);
        world.pass_seconds(120);
        session.renew(LeaseId::Aws).unwrap();
    }
    // Several while nobody looked are one.
    world.pass_seconds(120);
    session.renew(LeaseId::Aws).unwrap();
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Aws), 5);
    assert_eq!(generation(&session.changes(LeaseId::Aws).next().unwrap(), LeaseId::Aws), 5);
}

fn a_session_that_holds_nothing_is_made_to_bring_some<S: Subject>() {
    for lease_id in LeaseId::ALL {
        let world = World::new();
        let session: S = world.build();
        let issue = session.changes(lease_id).next().unwrap();
        assert!(world.accepts(lease_id, &issue));
        session.settle();
        assert_eq!(world.requests(), 1);
    }
}

fn a_lease_that_nobody_has_asked_for_is_asked_for<S: Subject>() {
    let world = World::new();
    // Half a set of AWS credentials is none.
    world.emulator.fault(Endpoint::SignIn, Fault::MissingField("secretKey".to_owned()));
    let session: S = world.connect();
    session.settle();
    assert!(session.current(LeaseId::Aws).is_none());
    assert_eq!(world.requests(), 1);
    let issue = session.changes(LeaseId::Aws).next().unwrap();
    assert!(world.accepts(LeaseId::Aws, &issue));
    session.settle();
    assert_eq!((world.requests_to(Endpoint::SessionRefresh), world.requests()), (1, 2));
}

fn what_has_run_out_does_not_come<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let mut changes = session.changes(LeaseId::Access);
    world.pass(EXPIRY);
    let issue = changes.next().unwrap();
    assert_eq!(generation(&issue, LeaseId::Access), 2);
    assert!(world.accepts(LeaseId::Access, &issue));
}

fn failures_pass<S: Subject>() {
    for policy in [Policy::default(), Policy::default().on_demand()] {
        let world = World::new();
        let session: S = world.try_build(world.setup().policy(policy.request_timeout(TIMEOUT))).unwrap();
        world.emulator.fault_always(Endpoint::SignIn, Fault::status(503));
        let mut changes = session.changes(LeaseId::Access);
        let waiting = thread::spawn(move || changes.next().unwrap());
        assert!(world.wait_for(Endpoint::SignIn, 1));
        session.settle();
        assert!(has_failed(&world, LeaseId::Access));
        world.emulator.clear_faults();
        // Nobody else asks. How often time has to pass depends on when the one who waits hears of the failure.
        let end = Instant::now() + LONG;
        while !waiting.is_finished() {
            assert!(Instant::now() < end, "{policy:?}: nobody is served");
            world.pass_for(&session, Duration::from_secs(1));
            thread::yield_now();
        }
        waiting.join().unwrap();
    }
}

fn a_lazy_session_renews_what_ran_out_for_who_waits<S: Subject>() {
    let world = World::new();
    let on_demand = Policy::default().on_demand().request_timeout(TIMEOUT);
    let session: S = world.connect_with(world.setup().policy(on_demand));
    let mut changes = session.renewals(LeaseId::Access);
    let waiting = thread::spawn(move || changes.next().unwrap());
    world.pass_for(&session, Duration::from_secs(3500));
    assert_eq!(world.requests(), 1, "valid ones are held, and nobody reads them");
    world.pass_seconds(101);
    assert_eq!(generation(&waiting.join().unwrap(), LeaseId::Access), 2);
    session.settle();
    assert_eq!(world.requests(), 2);
}

fn who_waits_through_a_sign_out_is_told_of_the_next_sign_in<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let mut changes = session.renewals(LeaseId::Aws);
    let waiting = thread::spawn(move || changes.next().unwrap());
    session.sign_out(SignOut::KeepLogin).unwrap();
    session.settle();
    assert_eq!(world.requests(), 1, "nobody signs in again for who only waits");
    session.sign_in(perennial_tests::login()).unwrap();
    let issue = waiting.join().unwrap();
    assert!(world.accepts(LeaseId::Aws, &issue) && generation(&issue, LeaseId::Aws) > 1);
}
