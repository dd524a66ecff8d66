//! How sessions go on: renewed where they were begun, saved, refused, ended.

use std::thread;

use perennial_core::providers::mosaia::{Checked, SignInMethod};
use perennial_core::{Error, ImportError, SessionError, SignOut, State};
use perennial_emulator::{Endpoint, ExpType, ExpUnit, Fault, MosaiaSettings, RefreshPaths};

use crate::both_sides;
use crate::place::{A_WHILE, CLIENT_ID, EMAIL, EXPIRY, Place, Side, person, robot, saved};

both_sides![
    what_a_password_began_is_refreshed_where_it_began,
    what_a_secret_began_is_refreshed_where_it_began,
    what_a_browser_began_is_refreshed_at_the_token_endpoint,
    a_missing_place_of_refreshes_is_remembered,
    no_place_of_refreshes_is_waited_out,
    a_refused_refresh_falls_to_the_login,
    a_lost_refresh_is_not_repeated_where_a_login_is_at_hand,
    how_a_session_was_begun_survives_saving,
    a_saved_session_of_another_program_is_refused,
    a_refused_call_renews_once,
    a_rotated_token_is_never_used_again,
    a_sign_out_is_told_to_the_service,
    every_form_of_an_end_is_understood,
];

fn what_a_password_began_is_refreshed_where_it_began<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    for _ in 0..3 {
        place.pass(EXPIRY);
        assert!(place.accepts(&session.credentials().unwrap()));
    }
    let held = session.credentials().unwrap();
    assert_eq!((held.account().id.as_str(), SignInMethod::of(&held)), (EMAIL, Some(SignInMethod::Password)));
    assert_eq!((place.service().sign_ins(), place.service().refreshes()), (1, 3));
    for request in place.requests_to(Endpoint::MosaiaSignIn) {
        assert!(request.header("authorization").is_none(), "a stale one would go out with it");
    }
}

fn what_a_secret_began_is_refreshed_where_it_began<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(robot());
    place.pass(EXPIRY);
    let held = session.credentials().unwrap();
    assert!(place.accepts(&held));
    assert_eq!((held.account().id.as_str(), SignInMethod::of(&held)), (CLIENT_ID, Some(SignInMethod::Client)));
    assert_eq!((place.service().client_sign_ins(), place.service().refreshes()), (1, 1));
}

fn what_a_browser_began_is_refreshed_at_the_token_endpoint<S: Side>() {
    let place = Place::new();
    let session: S = place.consented();
    for _ in 0..3 {
        place.pass(EXPIRY);
        assert!(place.accepts(&session.credentials().unwrap()));
    }
    assert_eq!(SignInMethod::of(&session.credentials().unwrap()), Some(SignInMethod::OAuth));
    assert_eq!((place.service().oauth_refreshes(), place.service().refreshes()), (3, 0));
    for request in &place.requests_to(Endpoint::MosaiaToken)[1..] {
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert!(body.contains("grant_type=refresh_token") && !body.contains("client_id"), "{body}");
        assert!(request.header("authorization").is_none());
    }
}

fn a_missing_place_of_refreshes_is_remembered<S: Side>() {
    let place = Place::with(|settings| settings.refresh_paths = RefreshPaths::Unversioned);
    let session: S = place.consented();
    let asked = |path: &str| place.asked().iter().filter(|asked| *asked == path).count();
    for _ in 0..3 {
        place.pass(EXPIRY);
        assert!(place.accepts(&session.credentials().unwrap()));
    }
    // The exchange of the code, and one refresh that found nothing there.
    assert_eq!((asked("POST /v1/auth/token"), asked("POST /auth/token")), (2, 3));
    // A saved session knows it too.
    let again = S::build(place.stranger().import(saved(&session))).unwrap();
    place.pass(EXPIRY);
    assert!(place.accepts(&again.credentials().unwrap()));
    assert_eq!(asked("POST /v1/auth/token"), 2);
    assert_eq!(place.service().reuse_detected(), 0);
}

fn no_place_of_refreshes_is_waited_out<S: Side>() {
    let place = Place::with(|settings| settings.refresh_paths = RefreshPaths::Neither);
    let session: S = place.consented();
    place.pass(EXPIRY);
    let error = session.credentials().unwrap_err();
    assert!(error.is_retryable() && error.retry_at().is_some(), "{error:?}");
    assert_eq!(session.state(), State::Waiting);
}

fn a_refused_refresh_falls_to_the_login<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    place.service().revoke_refresh(EMAIL);
    place.pass(EXPIRY);
    assert!(place.accepts(&session.credentials().unwrap()));
    assert_eq!((place.service().refused_refreshes(), place.service().sign_ins()), (1, 2));
}

fn a_lost_refresh_is_not_repeated_where_a_login_is_at_hand<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    place.emulator.fault(Endpoint::MosaiaSignIn, Fault::LostAnswer);
    place.pass(EXPIRY);
    assert!(place.accepts(&session.credentials().unwrap()));
    let service = place.service();
    assert_eq!((service.refreshes(), service.sign_ins(), service.reuse_detected()), (1, 2, 0));
}

fn how_a_session_was_begun_survives_saving<S: Side>() {
    for by in [SignInMethod::Password, SignInMethod::Client, SignInMethod::OAuth] {
        let place = Place::new();
        let session: S = match by {
            SignInMethod::Client => place.signed_in(robot()),
            SignInMethod::OAuth => place.consented(),
            _ => place.signed_in(person()),
        };
        let old = session.credentials().unwrap();
        let again = S::build(place.stranger().import(saved(&session))).unwrap();
        let new = again.credentials().unwrap();
        assert_eq!((new.access().expose(), new.expires_at()), (old.access().expose(), old.expires_at()));
        assert_eq!((SignInMethod::of(&new), new.grant_type()), (Some(by), Some(by.name())));
        assert_eq!(new.account(), old.account());
        // It goes on where it was begun: the service takes a refresh token nowhere else.
        place.pass(EXPIRY);
        let renewed = again.credentials().unwrap();
        assert!(place.accepts(&renewed));
        assert_eq!(SignInMethod::of(&renewed), Some(by));
        assert_eq!((place.service().refused_refreshes(), place.service().reuse_detected()), (0, 0));
    }
}

fn a_saved_session_of_another_program_is_refused<S: Side>() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let session: S = place.signed_in(person());
    let refused = |setup| match S::build(setup) {
        Err(Error::Session(SessionError::SavedSession(error))) => error,
        _ => panic!("taken up"),
    };
    let saved = saved(&session);
    assert_eq!(refused(elsewhere.stranger().import(&*saved)), ImportError::OtherProvider);
    assert_eq!(refused(place.stranger().login(robot()).import(&*saved)), ImportError::OtherAccount);
}

fn a_refused_call_renews_once<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    let call = || {
        let held = session.credentials().unwrap();
        let told = S::run(place.provider().check(held.access())).unwrap();
        if told == Checked::Refused {
            session.rejected(&held);
            return S::run(place.provider().check(session.credentials().unwrap().access())).unwrap();
        }
        told
    };
    place.pass(A_WHILE);
    place.service().revoke_access(EMAIL);
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(call)).collect();
        for call in calls {
            assert!(matches!(call.join().unwrap(), Checked::Accepted(_)));
        }
    });
    assert_eq!((place.service().refreshes(), place.service().sign_ins()), (1, 1));
}

fn a_rotated_token_is_never_used_again<S: Side>() {
    let place = Place::new();
    let sessions: [S; 2] = [place.signed_in(person()), place.consented()];
    for _ in 0..10 {
        place.pass(EXPIRY);
        thread::scope(|scope| {
            for session in &sessions {
                for _ in 0..4 {
                    scope.spawn(|| assert!(place.accepts(&session.credentials().unwrap())));
                }
            }
        });
    }
    let service = place.service();
    assert_eq!((service.refreshes(), service.oauth_refreshes()), (10, 10));
    assert_eq!((service.reuse_detected(), service.refused_refreshes()), (0, 0));
}

fn a_sign_out_is_told_to_the_service<S: Side>() {
    let place = Place::new();
    let session: S = place.signed_in(person());
    let held = session.credentials().unwrap();
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(!place.accepts(&held) && session.export().is_none());
    let request = &place.requests_to(Endpoint::MosaiaSignOut)[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("DELETE", "/mosaia/v1/auth/signout"));
    assert_eq!(request.json().unwrap()["token"], held.access().expose());
    assert_eq!(request.header("authorization").unwrap(), format!("Bearer {}", held.access().expose()));
    let error = session.credentials().unwrap_err();
    assert!(matches!(error, Error::Session(SessionError::SignedOut)), "{error:?}");

    // Even if the service fails it is over here, and that is said.
    let held = session.sign_in(person()).unwrap();
    place.emulator.fault(Endpoint::MosaiaSignOut, Fault::status(500));
    let error = session.sign_out(SignOut::KeepLogin).unwrap_err();
    assert!(matches!(&error, Error::Service(error) if error.status().is_some_and(|status| status == 500)), "{error:?}");
    assert_eq!((session.state(), place.accepts(&held)), (State::SignedOut, true));
    assert_eq!(place.service().sign_outs(), 1);
}

fn every_form_of_an_end_is_understood<S: Side>() {
    for exp_unit in [ExpUnit::Seconds, ExpUnit::Millis] {
        for exp_type in [ExpType::Number, ExpType::Text] {
            for skew in [-7200, 0, 7200] {
                let place = Place::with(|settings: &mut MosaiaSettings| {
                    (settings.exp_unit, settings.exp_type) = (exp_unit, exp_type);
                });
                place.emulator.skew(skew);
                for session in [place.signed_in(person()), place.consented::<S>()] {
                    let lifetime = session.credentials().unwrap().access().validity().lifetime().unwrap();
                    assert!(
                        (3598..=3601).contains(&lifetime.as_secs()),
                        "{exp_unit:?} {exp_type:?} {skew}: {lifetime:?}"
                    );
                }
            }
        }
    }
    let place = Place::new();
    let session: S = place.signed_in(person());
    place.emulator.fault(Endpoint::MosaiaSignIn, Fault::Lifetime { field: "exp".to_owned(), json: "soon".into() });
    place.pass(EXPIRY);
    let held = session.credentials().unwrap();
    // Usable, and said to be unknown.
    assert!(place.accepts(&held) && held.expires_at().is_none());
    assert!(!matches!(session.state(), State::SignInRequired));
}
