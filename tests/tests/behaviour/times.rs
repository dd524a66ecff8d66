//! Short lives, odd clocks.

use std::time::Duration;

use perennial_adapter::Clock;
use perennial_core::{Error, LeaseId, SessionError};
use perennial_emulator::Endpoint;
use perennial_tests::{Issues, LONG, Subject, World, both, within};

use super::{AT_THE_MARGIN, EXPIRY, generation};

both![
    a_token_of_five_minutes_is_used,
    a_token_of_ten_seconds_is_used_and_not_hammered,
    credentials_with_enough_life_are_renewed_first_if_need_be,
    a_suspended_machine_renews_once,
    a_wall_clock_that_is_set_back_lengthens_no_life,
    a_wall_clock_that_jumps_ahead_causes_one_renewal,
    a_wrong_clock_of_the_service_does_no_harm,
];

fn lasting(seconds: u64) -> World {
    World::with(|settings| {
        settings.access_lifetime = Duration::from_secs(seconds);
        settings.aws_lifetime = Some(Duration::from_secs(1_000_000));
    })
}

fn a_token_of_five_minutes_is_used<S: Subject>() {
    let world = lasting(300);
    let session: S = world.connect();
    let mut changes = session.renewals(LeaseId::Access);
    for _ in 0..20 {
        assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
        world.pass_for(&session, Duration::from_secs(10));
    }
    assert_eq!(world.requests(), 1);
    world.pass_seconds(50);
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Access), 2);
    session.settle();
    assert_eq!(world.requests(), 2);
}

fn a_token_of_ten_seconds_is_used_and_not_hammered<S: Subject>() {
    let world = lasting(10);
    let session: S = world.connect();
    for _ in 0..120 {
        world.pass_for(&session, Duration::from_secs(1));
        let credentials = session.credentials(LeaseId::Access).unwrap();
        assert!(credentials.expires_at().unwrap() > world.clock.now().wall);
    }
    let refreshes = world.requests_to(Endpoint::Refresh);
    assert!((11..=17).contains(&refreshes), "{refreshes} refreshes in two minutes");
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

fn credentials_with_enough_life_are_renewed_first_if_need_be<S: Subject>() {
    let world = lasting(3600);
    let session: S = world.connect();
    world.pass_for(&session, Duration::from_secs(3000));
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let held = session.credentials_with(LeaseId::Access, minutes(9)).unwrap();
    assert_eq!((generation(&held, LeaseId::Access), world.requests()), (1, 1));
    let renewed = session.credentials_with(LeaseId::Access, minutes(30)).unwrap();
    assert_eq!((generation(&renewed, LeaseId::Access), world.requests()), (2, 2));
    let error = session.credentials_with(LeaseId::Access, minutes(61)).unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::LifetimeTooShort)), "{error:?}");
    assert_eq!(world.requests(), 2);
}

fn a_suspended_machine_renews_once<S: Subject>() {
    let world = lasting(3600);
    let session: S = world.connect();
    world.pass_seconds(10);
    world.emulator.advance(EXPIRY);
    world.clock.suspend(EXPIRY);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    world.pass_for(&session, Duration::from_secs(60));
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 2);
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_wall_clock_that_is_set_back_lengthens_no_life<S: Subject>() {
    let world = lasting(3600);
    let session: S = world.connect();
    let start = world.clock.now().wall;
    world.clock.set_wall(start.saturating_sub(Duration::from_secs(1_000_000)));
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
    session.settle();
    assert_eq!(world.requests(), 1);
    let mut changes = session.renewals(LeaseId::Access);
    world.pass(AT_THE_MARGIN);
    assert_eq!(generation(&changes.next().unwrap(), LeaseId::Access), 2);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
}

fn a_wall_clock_that_jumps_ahead_causes_one_renewal<S: Subject>() {
    let world = lasting(3600);
    let session: S = world.connect();
    world.pass_seconds(10);
    let years = Duration::from_secs(10 * 366 * 24 * 3600);
    world.clock.set_wall(world.clock.now().wall.saturating_add(years));
    for _ in 0..10 {
        let waiting = session.clone();
        let credentials = within(LONG, move || waiting.credentials(LeaseId::Access)).unwrap().unwrap();
        assert_eq!(generation(&credentials, LeaseId::Access), 2);
        world.pass_for(&session, Duration::from_secs(60));
    }
    assert_eq!(world.requests_to(Endpoint::Refresh), 1);
}

fn a_wrong_clock_of_the_service_does_no_harm<S: Subject>() {
    for skew in [-1_000_000, 1_000_000] {
        let world = lasting(3600);
        world.emulator.skew(skew);
        let session: S = world.connect();
        world.pass_for(&session, Duration::from_secs(3000));
        assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 1);
        world.pass_seconds(601);
        assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
        assert_eq!(world.requests(), 2);
    }
}
