//! Signing out, and coming back: here and in every other session on the store.

use std::time::Duration;

use perennial_adapter::MemoryStore;
use perennial_core::providers::navien::{Login, write_python};
use perennial_core::store::Store;
use perennial_core::wire::Body;
use perennial_core::{Error, Event, LeaseId, ServiceErrorKind, SessionError, SignOut, State};
use perennial_emulator::{Endpoint, NavienSettings};
use perennial_tests::{LONG, Subject, World, both, within};

use super::{EXPIRY, is_closed, is_service};

both![
    signing_in_again_uses_the_login_that_is_there,
    without_a_login_there_is_none_to_sign_in_with,
    a_sign_out_after_the_end_is_an_error,
    a_sign_out_holds_for_every_session_on_the_store_until_somebody_signs_in,
    a_new_process_on_a_store_that_was_signed_out_stays_signed_out,
    a_new_process_signs_in_again_with_the_login_that_the_store_has_kept,
    another_programs_file_goes_when_somebody_signs_out,
];

const WAIT: Duration = Duration::from_secs(5);

fn text(store: &MemoryStore) -> String {
    let record = store.read(WAIT).unwrap().unwrap_or_default();
    String::from_utf8(record.as_ref().to_vec()).unwrap()
}

fn is_end(result: Result<impl Sized, Error>, wanted: fn(&SessionError) -> bool) -> bool {
    matches!(result, Err(Error::Session(error)) if wanted(&error))
}

fn is_signed_out(error: &SessionError) -> bool {
    matches!(error, SessionError::SignedOut)
}

fn has_no_login(error: &SessionError) -> bool {
    matches!(error, SessionError::NoLogin)
}

/// Waits until so many sessions have heard that they are signed out.
fn wait_for_sign_outs(world: &World, count: usize) {
    let heard = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::SignedOut)).count() >= count;
    assert!(world.heard.wait_until(LONG, heard), "{:?}", world.heard.all());
}

fn signing_in_again_uses_the_login_that_is_there<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    let first = session.credentials(LeaseId::Access).unwrap();
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(session.has_login() && is_end(session.credentials(LeaseId::Access), is_signed_out));
    let second = session.sign_in_again().unwrap();
    assert!(world.accepts(LeaseId::Access, &second) && second.access().expose() != first.access().expose());
    // In place of what is held, too, but not twice within a second.
    world.pass_seconds(1);
    let third = session.sign_in_again().unwrap();
    assert!(third.access().expose() != second.access().expose());
    assert_eq!((session.state(), world.requests_to(Endpoint::SignIn)), (State::Live, 3));
}

fn without_a_login_there_is_none_to_sign_in_with<S: Subject>() {
    let world = World::new();
    let session: S = world.connect();
    session.sign_out(SignOut::ForgetLogin).unwrap();
    assert!(!session.has_login() && is_end(session.sign_in_again(), has_no_login));
    assert_eq!((session.state(), world.requests()), (State::SignedOut, 1));
    // Refused once, not shown again.
    let wrong = Login::new(NavienSettings::EMAIL, "wrong").unwrap();
    let refused: S = world.try_build(world.stranger().login(wrong)).unwrap();
    assert!(is_service(&refused.credentials(LeaseId::Access).unwrap_err(), ServiceErrorKind::InvalidCredentials));
    assert!(!refused.has_login());
    assert!(is_service(&refused.sign_in_again().unwrap_err(), ServiceErrorKind::InvalidCredentials));
    assert_eq!(world.requests_to(Endpoint::SignIn), 2);
}

fn a_sign_out_after_the_end_is_an_error<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = world.connect_with(world.setup().store(store.clone()));
    let before = text(&store);
    session.close();
    assert!(is_closed(&session.sign_out(SignOut::ForgetLogin).unwrap_err()));
    assert!(is_closed(&session.sign_in_again().unwrap_err()));
    assert_eq!((text(&store), world.requests()), (before, 1));
}

fn a_sign_out_holds_for_every_session_on_the_store_until_somebody_signs_in<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let sessions: Vec<S> = (0..3).map(|_| world.connect_with(world.setup().store(store.clone()))).collect();
    sessions[0].sign_out(SignOut::KeepLogin).unwrap();
    world.pass_seconds(1);
    wait_for_sign_outs(&world, 3);
    for session in &sessions {
        assert!(is_end(session.credentials(LeaseId::Access), is_signed_out));
        assert!(session.has_login() && session.state() == State::SignedOut);
    }
    // However long, and whoever asks.
    for _ in 0..3 {
        world.pass(EXPIRY);
        assert!(sessions.iter().all(|session| is_end(session.credentials(LeaseId::Access), is_signed_out)));
    }
    assert_eq!(world.requests(), 1);

    let mut issues: Vec<_> = sessions.iter().map(|session| session.changes(LeaseId::Access)).collect();
    let new = sessions[1].sign_in_again().unwrap();
    world.pass_seconds(1);
    for issues in issues.drain(..) {
        let mut issues = issues;
        let taken = within(LONG, move || perennial_tests::Issues::next(&mut issues)).unwrap().unwrap();
        assert_eq!(taken.access().expose(), new.access().expose());
    }
    assert_eq!(world.requests(), 2);
}

fn a_new_process_on_a_store_that_was_signed_out_stays_signed_out<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let session: S = world.connect_with(world.setup().store(store.clone()));
    let saved = session.export().unwrap().to_json();
    session.sign_out(SignOut::KeepLogin).unwrap();
    drop(session);
    let error = S::connect(world.link(), world.setup().store(store.clone())).err().unwrap();
    assert!(is_end(Err::<(), _>(error), is_signed_out));
    // Nor does a save that is brought along bring it back.
    let brings: S = world.try_build(world.setup().import(saved.expose()).store(store.clone())).unwrap();
    wait_for_sign_outs(&world, 3);
    assert!(is_end(brings.credentials(LeaseId::Access), is_signed_out));
    let session: S = world.try_build(world.setup().store(store.clone())).unwrap();
    let new = session.sign_in_again().unwrap();
    assert!(world.accepts(LeaseId::Access, &new));
    assert_eq!(world.requests(), 2);
}

fn a_new_process_signs_in_again_with_the_login_that_the_store_has_kept<S: Subject>() {
    for (login, comes_back) in [(SignOut::KeepLogin, true), (SignOut::ForgetLogin, false)] {
        let (world, store) = (World::new(), MemoryStore::new());
        let session: S = world.connect_with(world.setup().persist_login().store(store.clone()));
        session.sign_out(login).unwrap();
        drop(session);
        let left = text(&store);
        assert!(left.contains("\"signed_out\":true") && !left.contains("token"), "{left}");
        assert_eq!(left.contains("\"login\""), comes_back);
        let next: S = world.try_build(world.stranger().persist_login().store(store.clone())).unwrap();
        if comes_back {
            let new = next.sign_in_again().unwrap();
            assert!(next.has_login() && world.accepts(LeaseId::Access, &new));
        } else {
            assert!(is_end(next.sign_in_again(), has_no_login) && !next.has_login());
        }
    }
}

fn another_programs_file_goes_when_somebody_signs_out<S: Subject>() {
    let (world, store) = (World::new(), MemoryStore::new());
    let python = write_python(&world.connect::<S>().credentials(LeaseId::Access).unwrap());
    let put = |text: &str| store.lock(WAIT, WAIT).unwrap().write(&Body::from(text.as_bytes().to_vec()), WAIT).unwrap();
    put("{\"damaged");
    store.lock(WAIT, WAIT).unwrap().quarantine(WAIT).unwrap();
    put(python.expose());
    // Taken up, and kept for that program while the session goes on.
    let session: S = world.connect_with(world.setup().store(store.clone()));
    assert_eq!(world.requests_to(Endpoint::SignIn), 1);
    session.renew(LeaseId::Access).unwrap();
    assert_eq!(store.retired().len(), 1);
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(store.retired().is_empty());
    assert_eq!(store.aside().len(), 1, "what was damaged stays");

    // Where it still stands in its place it goes, too.
    put(python.expose());
    let session: S = world.try_build(world.setup().store(store.clone())).unwrap();
    session.credentials(LeaseId::Access).unwrap();
    session.sign_out(SignOut::KeepLogin).unwrap();
    assert!(text(&store).contains("\"signed_out\":true"));
    assert_eq!((store.retired().len(), store.aside().len()), (0, 1));
}
