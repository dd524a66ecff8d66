//! The AWS credentials: a lease of their own.

use std::time::Duration;

use perennial_core::LeaseId;
use perennial_emulator::{Endpoint, EndpointSet, Fault, NavienSettings};
use perennial_tests::{Subject, World, both};

use super::{AT_THE_MARGIN, EXPIRY, generation, has_failed};

both![
    they_are_renewed_alone,
    a_refused_session_refresh_falls_to_the_secured_sign_in,
    a_refused_secured_sign_in_falls_to_a_sign_in,
    endpoints_that_are_missing_are_remembered,
    a_dead_access_token_is_renewed_first,
    an_unknown_deadline_counts_as_usable,
    a_refresh_does_not_move_their_deadline,
    they_are_not_mixed_with_those_of_an_older_set,
];

/// The access token outlives the test, the AWS credentials do not.
fn aws_ends_first(settings: &mut NavienSettings) {
    settings.access_lifetime = Duration::from_secs(1_000_000);
}

fn they_are_renewed_alone<S: Subject>() {
    let world = World::with(aws_ends_first);
    let session: S = world.connect();
    let first = session.credentials(LeaseId::Aws).unwrap();
    world.pass(EXPIRY);
    let renewed = session.credentials(LeaseId::Aws).unwrap();
    assert!(world.accepts(LeaseId::Aws, &renewed));
    assert_eq!((generation(&renewed, LeaseId::Aws), generation(&renewed, LeaseId::Access)), (2, 1));
    assert_eq!(renewed.access().expose(), first.access().expose());
    assert_eq!(renewed.expires_at(), first.expires_at());
    assert_eq!(world.emulator.navien().session_refreshes(), 1);
    assert_eq!(world.requests(), 2);
}

fn a_refused_session_refresh_falls_to_the_secured_sign_in<S: Subject>() {
    let world = World::with(aws_ends_first);
    let session: S = world.connect();
    world.emulator.fault_always(Endpoint::SessionRefresh, Fault::CodeInEnvelope(401));
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Aws, &session.credentials(LeaseId::Aws).unwrap()));
    let navien = world.emulator.navien();
    assert_eq!((navien.secured_sign_ins(), navien.sign_ins()), (1, 1));
    assert_eq!(world.requests(), 3);
}

fn a_refused_secured_sign_in_falls_to_a_sign_in<S: Subject>() {
    let world = World::with(aws_ends_first);
    let session: S = world.connect();
    world.emulator.fault_always(Endpoint::SessionRefresh, Fault::CodeInEnvelope(401));
    world.emulator.fault_always(Endpoint::SecuredSignIn, Fault::status(401));
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Aws, &session.credentials(LeaseId::Aws).unwrap()));
    assert_eq!(world.emulator.navien().sign_ins(), 2);
    assert_eq!(world.requests(), 4);
}

fn endpoints_that_are_missing_are_remembered<S: Subject>() {
    let world = World::with(|settings| {
        aws_ends_first(settings);
        settings.endpoint_set = EndpointSet::Old;
    });
    let session: S = world.connect();
    for renewals in 1..=3 {
        world.pass(EXPIRY);
        assert!(world.accepts(LeaseId::Aws, &session.credentials(LeaseId::Aws).unwrap()));
        // An hour later they are looked for again, a minute later they are not.
        world.pass(Duration::from_secs(60));
        assert!(world.accepts(LeaseId::Aws, &session.renew(LeaseId::Aws).unwrap()));
        assert_eq!(world.requests_to(Endpoint::SessionRefresh), renewals);
        assert_eq!(world.requests_to(Endpoint::SecuredSignIn), renewals);
        assert_eq!(world.requests_to(Endpoint::SignIn), 1 + 2 * renewals);
    }
}

fn a_dead_access_token_is_renewed_first<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.pass(EXPIRY);
    let renewed = session.credentials(LeaseId::Aws).unwrap();
    assert!(world.accepts(LeaseId::Aws, &renewed) && world.accepts(LeaseId::Access, &renewed));
    let course: Vec<_> = world.emulator.requests().iter().map(|request| request.endpoint.unwrap()).collect();
    assert_eq!(course, [Endpoint::SignIn, Endpoint::Refresh, Endpoint::SessionRefresh]);
}

fn an_unknown_deadline_counts_as_usable<S: Subject>() {
    let world = World::with(|settings| {
        aws_ends_first(settings);
        settings.aws_lifetime = None;
    });
    let session: S = world.connect();
    world.pass_for(&session, Duration::from_secs(100_000));
    let held = session.credentials(LeaseId::Aws).unwrap();
    assert_eq!(held.aws_expires_at(), None);
    assert_eq!(world.requests(), 1);
    // Only the service can tell that they are dead.
    session.rejected(LeaseId::Aws, &held);
    assert_eq!(generation(&session.credentials(LeaseId::Aws).unwrap(), LeaseId::Aws), 2);
    assert_eq!(world.requests(), 2);
}

fn a_refresh_does_not_move_their_deadline<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let first = session.credentials(LeaseId::Aws).unwrap();
    world.pass_seconds(1000);
    session.renew(LeaseId::Access).unwrap();
    let held = session.credentials(LeaseId::Aws).unwrap();
    assert_eq!(generation(&held, LeaseId::Access), 2);
    assert_eq!(held.aws_expires_at(), first.aws_expires_at());
    let saved = session.export().unwrap().to_json();
    let restored: S = world.try_build(world.stranger().import(saved.expose().as_bytes())).unwrap();
    assert_eq!(restored.credentials(LeaseId::Aws).unwrap().aws_expires_at(), first.aws_expires_at());
}

fn they_are_not_mixed_with_those_of_an_older_set<S: Subject>() {
    let world = World::with(aws_ends_first);
    let session: S = world.connect();
    let first = session.credentials(LeaseId::Aws).unwrap();
    world.emulator.fault_always(Endpoint::SessionRefresh, Fault::MissingField("secretKey".to_owned()));
    world.pass_for(&session, AT_THE_MARGIN);
    assert!(has_failed(&world, LeaseId::Aws));
    let held = session.credentials(LeaseId::Aws).unwrap();
    assert_eq!(held.aws().unwrap().access_key_id().expose(), first.aws().unwrap().access_key_id().expose());
    assert!(world.accepts(LeaseId::Aws, &held));
}
