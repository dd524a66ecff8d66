//! What goes without a session.

use perennial_core::providers::mosaia::Checked;
use perennial_core::{Secret, ServiceErrorKind, SignOut};
use perennial_emulator::Endpoint;
use perennial_tests::{Secrets, everything_said};

use crate::both_sides;
use crate::place::{EMAIL, Place, Side, is_service, person, robot};

both_sides![
    a_given_token_is_refreshed_without_a_session,
    a_given_token_is_signed_out_without_a_session,
    an_api_call_tells_what_a_token_is_worth,
    nothing_secret_is_said,
];

fn a_given_token_is_refreshed_without_a_session<S: Side>() {
    let place = Place::new();
    let provider = place.provider();
    let mut token = S::run(provider.sign_in(&person())).unwrap().refresh_token.unwrap();
    for _ in 0..2 {
        let grant = S::run(provider.refresh(&token)).unwrap();
        assert!(place.service().is_access_valid(grant.access.unwrap().expose()));
        let spent = std::mem::replace(&mut token, grant.refresh_token.unwrap());
        assert!(!place.service().is_refresh_valid(spent.expose()));
    }
    let mut token = S::run(place.code_exchange::<S>()).unwrap().refresh_token.unwrap();
    for _ in 0..2 {
        let grant = S::run(provider.refresh_oauth(&token)).unwrap();
        assert_eq!(grant.grant_type, Some("oauth"));
        assert!(place.service().is_access_valid(grant.access.unwrap().expose()));
        token = grant.refresh_token.unwrap();
    }
    assert_eq!((place.service().refreshes(), place.service().oauth_refreshes()), (2, 2));
    let nonsense = Secret::from("nonsense");
    for error in [S::run(provider.refresh(&nonsense)), S::run(provider.refresh_oauth(&nonsense))] {
        assert!(is_service(&error.unwrap_err(), ServiceErrorKind::RefreshRefused));
    }
    assert_eq!(place.service().reuse_detected(), 0);
}

fn a_given_token_is_signed_out_without_a_session<S: Side>() {
    let place = Place::new();
    let access = S::run(place.provider().sign_in(&person())).unwrap().access.unwrap();
    S::run(place.provider().sign_out_token(&access)).unwrap();
    assert!(!place.service().is_access_valid(access.expose()));
    assert_eq!((place.service().sign_outs(), place.service().live_sessions(EMAIL)), (1, 0));
    // Signed out is signed out, however often it is said.
    S::run(place.provider().sign_out_token(&access)).unwrap();
    let requests = place.requests_to(Endpoint::MosaiaSignOut);
    assert!(requests.iter().all(|request| !request.path.contains(access.expose())));
}

fn an_api_call_tells_what_a_token_is_worth<S: Side>() {
    let place = Place::new();
    let check = |access| S::run(place.provider().check(access)).unwrap();
    let access = S::run(place.provider().sign_in(&person())).unwrap().access.unwrap();
    let Checked::Accepted(told) = check(&access) else { panic!("refused") };
    assert_eq!(told["user"]["email"], EMAIL);
    let robots = S::run(place.provider().sign_in(&robot())).unwrap().access.unwrap();
    assert!(matches!(check(&robots), Checked::Accepted(told) if told["client"].is_object()));
    place.service().revoke_access(EMAIL);
    assert_eq!(check(&access), Checked::Refused);
    assert_eq!(place.requests_to(Endpoint::MosaiaSelf).len(), 3);
}

fn nothing_secret_is_said<S: Side>() {
    let place = Place::new();
    let mut secrets = Secrets::default();
    secrets.add(person().secret().expose());
    secrets.add(robot().secret().expose());
    let sessions: [S; 3] = [place.signed_in(person()), place.signed_in(robot()), place.consented()];
    let mut said = String::new();
    for session in &sessions {
        let held = session.credentials().unwrap();
        secrets.add_credentials(&held);
        said += &format!("{held:?} {:?} {:?}", held.grant_type(), session.export());
        session.sign_out(SignOut::KeepLogin).unwrap();
        said += &everything_said(&session.credentials().unwrap_err());
    }
    said += &format!("{:?} {:?} {:?}", place.heard.all(), place.provider(), place.browse::<S>().0);
    assert_eq!(secrets.shown_in(&said), None, "{said}");
    // Addresses carry none either: neither a token nor, but for the browser's, a code.
    for request in
        place.emulator.requests().iter().filter(|request| request.endpoint != Some(Endpoint::MosaiaAuthorize))
    {
        assert!(!request.path.contains('?'), "{}", request.path);
    }
}
