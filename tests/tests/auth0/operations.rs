//! What the site's own client does: authenticate, validate, ensure, log out, call the API.

use std::thread;
use std::time::Duration;

use perennial_adapter::Clock;
use perennial_core::providers::auth0::{JwtStatus, validate};
use perennial_core::{Error, ServiceErrorKind, SessionError, SignOut, State};
use perennial_emulator::{Auth0Settings, Emulator, Endpoint};

use crate::sides::{Side, both};
use crate::{DAY, HOUR, WALK, World, kind, login, wrong_login};

both![
    authenticate_walks_the_pages_once,
    a_walk_over_tls_reaches_both_hosts,
    validate_session_asks_nobody,
    ensure_valid_session_signs_in_only_when_it_must,
    many_callers_share_one_walk,
    log_out_drops_the_token_and_keeps_the_login,
];

fn authenticate_walks_the_pages_once<S: Side>() {
    let world = World::new();
    let grant = S::run(world.link(), world.provider().sign_in(&login())).unwrap();
    let auth0 = world.emulator.auth0();
    assert!(auth0.is_token_valid(grant.access.unwrap().expose()));
    assert_eq!(grant.account.unwrap().id, Auth0Settings::EMAIL);
    assert_eq!((auth0.sign_ins(), auth0.broken_walks()), (1, 0));
    let walked: Vec<_> = world.emulator.requests().iter().map(|request| request.endpoint.unwrap()).collect();
    // The callback, and where it leads.
    assert_eq!(walked, [&WALK[..], &[Endpoint::Auth0Landing]].concat());

    let error = S::run(world.link(), world.provider().sign_in(&wrong_login())).unwrap_err();
    assert_eq!(kind(&error), Some(ServiceErrorKind::InvalidCredentials));
}

fn a_walk_over_tls_reaches_both_hosts<S: Side>() {
    let world = World::start(|_| (), Emulator::builder().https());
    assert!(world.emulator.auth0_auth_url().starts_with("https://localhost:"));
    let session: S = world.connect();
    assert!(world.accepts(&session.credentials().unwrap()));
    assert!(world.emulator.requests().iter().all(|request| request.tls));
    assert_eq!(world.emulator.auth0().broken_walks(), 0);
}

fn validate_session_asks_nobody<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let token = session.credentials().unwrap().access().expose().to_owned();
    let asked = world.requests();
    let JwtStatus::ValidUntil(end) = validate(&token, world.clock.now()) else { panic!("it is valid") };
    // Dates have whole seconds.
    let after = |time| world.clock.now().wall.saturating_add(time);
    assert!((after(DAY - Duration::from_secs(1))..=after(DAY)).contains(&end));
    world.clock.advance(DAY + HOUR);
    assert_eq!(validate(&token, world.clock.now()), JwtStatus::ExpiredAt(end));
    assert_eq!(validate("garbage", world.clock.now()), JwtStatus::Unreadable);
    assert_eq!(world.requests(), asked);
}

fn ensure_valid_session_signs_in_only_when_it_must<S: Side>() {
    let world = World::new();
    let session: S = world.build();
    assert!(!session.is_authenticated());
    let first = session.credentials().unwrap();
    assert!(session.is_authenticated() && world.accepts(&first));
    for _ in 0..10 {
        assert_eq!(session.credentials().unwrap().access().expose(), first.access().expose());
    }
    session.settle();
    assert_eq!(world.emulator.auth0().sign_ins(), 1);
    world.pass(DAY + HOUR);
    let second = session.credentials().unwrap();
    assert!(world.accepts(&second) && second.access().expose() != first.access().expose());
    assert_eq!(world.emulator.auth0().sign_ins(), 2);

    let nobody = S::build(world.link(), world.stranger()).unwrap();
    assert!(matches!(nobody.credentials(), Err(Error::Session(SessionError::NoLogin))));
}

fn many_callers_share_one_walk<S: Side>() {
    let world = World::new();
    let session: S = world.build();
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let session = session.clone();
            thread::spawn(move || session.credentials().unwrap())
        })
        .collect();
    for caller in callers {
        assert!(world.accepts(&caller.join().unwrap()));
    }
    assert_eq!(world.emulator.auth0().sign_ins(), 1);
}

fn log_out_drops_the_token_and_keeps_the_login<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let asked = world.requests();
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(!session.is_authenticated() && session.export().is_none());
    assert!(session.has_login());
    assert!(matches!(session.credentials(), Err(Error::Session(SessionError::SignedOut))));
    world.pass_for(&session, DAY);
    assert_eq!((world.requests(), session.state()), (asked, State::SignedOut));
    // The login is there indeed: nobody gives it again.
    assert!(world.accepts(&session.sign_in_again().unwrap()));
    assert_eq!((world.emulator.auth0().sign_ins(), session.state()), (2, State::Live));

    session.sign_out(SignOut::ForgetLogin).unwrap();
    assert!(!session.has_login());
    assert!(matches!(session.sign_in_again(), Err(Error::Session(SessionError::NoLogin))));
}
