//! What the service refuses, and what follows.

use perennial_core::providers::navien::Login;
use perennial_core::{Error, LeaseId, ServiceErrorKind, SessionError, State};
use perennial_emulator::{Endpoint, Fault, NavienSettings, Refusals};
use perennial_tests::{Subject, World, both, login};

use super::{EXPIRY, is_service};

both![
    a_refused_refresh_falls_to_the_login,
    a_lost_answer_to_a_refresh_falls_to_the_login,
    a_lost_answer_without_a_login_is_repeated_once,
    a_wrong_password_is_tried_once,
    a_refusal_under_status_200_is_a_refusal,
    a_locked_account_stops_and_a_new_sign_in_resumes,
    a_changed_password_stops_at_the_next_sign_in,
    a_missing_sign_in_endpoint_is_not_for_ever,
    without_login_and_credentials_there_is_nothing_to_do,
    a_redirect_never_carries_the_password_away,
];

fn wrong_login() -> Login {
    Login::new(NavienSettings::EMAIL, "wrong").unwrap()
}

fn a_refused_refresh_falls_to_the_login<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.navien().revoke_refresh(NavienSettings::EMAIL);
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    assert_eq!(world.emulator.navien().refused_refreshes(), 1);
    assert_eq!(world.emulator.navien().sign_ins(), 2);
}

fn a_lost_answer_to_a_refresh_falls_to_the_login<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.fault(Endpoint::Refresh, Fault::LostAnswer);
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    let navien = world.emulator.navien();
    // The spent token is not shown again: the service would take it for stolen.
    assert_eq!((navien.sign_ins(), navien.refreshes(), navien.reuse_detected()), (2, 1, 0));
}

fn a_lost_answer_without_a_login_is_repeated_once<S: Subject>() {
    let world = World::with(|settings| settings.rotation = perennial_emulator::Rotation::Fixed);
    let session: S = world.connect();
    session.forget_login();
    world.emulator.fault(Endpoint::Refresh, Fault::LostAnswer);
    world.pass(EXPIRY);
    assert!(session.credentials(LeaseId::Access).unwrap_err().is_retryable());
    session.settle();
    world.pass_seconds(5);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    assert_eq!(world.requests_to(Endpoint::Refresh), 2);
}

fn a_wrong_password_is_tried_once<S: Subject>() {
    let world = World::new();
    let session: S = world.try_build(world.stranger().login(wrong_login())).unwrap();
    for _ in 0..5 {
        let error = session.credentials(LeaseId::Access).unwrap_err();
        assert!(is_service(&error, ServiceErrorKind::InvalidCredentials), "{error:?}");
        assert!(!error.is_retryable() && error.retry_at().is_none());
        world.pass_for(&session, EXPIRY);
    }
    assert_eq!(session.state(), State::SignInRequired);
    assert!(!session.has_login());
    assert_eq!(world.requests(), 1);
    assert!(session.sign_in(wrong_login()).is_err());
    assert_eq!(world.requests(), 2);
    assert!(world.accepts(LeaseId::Access, &session.sign_in(login()).unwrap()));
    assert!(session.has_login() && session.is_authenticated());
    assert_eq!(world.requests(), 3);
}

fn a_refusal_under_status_200_is_a_refusal<S: Subject>() {
    let world = World::with(|settings| settings.refusals = Refusals::Envelope);
    let session: S = world.try_build(world.stranger().login(wrong_login())).unwrap();
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(is_service(&error, ServiceErrorKind::InvalidCredentials), "{error:?}");
    session.sign_in(login()).unwrap();
    world.emulator.navien().revoke_refresh(NavienSettings::EMAIL);
    world.pass(EXPIRY);
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
}

fn a_locked_account_stops_and_a_new_sign_in_resumes<S: Subject>() {
    let world = World::new();
    world.emulator.navien().lock_account(NavienSettings::EMAIL);
    let session: S = world.build();
    for _ in 0..3 {
        let error = session.credentials(LeaseId::Access).unwrap_err();
        assert!(is_service(&error, ServiceErrorKind::AccountLocked), "{error:?}");
        world.pass_for(&session, EXPIRY);
    }
    assert_eq!(world.requests(), 1);
    world.emulator.navien().unlock_account(NavienSettings::EMAIL);
    assert!(world.accepts(LeaseId::Access, &session.sign_in(login()).unwrap()));
}

fn a_changed_password_stops_at_the_next_sign_in<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    world.emulator.navien().change_password(NavienSettings::EMAIL, "another");
    world.pass(EXPIRY);
    // Refreshes go on.
    session.credentials(LeaseId::Access).unwrap();
    session.settle();
    world.emulator.navien().revoke_session(NavienSettings::EMAIL);
    world.pass(EXPIRY);
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(is_service(&error, ServiceErrorKind::InvalidCredentials), "{error:?}");
    world.pass_for(&session, EXPIRY);
    session.credentials(LeaseId::Access).unwrap_err();
    assert_eq!(world.emulator.navien().refused_sign_ins(), 1);
    let new = Login::new(NavienSettings::EMAIL, "another").unwrap();
    assert!(world.accepts(LeaseId::Access, &session.sign_in(new).unwrap()));
}

fn a_missing_sign_in_endpoint_is_not_for_ever<S: Subject>() {
    let world = World::new();
    let session: S = world.build();
    // A gateway in the middle of a deployment.
    world.emulator.fault(Endpoint::SignIn, Fault::status(404));
    assert!(session.credentials(LeaseId::Access).is_err());
    assert!(world.accepts(LeaseId::Access, &session.sign_in(login()).unwrap()));
}

fn without_login_and_credentials_there_is_nothing_to_do<S: Subject>() {
    let world = World::new();
    let session: S = world.try_build(world.stranger()).unwrap();
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::NoLogin)), "{error:?}");
    assert_eq!(world.requests(), 0);
    session.sign_in(login()).unwrap();
}

fn a_redirect_never_carries_the_password_away<S: Subject>() {
    let world = World::https(|_| ());
    let session: S = world.build();
    world.emulator.fault(Endpoint::SignIn, Fault::Redirect(307));
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(world.emulator.trap_requests().is_empty());
    world.pass_seconds(5);
    session.credentials(LeaseId::Access).unwrap();
}
