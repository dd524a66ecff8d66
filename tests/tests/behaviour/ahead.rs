//! Renewal before anybody has to wait.

use std::thread;
use std::time::Duration;

use perennial_core::{Event, LeaseId, Policy, State};
use perennial_emulator::{Endpoint, Fault, Gate};
use perennial_tests::{Issues, Subject, TIMEOUT, World, both};

use super::{AT_THE_MARGIN, EXPIRY, generation, has_failed};

both![
    tokens_are_renewed_ahead_of_time_without_any_caller,
    nobody_waits_while_a_token_is_renewed_ahead_of_time,
    a_lazy_session_renews_when_it_is_asked,
    a_lazy_session_renews_behind_a_caller_at_the_margin,
    a_valid_token_is_served_during_an_outage,
    an_outage_is_not_stormed,
    each_refresh_uses_the_newest_refresh_token,
    a_refresh_token_that_is_not_rotated_is_kept,
];

fn tokens_are_renewed_ahead_of_time_without_any_caller<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let mut changes = session.renewals(LeaseId::Access);
    world.pass(AT_THE_MARGIN);
    let renewed = changes.next().unwrap();
    assert_eq!(generation(&renewed, LeaseId::Access), 2);
    assert!(world.accepts(LeaseId::Access, &renewed));
    session.settle();
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
    let expired = |event: &Event| matches!(event, Event::Expired { .. });
    assert_eq!(world.heard.count(expired), 0);
}

fn nobody_waits_while_a_token_is_renewed_ahead_of_time<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let mut changes = session.renewals(LeaseId::Access);
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(AT_THE_MARGIN);
    assert!(world.wait_for(Endpoint::Refresh, 1));
    assert_eq!(session.state(), State::Renewing);
    for _ in 0..100 {
        let held = session.at_once(LeaseId::Access).expect("nobody waits").unwrap();
        assert_eq!(generation(&held, LeaseId::Access), 1);
    }
    gate.open();
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Access), 2);
}

fn a_lazy_session_renews_when_it_is_asked<S: Subject>() {
    let world = World::new();
    let on_demand = Policy::default().on_demand().request_timeout(TIMEOUT);
    let session: S = world.connect_with(world.setup().policy(on_demand));
    world.pass_for(&session, EXPIRY);
    assert_eq!(world.requests(), 1);
    assert!(session.current(LeaseId::Access).is_none());
    let renewed = session.credentials(LeaseId::Access).unwrap();
    assert!(world.accepts(LeaseId::Access, &renewed));
    assert_eq!(world.requests(), 2);
}

fn a_lazy_session_renews_behind_a_caller_at_the_margin<S: Subject>() {
    let world = World::new();
    let on_demand = Policy::default().on_demand().request_timeout(TIMEOUT);
    let session: S = world.connect_with(world.setup().policy(on_demand));
    let mut changes = session.renewals(LeaseId::Access);
    world.pass(AT_THE_MARGIN);
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Access), 2);
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_valid_token_is_served_during_an_outage<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.fault_always(Endpoint::Any, Fault::status(503));
    world.pass_for(&session, AT_THE_MARGIN);
    assert!(has_failed(&world, LeaseId::Access));
    let held = session.credentials(LeaseId::Access).unwrap();
    assert_eq!(generation(&held, LeaseId::Access), 1);
    assert!(world.accepts(LeaseId::Access, &held));
    world.emulator.clear_faults();
    world.pass_for(&session, Duration::from_secs(200));
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 2);
}

fn an_outage_is_not_stormed<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.fault_always(Endpoint::Any, Fault::status(500));
    world.pass_for(&session, EXPIRY);
    // Somebody asks every second. He is told at once, or with the next attempt.
    let callers: Vec<_> = (0..60)
        .map(|_| {
            let caller = session.clone();
            let caller = thread::spawn(move || caller.credentials(LeaseId::Access));
            world.pass_for(&session, Duration::from_secs(1));
            caller
        })
        .collect();
    // At most: each lease at 1, 2, 4 and then every 5 s, by each of its methods.
    let requests = world.requests();
    assert!((5..=60).contains(&requests), "{requests} requests in a minute");
    world.emulator.clear_faults();
    let served = (0..60).any(|_| {
        world.pass_for(&session, Duration::from_secs(5));
        session.current(LeaseId::Access).is_some()
    });
    assert!(served && world.accepts(LeaseId::Access, &session.current(LeaseId::Access).unwrap()));
    for caller in callers {
        assert!(caller.join().unwrap().map_or_else(|error| error.is_retryable(), |_| true));
    }
}

fn each_refresh_uses_the_newest_refresh_token<S: Subject>() {
    let world = World::with(|settings| settings.aws_lifetime = Some(Duration::from_secs(1_000_000)));
    let session: S = world.connect();
    for _ in 0..20 {
        world.pass(EXPIRY);
        let credentials = session.credentials(LeaseId::Access).unwrap();
        assert!(world.accepts(LeaseId::Access, &credentials));
        session.settle();
    }
    let navien = world.emulator.navien();
    assert_eq!((navien.sign_ins(), navien.refreshes(), navien.reuse_detected()), (1, 20, 0));
    assert_eq!(world.requests(), 21);
}

fn a_refresh_token_that_is_not_rotated_is_kept<S: Subject>() {
    let world = World::with(|settings| {
        settings.refresh_answer_omits_refresh_token = true;
        settings.refresh_answer_omits_id_token = true;
    });
    let session: S = world.connect();
    let first = session.credentials(LeaseId::Access).unwrap();
    for _ in 0..3 {
        world.pass(EXPIRY);
        let renewed = session.credentials(LeaseId::Access).unwrap();
        assert_eq!(renewed.refresh_token().unwrap().expose(), first.refresh_token().unwrap().expose());
        assert_eq!(renewed.id_token().unwrap().expose(), first.id_token().unwrap().expose());
    }
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}
