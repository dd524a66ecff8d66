//! The four ways to begin a session, and what stands in their way.

use perennial_core::oauth2::{AuthorizationError, ErrorCode};
use perennial_core::providers::mosaia::{Login, Mosaia, SignInMethod, bare_token};
use perennial_core::{Error, FromEnv, Provider, ServiceErrorKind, SessionError, State};
use perennial_emulator::{Consent, Endpoint, Fault, Refusals};

use crate::both_sides;
use crate::place::{A_WHILE, CLIENT_ID, EMAIL, EXPIRY, Place, Side, is_service, person, robot};

both_sides![
    settings_are_explicit_and_come_from_the_environment_too,
    a_password_signs_in,
    a_programs_secret_signs_in,
    a_browser_signs_in_there_and_back,
    a_browser_that_brings_a_no_signs_nobody_in,
    a_code_is_good_for_its_own_sign_in_only,
    a_bare_token_makes_a_session,
    refusals_are_typed,
];

fn settings_are_explicit_and_come_from_the_environment_too<S: Side>() {
    let (here, there) = (Place::new(), Place::new());
    let one: S = here.signed_in(person());
    // Another configuration beside it: neither knows of the other.
    let url = there.emulator.mosaia_url();
    let (provider, login) = Mosaia::from_env(&|name| {
        Some(match name {
            "MOSAIA_API_URL" => url.clone(),
            "MOSAIA_CLIENT_ID" => CLIENT_ID.to_owned(),
            "MOSAIA_CLIENT_SECRET" => robot().secret().expose().to_owned(),
            _ => return None,
        })
    })
    .unwrap();
    assert_eq!((provider.api_url(), provider.name()), (&*format!("{url}/v1"), "mosaia"));
    let grant = S::run(provider.sign_in(&login.unwrap())).unwrap();
    assert!(there.service().is_access_valid(grant.access.unwrap().expose()));
    assert!(here.accepts(&one.credentials().unwrap()));
    assert_eq!((here.emulator.requests().len(), there.emulator.requests().len()), (1, 1));
}

fn a_password_signs_in<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    let held = session.credentials().unwrap();
    assert!(place.accepts(&held));
    assert_eq!((held.account().id.as_str(), SignInMethod::of(&held)), (EMAIL, Some(SignInMethod::Password)));
    assert_eq!(held.extra("sub"), Some("user-1".into()));
    assert_eq!(place.asked(), ["POST /v1/auth/signin"]);
    assert_eq!(place.service().sign_ins(), 1);
}

fn a_programs_secret_signs_in<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(robot());
    let held = session.credentials().unwrap();
    assert!(place.accepts(&held));
    assert_eq!((held.account().id.as_str(), SignInMethod::of(&held)), (CLIENT_ID, Some(SignInMethod::Client)));
    assert_eq!(place.service().client_sign_ins(), 1);
}

fn a_browser_signs_in_there_and_back<S: Side>() {
    let place = Place::new();
    let session: S = place.consented();
    let held = session.credentials().unwrap();
    assert!(place.accepts(&held));
    assert_eq!((held.account().id.as_str(), SignInMethod::of(&held)), ("user-1", Some(SignInMethod::OAuth)));
    assert_eq!(place.asked(), ["GET /oauth", "POST /v1/auth/token"]);
    // The service compared verifier and challenge.
    assert_eq!((place.service().code_exchanges(), place.service().refused_codes()), (1, 0));
    assert!(place.requests_to(Endpoint::MosaiaAuthorize)[0].path.contains("scope=read%2Cwrite"));
    assert!(place.requests_to(Endpoint::MosaiaToken)[0].header("authorization").is_none());
}

fn a_browser_that_brings_a_no_signs_nobody_in<S: Side>() {
    let place = Place::with(|settings| settings.consent = Consent::Denied);
    let (pending, redirect) = place.browse::<S>();
    let error = place.provider().exchange_code(pending, &redirect, place.now()).unwrap_err();
    let AuthorizationError::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!(refusal.code(), ErrorCode::AccessDenied);
    assert_eq!(place.asked(), ["GET /oauth"]);
}

fn a_code_is_good_for_its_own_sign_in_only<S: Side>() {
    let place = Place::new();
    let (pending, redirect) = place.browse::<S>();
    // Somebody else's redirect: its state is not the one that was sent.
    let forged = redirect.replace("state=", "state=x");
    let error = place.provider().exchange_code(pending, &forged, place.now()).unwrap_err();
    assert_eq!(error, AuthorizationError::State);
    assert_eq!(place.asked(), ["GET /oauth"]);

    // An answer that is lost has used the code all the same: it is not sent again by itself.
    let exchange = place.code_exchange::<S>();
    place.emulator.fault(Endpoint::MosaiaToken, Fault::LostAnswer);
    assert!(matches!(S::run(exchange), Err(Error::Transport(_))));
    assert_eq!(place.requests_to(Endpoint::MosaiaToken).len(), 1);

    // Too late.
    let exchange = place.code_exchange::<S>();
    place.emulator.advance(EXPIRY);
    let error = S::run(exchange).unwrap_err();
    assert!(is_service(&error, ServiceErrorKind::InvalidCredentials), "{error:?}");
    assert_eq!(place.service().reuse_detected(), 0);
}

fn a_bare_token_makes_a_session<S: Side>() {
    let place = Place::new();
    let lent = S::run(place.provider().sign_in(&person())).unwrap().access.unwrap();
    let session = S::build(place.stranger()).unwrap();
    session.accept(bare_token(lent.expose(), place.now()).unwrap());
    let held = session.credentials().unwrap();
    assert_eq!((held.access().expose(), SignInMethod::of(&held)), (lent.expose(), Some(SignInMethod::Token)));
    // It is a JWT, and says when it ends.
    assert!(held.expires_at().is_some());

    // Refused, it cannot be renewed: somebody has to sign in.
    place.pass(A_WHILE);
    place.service().revoke_access(EMAIL);
    session.rejected(&held);
    let error = session.credentials().unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::SignInRequired { .. })), "{error:?}");
    assert_eq!(session.state(), State::SignInRequired);
    let held = session.sign_in(person()).unwrap();
    assert!(place.accepts(&held));
    assert_eq!(SignInMethod::of(&held), Some(SignInMethod::Password));
}

fn refusals_are_typed<S: Side>() {
    for refusals in [Refusals::Status, Refusals::Envelope] {
        let place = Place::with(|settings| settings.refusals = refusals);
        place.service().add_account("locked@example.com", "x");
        place.service().lock_account("locked@example.com");
        for (email, kind) in [
            (EMAIL, ServiceErrorKind::InvalidCredentials),
            ("nobody@example.com", ServiceErrorKind::UserNotFound),
            ("locked@example.com", ServiceErrorKind::AccountLocked),
        ] {
            let before = place.emulator.requests().len();
            let session = S::build(place.stranger().login(Login::password(email, "wrong").unwrap())).unwrap();
            for _ in 0..3 {
                let error = session.credentials().unwrap_err();
                assert!(is_service(&error, kind), "{error:?}");
                assert!(!error.to_string().contains(email), "{error}");
                place.pass(EXPIRY);
            }
            // Refused once, a login is not tried again: accounts get locked.
            assert_eq!(place.emulator.requests().len(), before + 1);
            assert!(place.accepts(&session.sign_in(person()).unwrap()));
        }
        let wrong = Login::client(CLIENT_ID, "wrong").unwrap();
        let error = S::run(place.provider().sign_in(&wrong)).unwrap_err();
        assert!(is_service(&error, ServiceErrorKind::InvalidCredentials), "{error:?}");
        assert_eq!(place.service().refused_sign_ins(), 4);
        assert_eq!(place.provider().account_id(&wrong), Some(CLIENT_ID));
    }
}
