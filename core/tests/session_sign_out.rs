//! A session driven by hand: signing out, signing in again, and what that does to the other sessions on the store.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MIN_RETRY_INTERVAL, SAVE_GRACE};
use perennial_core::store::{StoreCommand, StoreErrorKind, StoreReply};
use perennial_core::wire::Body;
use perennial_core::{
    AccessToken, Account, Error, Event, Grant, Input, LeaseId, Now, Policy, Secret, ServiceErrorKind, Session,
    SessionError, SignOut, State, Timestamp, Validity,
};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, START, signed_in, text};

const HOUR: Duration = Duration::from_secs(3600);

fn login(password: &str) -> ToyLogin {
    ToyLogin::new("ann@toy.example", password)
}

impl Desk {
    fn sign_out(&mut self, login: SignOut) {
        self.session.sign_out(login, self.now);
        self.drain();
    }

    fn sign_in_again(&mut self) -> Result<(), Error> {
        let begun = self.session.sign_in_again(self.now);
        self.drain();
        begun
    }

    /// Carries out the operations on a store with this record.
    fn serve(&mut self, shelf: &mut Option<Body>) {
        self.serve_until(shelf, |_| false);
    }

    /// The same, where commands that match `fails` fail.
    fn serve_until(&mut self, shelf: &mut Option<Body>, fails: impl Fn(&StoreCommand) -> bool) {
        while !self.ops.is_empty() {
            let op = self.ops.remove(0);
            let result = match op.command {
                command if fails(&command) => Err(StoreErrorKind::Unavailable.into()),
                StoreCommand::Read => Ok(StoreReply::Read(shelf.clone())),
                StoreCommand::Lock { .. } => Ok(StoreReply::Locked { record: shelf.clone(), remaining: None }),
                StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => {
                    *shelf = Some(record);
                    Ok(StoreReply::Done)
                }
                StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } => {
                    *shelf = None;
                    Ok(StoreReply::Done)
                }
                StoreCommand::Unlock { .. } => Ok(StoreReply::Done),
            };
            self.input(Input::Store(op.id, result));
        }
    }

    /// Another session has written: this one reads.
    fn look(&mut self, shelf: &mut Option<Body>) {
        self.input(Input::StoreChanged);
        self.pass(MIN_RETRY_INTERVAL);
        self.serve(shelf);
    }

    /// Signs in and saves the grant.
    fn sign_in_first(&mut self, shelf: &mut Option<Body>, serial: u32) {
        self.demand(LeaseId::Access);
        self.serve(shelf);
        self.grant(serial);
        self.serve(shelf);
        assert_eq!(self.session.state(), State::Live);
    }

    fn sent_to(&self, path: &str) -> usize {
        self.paths().iter().filter(|sent| *sent == path).count()
    }

    fn bodies(&self) -> Vec<String> {
        self.requests.iter().map(|request| String::from_utf8_lossy(request.http.body().as_ref()).into_owned()).collect()
    }
}

/// Sessions of one account on one store, all with a login, the first of them signed in.
fn sharing<const N: usize>(policy: Policy) -> ([Desk; N], Option<Body>) {
    let mut shelf = None;
    let mut desks: [Desk; N] = std::array::from_fn(|_| Desk::stored(policy));
    desks[0].sign_in_first(&mut shelf, 1);
    for desk in &mut desks[1..] {
        desk.demand(LeaseId::Access);
        desk.serve(&mut shelf);
        assert_eq!(desk.token(), Some("at-1"));
    }
    (desks, shelf)
}

fn is_signed_out(shelf: &Option<Body>) -> bool {
    shelf.as_ref().is_some_and(|record| text(record).contains(r#""signed_out":true"#))
}

fn kept(shelf: &Option<Body>) -> bool {
    shelf.as_ref().is_some_and(|record| text(record).contains("toy-password"))
}

fn brought(serial: u32, user: &str, now: Now) -> Grant {
    let access = AccessToken::new("Bearer", &format!("at-{serial}"), Validity::with_lifetime(now, HOUR)).unwrap();
    Grant {
        access: Some(access),
        refresh_token: Some(Secret::from(format!("rt-{serial}"))),
        account: Some(Account::new(user)),
        ..Grant::default()
    }
}

fn session_error(result: Result<(), Error>) -> Option<SessionError> {
    match result {
        Err(Error::Session(error)) => Some(error),
        _ => None,
    }
}

// ---- The login

#[test]
fn a_login_that_was_kept_signs_in_again() {
    let mut desk = signed_in(Policy::default());
    desk.sign_out(SignOut::KeepLogin);
    desk.answer(200, "{}");
    assert!(desk.session.has_login());
    desk.pass(HOUR);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-out"], "it is not used by itself");
    desk.sign_in_again().unwrap();
    assert_eq!(desk.paths().last().unwrap(), "/sign-in");
    assert!(desk.bodies().last().unwrap().contains("pass"));
    desk.grant(2);
    assert_eq!((desk.token(), desk.session.state()), (Some("at-2"), State::Live));
}

#[test]
fn a_login_that_was_forgotten_does_not_sign_in_again() {
    let mut desk = signed_in(Policy::default());
    desk.sign_out(SignOut::ForgetLogin);
    assert!(!desk.session.has_login());
    assert!(matches!(session_error(desk.sign_in_again()), Some(SessionError::NoLogin)));
    assert_eq!(desk.session.state(), State::SignedOut);
    // A kept login can be forgotten later.
    let mut kept = signed_in(Policy::default());
    kept.sign_out(SignOut::KeepLogin);
    kept.sign_out(SignOut::ForgetLogin);
    assert!(!kept.session.has_login());
    assert_eq!(kept.events.iter().filter(|event| matches!(event, Event::SignedOut)).count(), 1);
}

#[test]
fn a_login_that_was_refused_does_not_sign_in_again() {
    let mut desk = Desk::new(Policy::default());
    desk.demand(LeaseId::Access);
    desk.answer(401, "");
    assert!(!desk.session.has_login());
    let refused = desk.sign_in_again().unwrap_err();
    assert!(matches!(&refused, Error::Service(error) if error.kind() == ServiceErrorKind::InvalidCredentials));
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn signing_in_again_replaces_what_is_held() {
    let mut desk = signed_in(Policy::default());
    desk.sign_in_again().unwrap();
    assert_eq!(desk.token(), Some("at-1"), "it serves until the new one comes");
    desk.pass(Duration::from_secs(1));
    desk.grant(2);
    assert_eq!((desk.token(), desk.paths()), (Some("at-2"), vec!["/sign-in".into(), "/sign-in".into()]));
}

#[test]
fn signing_in_again_twice_is_one_sign_in_and_its_pauses_stand() {
    let mut desk = signed_in(Policy::default());
    desk.sign_out(SignOut::KeepLogin);
    desk.answer(200, "{}");
    for _ in 0..3 {
        desk.sign_in_again().unwrap();
    }
    assert_eq!(desk.sent_to("/sign-in"), 2);
    desk.answer(412, "");
    for _ in 0..600 {
        desk.sign_in_again().unwrap();
        desk.pass(Duration::from_secs(6));
        if desk.requests.len() > 3 {
            desk.answer(412, "");
        }
    }
    assert!(desk.sent_to("/sign-in") <= 5, "a password is not shown again and again: {:?}", desk.paths());
    let pause = desk.session.pause(LeaseId::Access).unwrap();
    assert!(pause.retry_at().is_some());
}

#[test]
fn after_a_sign_out_a_kept_login_renews_an_installed_grant_of_the_same_account_only() {
    for (user, keeps) in [("ANN@toy.example", true), ("bob@toy.example", false), ("", false)] {
        let mut desk = signed_in(Policy::default());
        desk.sign_out(SignOut::KeepLogin);
        desk.session.install_grant(brought(2, user, desk.now), desk.now).unwrap();
        desk.drain();
        assert_eq!(desk.session.has_login(), keeps, "{user:?}");
    }
}

// ---- Errors of a sign-out

#[test]
fn a_service_that_could_not_be_told_is_said_and_not_told_again() {
    let mut desk = signed_in(Policy::default());
    desk.sign_out(SignOut::KeepLogin);
    assert!(desk.session.is_signing_out() && desk.session.unrevoked().is_none());
    desk.answer(503, "");
    assert!(!desk.session.is_signing_out());
    let error = desk.session.unrevoked().unwrap();
    assert!(matches!(error, Error::Service(_)), "{error:?}");
    assert_eq!((desk.token(), desk.session.state()), (None, State::SignedOut), "gone here all the same");
    desk.pass(HOUR);
    assert_eq!(desk.sent_to("/sign-out"), 1);
    // The next sign-out is reported for itself.
    desk.sign_in_again().unwrap();
    desk.grant(2);
    desk.sign_out(SignOut::KeepLogin);
    desk.answer(200, "{}");
    assert!(desk.session.unrevoked().is_none());
}

#[test]
fn a_sign_out_that_cannot_be_written_is_said_and_tried_until_it_is_there() {
    let ([mut desk], mut shelf) = sharing(Policy::default());
    desk.sign_out(SignOut::KeepLogin);
    let fails = |command: &StoreCommand| !matches!(command, StoreCommand::Unlock { .. });
    desk.serve_until(&mut shelf, fails);
    desk.answer(200, "{}");
    assert!(!desk.session.is_signing_out(), "it was tried");
    assert_eq!(desk.session.unsaved().unwrap().kind(), StoreErrorKind::Unavailable);
    for _ in 0..100 {
        desk.pass(Duration::from_secs(6));
        assert!(!desk.ops.is_empty(), "it is tried again");
        desk.serve_until(&mut shelf, fails);
    }
    assert!(!is_signed_out(&shelf));
    desk.pass(Duration::from_secs(6));
    desk.serve(&mut shelf);
    assert!(is_signed_out(&shelf) && desk.session.unsaved().is_none());
}

#[test]
fn each_credential_is_revoked_once_however_often_the_store_shows_it() {
    let ([mut desk, mut other], mut shelf) = sharing(Policy::default());
    // The other session has renewed, and this one has not read that.
    other.session.renew(LeaseId::Access, other.now);
    other.pass(MIN_RETRY_INTERVAL);
    other.serve(&mut shelf);
    other.grant(2);
    other.serve(&mut shelf);
    // The store can be read but not written.
    desk.sign_out(SignOut::KeepLogin);
    for _ in 0..700 {
        desk.serve_until(&mut shelf, |command| matches!(command, StoreCommand::Clear { .. }));
        if desk.session.is_signing_out() {
            desk.answer(200, "{}");
        }
        desk.pass(Duration::from_secs(6));
    }
    let revoked: Vec<_> = desk.bodies().into_iter().filter(|body| body.contains("at-")).collect();
    assert_eq!(revoked.len(), 2, "{revoked:?}");
    assert!(revoked[0].contains("at-1") && revoked[1].contains("at-2"), "{revoked:?}");
}

// ---- For every session on the store

#[test]
fn a_sign_out_holds_for_every_session_on_the_store_until_somebody_signs_in() {
    let ([mut one, mut other, mut third], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    assert!(is_signed_out(&shelf));
    for desk in [&mut other, &mut third] {
        desk.look(&mut shelf);
        assert_eq!((desk.token(), desk.session.state()), (None, State::SignedOut));
        assert!(matches!(desk.events.last(), Some(Event::SignedOut)));
        assert!(matches!(desk.session.obstacle(LeaseId::Access), Some(Error::Session(SessionError::SignedOut))));
    }
    // Callers get that error, and no request is sent.
    for _ in 0..100 {
        other.demand(LeaseId::Access);
        other.pass(MIN_RETRY_INTERVAL);
        other.serve(&mut shelf);
    }
    assert!(other.requests.is_empty() && other.session.has_login());
    // Somebody signs in again at one of them: that holds for all as well.
    third.sign_in_again().unwrap();
    third.serve(&mut shelf);
    third.grant(2);
    third.serve(&mut shelf);
    one.answer(200, "{}");
    for desk in [&mut one, &mut other] {
        desk.look(&mut shelf);
        assert_eq!((desk.token(), desk.session.state()), (Some("at-2"), State::Live));
    }
}

#[test]
fn a_session_that_starts_on_a_store_that_was_signed_out_stays_signed_out() {
    let ([mut one], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    let mut next = Desk::stored(Policy::default());
    next.demand(LeaseId::Access);
    next.serve(&mut shelf);
    assert_eq!(next.session.state(), State::SignedOut);
    assert!(next.requests.is_empty() && next.session.has_login());
    next.sign_in_again().unwrap();
    next.serve(&mut shelf);
    next.grant(2);
    next.serve(&mut shelf);
    assert_eq!((next.token(), is_signed_out(&shelf)), (Some("at-2"), false));
}

#[test]
fn callers_while_signed_out_make_the_session_read_its_store_once_a_second_at_most() {
    let ([mut one], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    one.answer(200, "{}");
    let mut looks = 0;
    for _ in 0..1000 {
        one.demand(LeaseId::Access);
        looks += one.ops.len();
        one.serve(&mut shelf);
        one.pass(Duration::from_millis(10));
    }
    assert!((9..=11).contains(&looks), "{looks} in ten seconds");
}

#[test]
fn a_sign_out_during_another_sessions_renewal_is_found_by_it() {
    let ([mut renews, mut leaves], mut shelf) = sharing(Policy::default());
    renews.session.renew(LeaseId::Access, renews.now);
    renews.pass(MIN_RETRY_INTERVAL);
    renews.serve(&mut shelf);
    assert_eq!(renews.sent_to("/refresh"), 1);
    // The lock is held by the other session: the sign-out waits for it.
    leaves.sign_out(SignOut::KeepLogin);
    renews.grant(2);
    renews.serve(&mut shelf);
    assert_eq!(renews.token(), Some("at-2"));
    leaves.serve(&mut shelf);
    leaves.answer(200, "{}");
    assert!(is_signed_out(&shelf));
    assert!(leaves.bodies().last().unwrap().contains("at-2"), "what was just renewed is revoked, too");
    renews.look(&mut shelf);
    assert_eq!((renews.token(), renews.session.state()), (None, State::SignedOut));
    assert_eq!(renews.sent_to("/sign-out"), 0, "it is revoked already");
}

#[test]
fn a_grant_that_was_never_saved_is_revoked_by_who_holds_it_when_somebody_signs_out_elsewhere() {
    let ([mut renews, mut leaves], mut shelf) = sharing(Policy::default());
    renews.session.renew(LeaseId::Access, renews.now);
    renews.pass(MIN_RETRY_INTERVAL);
    renews.serve(&mut shelf);
    renews.grant(2);
    // The write fails, and the lock is lost.
    let lost = renews.ops.remove(0);
    renews.input(Input::Store(lost.id, Err(StoreErrorKind::Lost.into())));
    renews.pass(SAVE_GRACE);
    renews.ops.clear();
    assert_eq!(renews.token(), Some("at-2"));
    leaves.sign_out(SignOut::KeepLogin);
    leaves.serve(&mut shelf);
    renews.input(Input::StoreGone);
    renews.pass(Duration::from_secs(10));
    renews.serve(&mut shelf);
    assert_eq!(renews.session.state(), State::SignedOut);
    let revoked: Vec<_> = renews.bodies().into_iter().filter(|body| body.contains("at-")).collect();
    assert_eq!(revoked.len(), 1, "{revoked:?}");
    assert!(revoked[0].contains("at-2"));
}

#[test]
fn a_store_that_goes_back_to_what_was_signed_out_brings_nobody_back() {
    let ([mut one, mut other], mut shelf) = sharing(Policy::default());
    let backup = shelf.clone();
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    one.answer(200, "{}");
    other.look(&mut shelf);
    for found in [backup, None] {
        shelf = found;
        for desk in [&mut one, &mut other] {
            desk.look(&mut shelf);
            assert_eq!((desk.token(), desk.session.state()), (None, State::SignedOut));
        }
    }
    // If the store lost its record, and a person has signed in there since, that counts.
    let mut anew = Desk::stored(Policy::default());
    anew.pass(HOUR);
    anew.session.sign_in(login("pass"), anew.now);
    anew.drain();
    anew.serve(&mut shelf);
    anew.grant(7);
    anew.serve(&mut shelf);
    other.pass(HOUR);
    other.look(&mut shelf);
    assert_eq!(other.token(), Some("at-7"));
}

#[test]
fn a_sign_in_of_another_account_does_not_bring_this_one_back() {
    let ([mut one, mut other], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    other.look(&mut shelf);
    one.session.install_grant(brought(5, "bob@toy.example", one.now), one.now).unwrap();
    one.drain();
    one.serve(&mut shelf);
    other.look(&mut shelf);
    assert_eq!((other.token(), other.session.state()), (None, State::SignedOut));
}

// ---- The login in the store

#[test]
fn the_store_keeps_or_forgets_the_login_as_was_said() {
    for (choice, keeps) in [(SignOut::KeepLogin, true), (SignOut::ForgetLogin, false)] {
        // By a session that keeps its login there, and by one that only found it there.
        let ([mut keeper, mut other], mut shelf) = sharing(Policy::default().persist_login());
        other.look(&mut shelf);
        let mut guest = Desk::stored(Policy::default());
        guest.demand(LeaseId::Access);
        guest.serve(&mut shelf);
        let mut copy = shelf.clone();
        for (desk, shelf) in [(&mut keeper, &mut shelf), (&mut guest, &mut copy)] {
            assert!(kept(shelf));
            desk.sign_out(choice);
            desk.serve(shelf);
            assert!(is_signed_out(shelf));
            assert_eq!(kept(shelf), keeps, "{choice:?}");
            assert!(!text(shelf.as_ref().unwrap()).contains("at-1"));
        }
        // A session without a login finds it there, or does not.
        let mut next = Desk::of(Session::new(Toy, None, Policy::default().persist_login(), 7).with_store());
        next.demand(LeaseId::Access);
        next.serve(&mut shelf);
        assert_eq!((next.session.state(), next.session.has_login()), (State::SignedOut, keeps));
        assert_eq!(next.sign_in_again().is_ok(), keeps);
        // Sessions that keep their login in the store follow.
        other.look(&mut shelf);
        assert_eq!((other.session.state(), other.session.has_login()), (State::SignedOut, keeps));
    }
}

#[test]
fn a_login_that_was_kept_in_the_store_can_be_forgotten_later() {
    let ([mut one, mut other], mut shelf) = sharing(Policy::default().persist_login());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    one.answer(200, "{}");
    other.look(&mut shelf);
    other.session.forget_login(other.now);
    other.pass(MIN_RETRY_INTERVAL);
    other.serve(&mut shelf);
    assert!(is_signed_out(&shelf) && !kept(&shelf));
    one.look(&mut shelf);
    assert!(!one.session.has_login());
    // A session that does not keep its login in the store still has it.
    let ([mut one, mut own], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::ForgetLogin);
    one.serve(&mut shelf);
    own.look(&mut shelf);
    assert!(own.session.has_login() && !kept(&shelf));
}

#[test]
fn what_the_service_said_of_a_login_is_told_beside_a_sign_out() {
    let ([mut one], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    one.answer(200, "{}");
    one.session.sign_in(login("wrong"), one.now);
    one.drain();
    one.serve(&mut shelf);
    one.answer(401, "");
    one.serve(&mut shelf);
    one.pass(MIN_RETRY_INTERVAL);
    one.serve(&mut shelf);
    assert!(is_signed_out(&shelf), "a sign-in that came to nothing ends no sign-out");
    assert_eq!(one.session.state(), State::SignedOut);
    let mut next = Desk::of(Session::new(Toy, login("wrong"), Policy::default(), 7).with_store());
    next.demand(LeaseId::Access);
    next.serve(&mut shelf);
    assert!(!next.session.has_login(), "it is known to be refused: {}", text(shelf.as_ref().unwrap()));
    assert!(next.sign_in_again().is_err());
}

// ---- Sign-out against sign-in: the later one counts

/// A session that waits to sign in while the service is down and has read this store.
fn waiting_to_sign_in(shelf: &mut Option<Body>) -> Desk {
    let mut desk = Desk::stored(Policy::default());
    desk.session.sign_in(login("pass"), desk.now);
    desk.drain();
    desk.serve(shelf);
    desk.answer(503, "");
    desk.serve(shelf);
    assert!(desk.token().is_none());
    desk
}

#[test]
fn a_sign_out_ends_a_sign_in_that_still_waits_for_the_service() {
    let ([mut one], mut shelf) = sharing(Policy::default());
    let mut waits = waiting_to_sign_in(&mut shelf);
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    waits.pass(Duration::from_secs(60));
    waits.serve(&mut shelf);
    waits.look(&mut shelf);
    assert_eq!((waits.session.state(), waits.sent_to("/sign-in")), (State::SignedOut, 1));
    assert!(is_signed_out(&shelf));
}

#[test]
fn a_sign_out_of_before_does_not_end_a_sign_in_however_often_it_is_written() {
    let ([mut one, mut other], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.serve(&mut shelf);
    other.look(&mut shelf);
    let mut waits = waiting_to_sign_in(&mut shelf);
    // Somebody forgets a login there: the record changes, the sign-out is the same.
    other.session.forget_login(other.now);
    other.sign_out(SignOut::ForgetLogin);
    let again = text(shelf.as_ref().unwrap()).replace("\"revision\":2", "\"revision\":3");
    shelf = Some(again.into_bytes().into());
    waits.pass(Duration::from_secs(60));
    waits.serve(&mut shelf);
    waits.grant(4);
    waits.serve(&mut shelf);
    assert_eq!((waits.token(), is_signed_out(&shelf)), (Some("at-4"), false));
}

#[test]
fn a_late_sign_out_does_not_end_a_sign_in_that_came_after_it() {
    let ([mut leaves, mut comes], mut shelf) = sharing(Policy::default());
    leaves.sign_out(SignOut::KeepLogin);
    leaves.answer(200, "{}");
    leaves.serve_until(&mut shelf, |_| true);
    // Somebody signs in elsewhere before the store works again.
    comes.pass(Duration::from_secs(5));
    comes.session.sign_in(login("pass"), comes.now);
    comes.drain();
    comes.serve(&mut shelf);
    comes.grant(2);
    comes.serve(&mut shelf);
    leaves.pass(Duration::from_secs(10));
    leaves.serve(&mut shelf);
    assert!(!is_signed_out(&shelf));
    assert_eq!((leaves.token(), leaves.session.state()), (Some("at-2"), State::Live));
    assert!(leaves.session.unsaved().is_none());
    assert_eq!(leaves.sent_to("/sign-out"), 1, "what was held before is revoked, and nothing else");
}

#[test]
fn a_sign_out_that_is_written_at_once_ends_all_that_it_finds_whatever_the_clocks_say() {
    let ([mut comes], mut shelf) = sharing(Policy::default());
    comes.session.sign_in(login("pass"), comes.now);
    comes.drain();
    comes.serve(&mut shelf);
    comes.grant(2);
    comes.serve(&mut shelf);
    // By this machine's clock that is in the future.
    let mut leaves = Desk::stored(Policy::default());
    leaves.now = Now::new(Timestamp::from_unix_millis(START.wall.unix_millis() - 3_600_000), START.monotonic);
    leaves.sign_out(SignOut::KeepLogin);
    leaves.serve(&mut shelf);
    assert!(is_signed_out(&shelf));
    assert!(leaves.bodies().iter().any(|body| body.contains("at-2")), "and it is revoked");
    // It was known before the sign-out: also where that is late.
    let mut shelf = None;
    let mut slow = Desk::stored(Policy::default());
    slow.session.sign_in(login("pass"), slow.now);
    slow.drain();
    slow.serve(&mut shelf);
    slow.grant(3);
    slow.serve(&mut shelf);
    slow.now.wall = Timestamp::from_unix_millis(START.wall.unix_millis() - 3_600_000);
    slow.sign_out(SignOut::KeepLogin);
    slow.serve_until(&mut shelf, |_| true);
    slow.pass(Duration::from_secs(10));
    slow.serve(&mut shelf);
    assert!(is_signed_out(&shelf));
}

#[test]
fn a_late_sign_out_that_somebody_has_told_meanwhile_is_done() {
    let ([mut one, mut other], mut shelf) = sharing(Policy::default());
    one.sign_out(SignOut::KeepLogin);
    one.answer(200, "{}");
    one.serve_until(&mut shelf, |_| true);
    other.pass(Duration::from_secs(1));
    other.sign_out(SignOut::KeepLogin);
    other.serve(&mut shelf);
    let told = text(shelf.as_ref().unwrap());
    one.pass(Duration::from_secs(10));
    one.serve(&mut shelf);
    assert!(one.session.unsaved().is_none());
    assert_eq!(text(shelf.as_ref().unwrap()), told, "it is not written again");
}
