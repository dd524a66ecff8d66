//! Accounts: switched, left, saved, taken up elsewhere.

use std::thread;

use perennial_core::providers::navien::Login;
use perennial_core::{Error, Event, ImportError, LeaseId, SessionError, SignOut, State};
use perennial_emulator::{Endpoint, Fault, Gate, NavienSettings};
use perennial_tests::{Blocking, Hyper, LONG, Subject, World, both, within};

use super::{EXPIRY, generation};

both![
    an_answer_for_the_account_before_is_dropped,
    sign_out_wins_over_a_refresh_in_flight,
    a_forgotten_login_is_not_used,
    a_saved_session_of_another_account_is_refused,
    a_saved_session_of_another_address_is_refused,
    a_saved_session_that_has_expired_is_refreshed,
];

const OTHER: &str = "other@example.com";

fn other_login() -> Login {
    Login::new(OTHER, "another password").unwrap()
}

fn is_saved_error(error: &Error, what: ImportError) -> bool {
    matches!(error, Error::Session(SessionError::SavedSession(error)) if *error == what)
}

fn an_answer_for_the_account_before_is_dropped<S: Subject>() {
    let world = World::new();
    world.emulator.navien().add_account(OTHER, "another password");
    let session: S = world.connect();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(EXPIRY);
    assert!(world.wait_for(Endpoint::Refresh, 1));

    let others = session.sign_in(other_login()).unwrap();
    assert_eq!(others.account().id, OTHER);
    gate.open();
    for _ in 0..3 {
        world.pass_for(&session, EXPIRY);
        for lease_id in LeaseId::ALL {
            let held = session.credentials(lease_id).unwrap();
            assert_eq!(held.account().id, OTHER);
            assert!(world.accepts(lease_id, &held));
        }
        let held = session.credentials(LeaseId::Access).unwrap();
        assert_eq!(world.emulator.navien().newest_access(OTHER).unwrap(), held.access().expose());
    }
    assert_eq!(session.account_id().unwrap(), OTHER);
    assert_eq!(world.emulator.navien().refused_calls(), 0);
}

fn sign_out_wins_over_a_refresh_in_flight<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let gate = Gate::closed();
    world.emulator.fault(Endpoint::Refresh, Fault::Hold(gate.clone()));
    world.pass(EXPIRY);
    assert!(world.wait_for(Endpoint::Refresh, 1));
    thread::scope(|scope| {
        let leaving = scope.spawn(|| session.sign_out(SignOut::KeepLogin));
        let signed_out = |events: &[Event]| events.iter().any(|event| matches!(event, Event::SignedOut));
        assert!(world.heard.wait_until(LONG, signed_out));
        assert!(session.current(LeaseId::Access).is_none() && session.export().is_none());
        gate.open();
        leaving.join().unwrap().unwrap();
    });
    for _ in 0..3 {
        let error = session.credentials(LeaseId::Access).unwrap_err();
        assert!(matches!(error, Error::Session(SessionError::SignedOut)), "{error:?}");
        world.pass(EXPIRY);
    }
    session.settle();
    assert_eq!(session.state(), State::SignedOut);
    assert!(session.export().is_none() && session.account_id().is_none());
    assert_eq!(world.requests(), 2);
    let again = session.sign_in(perennial_tests::login()).unwrap();
    assert!(world.accepts(LeaseId::Access, &again));
}

fn a_forgotten_login_is_not_used<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    session.forget_login();
    assert!(!session.has_login());
    world.pass(EXPIRY);
    // What needs no login goes on.
    assert_eq!(generation(&session.credentials(LeaseId::Access).unwrap(), LeaseId::Access), 2);
    session.settle();
    world.emulator.navien().revoke_session(NavienSettings::EMAIL);
    world.pass(EXPIRY);
    let error = session.credentials(LeaseId::Access).unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::SignInRequired { .. })), "{error:?}");
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
    session.sign_in(perennial_tests::login()).unwrap();
}

fn saved<S: Subject>(world: &World) -> Vec<u8> {
    let session: S = world.connect();
    session.export().unwrap().to_json().expose().as_bytes().to_vec()
}

fn a_saved_session_of_another_account_is_refused<S: Subject>() {
    let world = World::new();
    let saved = saved::<S>(&world);
    let error = world.try_build::<S>(world.stranger().login(other_login()).import(saved)).err().unwrap();
    assert!(is_saved_error(&error, ImportError::OtherAccount), "{error:?}");
}

fn a_saved_session_of_another_address_is_refused<S: Subject>() {
    let (world, elsewhere) = (World::new(), World::new());
    let saved = saved::<S>(&world);
    let error = elsewhere.try_build::<S>(elsewhere.setup().import(saved)).err().unwrap();
    assert!(is_saved_error(&error, ImportError::OtherProvider), "{error:?}");
}

/// It is renewed by itself, as soon as it is taken up.
fn a_saved_session_that_has_expired_is_refreshed<S: Subject>() {
    let world = World::new();
    let saved = saved::<S>(&world);
    world.pass(EXPIRY);
    let session: S = world.try_build(world.stranger().import(saved)).unwrap();
    assert!(world.wait_for(Endpoint::Refresh, 1));
    assert!(world.accepts(LeaseId::Access, &session.credentials(LeaseId::Access).unwrap()));
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}

#[test]
fn a_saved_session_goes_on_under_the_other_adapter() {
    moves::<Hyper, Blocking>();
    moves::<Blocking, Hyper>();
}

#[test]
fn a_saved_session_goes_on_under_the_same_adapter() {
    moves::<Hyper, Hyper>();
    moves::<Blocking, Blocking>();
}

fn moves<From: Subject, To: Subject>() {
    let world = World::new();
    let from: From = world.connect();
    world.pass_seconds(600);
    let old = from.credentials(LeaseId::Access).unwrap();
    let saved = from.export().unwrap().to_json();
    from.close();
    // Without the login: what is saved is enough.
    let to: To = world.try_build(world.stranger().import(saved.expose().as_bytes())).unwrap();
    let taken_up = to.credentials(LeaseId::Access).unwrap();
    assert_eq!(taken_up.access().expose(), old.access().expose());
    assert_eq!(taken_up.expires_at(), old.expires_at());
    assert_eq!(taken_up.aws_expires_at(), old.aws_expires_at());
    assert_eq!(to.account_id().unwrap(), NavienSettings::EMAIL);
    to.settle();
    assert_eq!(world.requests(), 1);
    world.pass(EXPIRY);
    for lease_id in LeaseId::ALL {
        let to = to.clone();
        let renewed = within(LONG, move || to.credentials(lease_id)).unwrap().unwrap();
        assert!(world.accepts(lease_id, &renewed));
    }
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
}
