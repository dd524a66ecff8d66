//! Tokens that are saved, restored, kept elsewhere, broken, refused.

use http::HeaderMap;
use perennial_adapter::Clock;
use perennial_core::providers::auth0::Login;
use perennial_core::{Error, ImportError, SessionError};
use perennial_emulator::Auth0Settings;

use crate::sides::{Side, both};
use crate::{DAY, HOUR, World, login};

both![
    a_token_is_saved_and_restored_without_the_login,
    a_token_kept_elsewhere_is_taken_up,
    a_broken_stored_token_is_an_error_once_and_signing_in_works,
    a_stored_token_that_the_site_refuses_is_renewed_once,
];

fn a_token_is_saved_and_restored_without_the_login<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let saved = session.export().unwrap().to_json();
    assert!(!saved.expose().contains(Auth0Settings::PASSWORD));
    let asked = world.requests();
    world.pass(HOUR);
    // Without a login it serves to its end.
    let restored = S::build(world.link(), world.stranger().import(saved.expose())).unwrap();
    let held = restored.credentials().unwrap();
    assert_eq!(held.access().expose(), session.credentials().unwrap().access().expose());
    assert_eq!(held.expires_at(), session.credentials().unwrap().expires_at());
    assert!(!restored.has_login());
    // With one it goes on.
    let both = S::build(world.link(), world.stranger().login(login()).import(saved.expose())).unwrap();
    both.credentials().unwrap();
    assert_eq!(world.requests(), asked);
    world.pass(DAY);
    assert!(matches!(restored.credentials(), Err(Error::Session(_))));
    assert!(world.accepts(&both.credentials().unwrap()));
    // Another account's is refused.
    let other = Login::new("other@example.com", "x").unwrap();
    let error = S::build(world.link(), world.stranger().login(other).import(saved.expose())).err().unwrap();
    assert!(matches!(error, Error::Session(SessionError::SavedSession(ImportError::OtherAccount))), "{error:?}");
}

fn a_token_kept_elsewhere_is_taken_up<S: Side>() {
    let world = World::new();
    let first: S = world.connect();
    let token = first.credentials().unwrap().access().expose().to_owned();
    let asked = world.requests();
    let bare = S::build(world.link(), world.stranger().import(token.as_str())).unwrap();
    assert_eq!(bare.credentials().unwrap().access().expose(), token);
    let session: S = world.build();
    session.accept(world.provider().from_token(&token, world.clock.now()).unwrap()).unwrap();
    assert_eq!(session.credentials().unwrap().access().expose(), token);
    assert_eq!(world.requests(), asked);
    // It is renewed like any other.
    let renewed = session.next_issue_after(|| world.pass(DAY - HOUR));
    assert!(world.accepts(&renewed) && renewed.access().expose() != token);
}

fn a_broken_stored_token_is_an_error_once_and_signing_in_works<S: Side>() {
    let world = World::new();
    let session: S = world.connect();
    let token = session.credentials().unwrap().access().expose().to_owned();
    let saved = session.export().unwrap().to_json();
    let torn = &saved.expose()[..saved.expose().len() / 2];
    for broken in [saved.expose().replace(&token, "garbage").as_str(), torn, "garbage", "", "{}"] {
        let setup = || world.stranger().login(login());
        let error = S::build(world.link(), setup().import(broken)).err().unwrap();
        assert!(
            matches!(error, Error::Session(SessionError::SavedSession(ImportError::Malformed { .. }))),
            "{error:?}"
        );
        let fresh = S::build(world.link(), setup()).unwrap();
        assert!(world.accepts(&fresh.credentials().unwrap()));
    }
    // One that has ended is no error: it is renewed when it is asked for.
    world.pass(DAY + HOUR);
    let restored = S::build(world.link(), world.stranger().login(login()).import(saved.expose())).unwrap();
    assert!(world.accepts(&restored.credentials().unwrap()));
}

fn a_stored_token_that_the_site_refuses_is_renewed_once<S: Side>() {
    let world = World::new();
    let saved = world.connect::<S>().export().unwrap().to_json();
    world.emulator.auth0().revoke_tokens(Auth0Settings::EMAIL);
    let session = S::build(world.link(), world.stranger().login(login()).import(saved.expose())).unwrap();
    let mut headers = HeaderMap::new();
    let refused = session.authorize(&mut headers).unwrap();
    assert_eq!(world.call(&headers), 401);
    for _ in 0..100 {
        session.rejected(&refused);
    }
    session.authorize(&mut headers).unwrap();
    assert_eq!(world.call(&headers), 200);
    assert_eq!(world.emulator.auth0().sign_ins(), 2);
}
