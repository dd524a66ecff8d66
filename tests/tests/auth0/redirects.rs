//! Cookies and redirects.

use std::time::Duration;

use http::HeaderMap;
use perennial_core::providers::auth0::{Authorization, MAX_REDIRECTS};
use perennial_emulator::{Auth0Settings, Fault, StateIn};

use crate::sides::{Side, both};
use crate::{WALK, World, is_malformed, login};

both![
    the_better_cookie_is_taken,
    an_api_call_carries_the_token_by_header_or_by_cookie,
    the_state_may_be_in_a_cookie,
    redirects_before_the_first_page_are_followed,
    a_loop_of_redirects_ends_in_an_error,
    a_redirect_to_another_host_is_never_followed,
];

fn the_better_cookie_is_taken<S: Side>() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (set, taken) in [
        (&["angel_jwt", "angel_jwt_v2"][..], "angel_jwt_v2"),
        (&["angel_jwt_v2", "angel_jwt"], "angel_jwt_v2"),
        (&["angel_jwt"], "angel_jwt"),
        (&["other", "angel_jwt_v2"], "angel_jwt_v2"),
    ] {
        let world = World::with(|settings| settings.jwt_cookies = names(set));
        let session: S = world.connect();
        let newest = world.emulator.auth0().newest_token(Auth0Settings::EMAIL, taken).unwrap();
        assert_eq!(session.credentials().unwrap().access().expose(), newest, "{set:?}");
    }
    let world = World::with(|settings| settings.jwt_cookies = names(&["films_jwt"]));
    let error = world.build::<S>().credentials().unwrap_err();
    assert!(is_malformed(&error), "{error:?}");
    let site = world.site().cookie_names(["films_jwt"]).build().unwrap();
    let session = S::build(world.link(), world.setup_at(site).login(login())).unwrap();
    assert!(world.accepts(&session.credentials().unwrap()));
}

fn an_api_call_carries_the_token_by_header_or_by_cookie<S: Side>() {
    let world = World::new();
    for (form, name) in [(Authorization::Bearer, "authorization"), (Authorization::Cookie, "cookie")] {
        let site = world.site().authorization(form).build().unwrap();
        let session = S::build(world.link(), world.setup_at(site).login(login())).unwrap();
        let mut headers = HeaderMap::new();
        session.authorize(&mut headers).unwrap();
        assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), [name]);
        assert!(headers[name].is_sensitive());
        assert_eq!(world.call(&headers), 200);
    }
    assert_eq!(world.emulator.auth0().calls(), 2);
}

fn the_state_may_be_in_a_cookie<S: Side>() {
    let world = World::with(|settings| settings.state_in = StateIn::Cookie);
    let session: S = world.connect();
    assert!(world.accepts(&session.credentials().unwrap()));
    assert_eq!(world.emulator.auth0().broken_walks(), 0);
}

fn redirects_before_the_first_page_are_followed<S: Side>() {
    for (before, after, status) in [(3, 4, 301), (MAX_REDIRECTS as usize, 7, 303)] {
        let world = World::with(|settings| {
            settings.login_redirects = before;
            settings.callback_redirects = after;
            settings.redirect_status = status;
        });
        let session: S = world.connect();
        assert!(world.accepts(&session.credentials().unwrap()));
        // Three pages, and the three redirects of every sign-in beside these.
        assert_eq!(world.requests(), 3 + before + 3 + after);
    }
}

fn a_loop_of_redirects_ends_in_an_error<S: Side>() {
    let limit = MAX_REDIRECTS as usize;
    for (before, after, asked) in [(usize::MAX, 0, 1 + limit), (0, usize::MAX, 3 + limit)] {
        let world = World::with(|settings| {
            settings.login_redirects = before;
            settings.callback_redirects = after;
        });
        let session: S = world.build();
        let error = session.credentials().unwrap_err();
        assert!(is_malformed(&error) && error.is_retryable(), "{error:?}");
        assert_eq!(world.requests(), asked);
        world.emulator.auth0().configure(|settings| (settings.login_redirects, settings.callback_redirects) = (0, 0));
        world.pass(Duration::from_secs(5));
        assert!(world.accepts(&session.credentials().unwrap()));
    }
}

fn a_redirect_to_another_host_is_never_followed<S: Side>() {
    for endpoint in WALK {
        for status in [301, 302, 303, 307, 308] {
            let world = World::new();
            let session: S = world.build();
            world.emulator.fault(endpoint, Fault::Redirect(status));
            let error = session.credentials().unwrap_err();
            assert!(is_malformed(&error) && error.is_retryable(), "{endpoint:?} {status}: {error:?}");
            assert!(world.emulator.trap_requests().is_empty(), "{endpoint:?} {status}");
            world.pass(Duration::from_secs(5));
            assert!(world.accepts(&session.credentials().unwrap()));
        }
    }
}
