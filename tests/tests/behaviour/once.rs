//! Sessions of programs that come for one token: nothing begins that nobody waits for, and nobody gets what may be over.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perennial_adapter::MemoryStore;
use perennial_core::{Error, Event, LeaseId, Policy, SessionError, State};
use perennial_emulator::{Endpoint, Fault, Gate, NavienSettings};
use perennial_tests::{Subject, TIMEOUT, World, both};

use super::{AT_THE_MARGIN, EXPIRY, generation};

both![
    a_one_shot_session_renews_near_the_end_before_it_answers,
    a_one_shot_session_serves_what_is_valid_where_the_renewal_fails,
    a_one_shot_session_begins_nothing_by_itself,
    a_look_at_a_one_shot_session_asks_for_nothing,
    a_crowd_near_the_end_of_a_one_shot_session_shares_one_renewal,
    what_may_be_over_is_renewed_before_anybody_gets_it,
    what_may_be_over_is_served_where_the_service_is_not_heard,
    what_may_be_over_is_not_served_where_the_service_refuses,
];

const DAY: Duration = Duration::from_secs(86_400);

fn one_shot() -> Policy {
    Policy::default().one_shot().request_timeout(TIMEOUT)
}

fn near_the_end<S: Subject>() -> (World, S) {
    let world = World::new();
    let session: S = world.connect_with(world.setup().policy(one_shot()));
    world.pass(AT_THE_MARGIN);
    (world, session)
}

fn a_one_shot_session_renews_near_the_end_before_it_answers<S: Subject>() {
    let (world, session) = near_the_end::<S>();
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 2);
    assert_eq!((world.requests_to(Endpoint::Refresh), world.requests()), (1, 2));
    let (_world, session) = near_the_end::<S>();
    assert_eq!(generation(&session.authorize(&mut http::HeaderMap::new()).unwrap(), LeaseId::Access), 2);
}

fn a_one_shot_session_serves_what_is_valid_where_the_renewal_fails<S: Subject>() {
    let (world, session) = near_the_end::<S>();
    world.emulator.fault_always(Endpoint::Any, Fault::retry_after(429, "120"));
    let held = session.credentials(LeaseId::Access).unwrap();
    assert_eq!(generation(&held, LeaseId::Access), 1);
    assert!(world.accepts(LeaseId::Access, &held));
    // In the pause it is served at once.
    let requests = world.requests();
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    assert_eq!(world.requests(), requests);
    world.emulator.clear_faults();
    world.pass_seconds(121);
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 2);
}

fn a_one_shot_session_begins_nothing_by_itself<S: Subject>() {
    let (world, session) = near_the_end::<S>();
    let expired =
        |events: &[Event]| events.iter().any(|event| matches!(event, Event::Expired { lease_id: LeaseId::Access }));
    world.pass(EXPIRY);
    assert!(world.heard.wait_until(perennial_tests::LONG, expired));
    session.close();
    assert_eq!(world.requests(), 1);

    let world = World::new();
    let session: S = world.connect_with(world.setup().policy(one_shot()));
    session.rejected(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap());
    session.close();
    assert_eq!(world.requests(), 1, "a refusal is acted on when somebody asks");
}

fn a_look_at_a_one_shot_session_asks_for_nothing<S: Subject>() {
    let (world, session) = near_the_end::<S>();
    for _ in 0..10 {
        assert!(session.current(LeaseId::Access).is_some());
        assert!(session.is_authenticated());
    }
    session.close();
    assert_eq!(world.requests(), 1);
}

fn a_crowd_near_the_end_of_a_one_shot_session_shares_one_renewal<S: Subject>() {
    let (world, session) = near_the_end::<S>();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    thread::scope(|scope| {
        let crowd: Vec<_> = (0..8).map(|_| scope.spawn(|| session.credentials(LeaseId::Access).unwrap())).collect();
        assert!(world.wait_for(Endpoint::Refresh, 1));
        gate.open();
        for one in crowd {
            assert_eq!(generation(&one.join().unwrap(), LeaseId::Access), 2);
        }
    });
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

/// What a program saved whose clock was a day ahead, and its access token, which is over at the service by now.
fn saved_ahead<S: Subject>(world: &World) -> (String, String) {
    let store = MemoryStore::new();
    world.clock.advance(DAY);
    let session: S = world.connect_with(world.setup().store(store));
    let token = session.credentials(LeaseId::Access).unwrap().access().expose().to_owned();
    let saved = session.export().unwrap().to_json().expose().to_owned();
    session.close();
    let now = perennial_adapter::Clock::wall(&world.clock);
    world.clock.set_wall(now.saturating_sub(DAY));
    world.emulator.advance(EXPIRY);
    (saved, token)
}

fn policies() -> [Policy; 3] {
    [Policy::default(), Policy::default().on_demand(), Policy::default().one_shot()]
        .map(|policy| policy.request_timeout(TIMEOUT))
}

fn what_may_be_over_is_renewed_before_anybody_gets_it<S: Subject>() {
    for policy in policies() {
        let world = World::new();
        let (saved, old) = saved_ahead::<S>(&world);
        let session: S = world.try_build(world.stranger().policy(policy).import(saved)).unwrap();
        // Nobody gets the old one; the new one may be here already.
        let at_once = session.current(LeaseId::Access);
        assert!(at_once.is_none_or(|held| held.access().expose() != old), "{policy:?}");
        let held: Arc<_> = session.credentials(LeaseId::Access).unwrap();
        assert_ne!(held.access().expose(), old);
        assert!(world.accepts(LeaseId::Access, &held), "{policy:?}");
        assert_eq!(world.emulator.navien().sign_ins(), 1);
    }
}

fn what_may_be_over_is_served_where_the_service_is_not_heard<S: Subject>() {
    for policy in policies() {
        let world = World::new();
        let (saved, old) = saved_ahead::<S>(&world);
        world.emulator.fault_always(Endpoint::Any, Fault::CloseAtOnce);
        let session: S = world.try_build(world.stranger().policy(policy).import(saved)).unwrap();
        assert_eq!(session.credentials(LeaseId::Access).unwrap().access().expose(), old, "{policy:?}");
    }
}

fn what_may_be_over_is_not_served_where_the_service_refuses<S: Subject>() {
    for policy in policies() {
        let world = World::new();
        let (saved, _) = saved_ahead::<S>(&world);
        world.emulator.navien().revoke_session(NavienSettings::EMAIL);
        let session: S = world.try_build(world.stranger().policy(policy).import(saved)).unwrap();
        let error = session.credentials(LeaseId::Access).unwrap_err();
        assert!(matches!(error, Error::Session(SessionError::SignInRequired { .. })), "{policy:?}: {error:?}");
        assert_eq!(session.state(), State::SignInRequired);
    }
}
