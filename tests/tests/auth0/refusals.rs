//! Refusals, and failures that are none.

use std::sync::Arc;
use std::time::Duration;

use perennial_core::{Credentials, Error, Event, Provider, ServiceErrorKind, State, TransportErrorKind};
use perennial_emulator::{Auth0Settings, Endpoint, Fault, RefusalPage};
use perennial_tests::{Secrets, everything_said};

use crate::sides::{Side, both};
use crate::{DAY, HOUR, WALK, World, generation, is_malformed, kind, login, wrong_login};

both![
    a_wrong_password_is_tried_once,
    a_locked_account_is_told_apart,
    a_502_is_no_wrong_password,
    a_failing_site_takes_no_token_away,
    a_captive_portal_is_neither_success_nor_refusal,
    a_stalled_page_ends_at_the_sites_timeout,
    no_fault_anywhere_refuses_a_login_or_stays,
    nothing_secret_is_said,
];

fn a_wrong_password_is_tried_once<S: Side>() {
    for refusal in [RefusalPage::Ok, RefusalPage::BadRequest] {
        let world = World::with(|settings| settings.refusal = refusal);
        let session = S::build(world.link(), world.stranger().login(wrong_login())).unwrap();
        for _ in 0..5 {
            let error = session.credentials().unwrap_err();
            assert_eq!(kind(&error), Some(ServiceErrorKind::InvalidCredentials), "{error:?}");
            assert!(!error.is_retryable());
            world.pass_for(&session, HOUR);
        }
        assert_eq!((session.state(), session.has_login()), (State::SignInRequired, false));
        assert_eq!((world.requests(), world.emulator.auth0().refused_sign_ins()), (3, 1));
        assert!(world.accepts(&session.sign_in(login()).unwrap()));
    }
    // A password that was changed meanwhile: the token serves to its end, the login is tried once.
    let world = World::new();
    let session: S = world.connect();
    world.emulator.auth0().change_password(Auth0Settings::EMAIL, "another");
    world.pass_for(&session, DAY - HOUR);
    assert!(world.has_heard(|event| matches!(event, Event::Fallback { .. } | Event::Failed { .. })));
    assert_eq!(generation(&session.credentials().unwrap()), 1);
    world.pass(2 * HOUR);
    assert_eq!(kind(&session.credentials().unwrap_err()), Some(ServiceErrorKind::InvalidCredentials));
    assert_eq!(world.emulator.auth0().refused_sign_ins(), 1);
}

fn a_locked_account_is_told_apart<S: Side>() {
    let world = World::new();
    world.emulator.auth0().lock_account(Auth0Settings::EMAIL);
    let session: S = world.build();
    for _ in 0..3 {
        let error = session.credentials().unwrap_err();
        assert_eq!(kind(&error), Some(ServiceErrorKind::AccountLocked), "{error:?}");
    }
    assert_eq!(world.emulator.auth0().refused_sign_ins(), 1);
    world.emulator.auth0().unlock_account(Auth0Settings::EMAIL);
    assert!(world.accepts(&session.sign_in(login()).unwrap()));
}

fn a_502_is_no_wrong_password<S: Side>() {
    for endpoint in WALK {
        let world = World::new();
        let session: S = world.build();
        world.emulator.fault(endpoint, Fault::status(502));
        let error = session.credentials().unwrap_err();
        assert_eq!(kind(&error), Some(ServiceErrorKind::Service), "{endpoint:?}: {error:?}");
        assert!(error.is_retryable() && session.has_login());
        world.pass(Duration::from_secs(5));
        assert!(world.accepts(&session.credentials().unwrap()));
    }
}

fn a_failing_site_takes_no_token_away<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    for endpoint in WALK {
        world.emulator.fault_always(endpoint, Fault::status(502));
    }
    world.pass_for(&session, DAY - HOUR);
    assert!(world.has_heard(|event| matches!(event, Event::Failed { .. })));
    let held = session.credentials().unwrap();
    assert_eq!(generation(&held), 1);
    assert!(world.accepts(&held));
    let renewed = session.next_issue_after(|| {
        world.emulator.clear_faults();
        world.pass(Duration::from_secs(1800));
    });
    assert!(world.accepts(&renewed));
}

fn a_captive_portal_is_neither_success_nor_refusal<S: Side>() {
    for endpoint in WALK {
        let world = World::new();
        let session: S = world.build();
        world.emulator.fault(endpoint, Fault::CaptivePortal);
        let error = session.credentials().unwrap_err();
        assert!(is_malformed(&error) && error.is_retryable(), "{endpoint:?}: {error:?}");
        assert!(!everything_said(&error).contains("Hotel"));
        world.pass(Duration::from_secs(5));
        assert!(world.accepts(&session.credentials().unwrap()));
    }
}

fn a_stalled_page_ends_at_the_sites_timeout<S: Side>() {
    let world = World::new();
    let site = world.site().timeout(Duration::from_millis(300)).build().unwrap();
    world.emulator.fault(Endpoint::Auth0PasswordPage, Fault::Stall);
    let error = S::run(world.link(), site.sign_in(&login())).unwrap_err();
    let Error::Transport(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), TransportErrorKind::TimedOut);
}

/// Whatever goes wrong at whichever step: the login is not refused, nothing goes where it should not, and a moment
/// later a sign-in works.
fn no_fault_anywhere_refuses_a_login_or_stays<S: Side>() {
    let quick = |fault: &Fault| {
        let slow = ["stall", "drip", "endless", "huge"];
        !slow.iter().any(|word| fault.name().starts_with(word))
    };
    let world = World::new();
    for fault in Fault::all().into_iter().filter(quick) {
        for endpoint in WALK {
            let session: S = world.build();
            world.emulator.fault(endpoint, fault.clone());
            if let Err(error) = session.credentials() {
                assert!(error.is_retryable() && session.has_login(), "{endpoint:?} {fault:?}: {error:?}");
                // The longest Retry-After that is obeyed.
                world.pass(DAY);
            }
            let credentials = session.credentials().unwrap_or_else(|error| panic!("{endpoint:?} {fault:?}: {error:?}"));
            assert!(world.accepts(&credentials), "{endpoint:?} {fault:?}");
            world.emulator.clear_faults();
        }
    }
    assert!(world.emulator.trap_requests().is_empty());
    assert_eq!(world.emulator.auth0().refused_sign_ins(), 0);
}

fn nothing_secret_is_said<S: Side>() {
    let world = World::new();
    let mut secrets = Secrets::default();
    secrets.add(Auth0Settings::PASSWORD);
    secrets.add(Auth0Settings::EMAIL);
    let mut said = String::new();
    for endpoint in WALK {
        for fault in [Fault::CaptivePortal, Fault::status(403), Fault::LostAnswer, Fault::Redirect(302)] {
            let session: S = world.build();
            world.emulator.fault(endpoint, fault);
            said += &everything_said(&session.credentials().unwrap_err());
            world.pass(Duration::from_secs(5));
            secrets.add_credentials(&session.credentials().unwrap());
        }
    }
    let session = S::build(world.link(), world.stranger().login(wrong_login())).unwrap();
    said += &everything_said(&session.credentials().unwrap_err());
    said += &format!("{:?} {:?}", world.provider(), world.provider().sign_in(&login()));
    for event in world.heard.all() {
        said += &format!("{event} {event:?}");
    }
    for request in world.emulator.requests() {
        let mut fields = request.path.split(['?', '&', '=']);
        assert!(!fields.any(|field| field.contains("horse")), "the password in an address");
        for cookie in request.header("cookie").unwrap_or_default().split("; ") {
            secrets.add(cookie.split_once('=').unwrap_or_default().1);
        }
    }
    assert_eq!(secrets.shown_in(&said), None);
    assert!(world.provider().sign_out(&session_credentials::<S>(&world)).is_none());
}

fn session_credentials<S: Side>(world: &World) -> Arc<Credentials> {
    world.connect::<S>().credentials().unwrap()
}
