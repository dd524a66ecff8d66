//! A one-shot session, driven by hand: it begins nothing that nobody waits for.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MAX_BACKOFF_FOREGROUND, MIN_RETRY_INTERVAL};
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::wire::Body;
use perennial_core::{
    Error, Event, Generation, LeaseId, Policy, Session, SessionError, State, StoreErrorKind, TransportErrorKind,
};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, signed_in, text};

/// Access tokens here live an hour. Their margin is five minutes.
const NEAR: Duration = Duration::from_secs(3400);
const LEFT: Duration = Duration::from_secs(200);

fn one_shot() -> Policy {
    Policy::default().one_shot()
}

fn ann() -> ToyLogin {
    ToyLogin::new("ann@toy.example", "pass")
}

/// Another process, some time after the first one ended, with the first one's record in the store.
fn later(record: &Body, login: Option<ToyLogin>, by: Duration) -> Desk {
    let mut desk = Desk::of(Session::new(Toy, login, one_shot(), 8).with_store());
    desk.pass(by);
    desk.demand(LeaseId::Access);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    desk.store(Ok(StoreReply::Read(Some(record.clone()))));
    desk
}

fn is_at_rest(desk: &Desk) -> bool {
    desk.session.next_wake().is_none_or(|wake| matches!(wake.why, perennial_core::session::Timer::Expiry(_)))
}

#[test]
fn nothing_is_renewed_by_itself_near_the_deadline_or_past_it() {
    let mut desk = signed_in(one_shot());
    for time in [NEAR, LEFT, 2 * NEAR] {
        assert!(is_at_rest(&desk), "{:?}", desk.session.next_wake());
        desk.pass(time);
    }
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn valid_credentials_are_served_at_once_outside_the_margin() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR / 2);
    desk.demand(LeaseId::Access);
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-1"));
    desk.pass(NEAR / 2);
    assert_eq!(desk.paths(), ["/sign-in"], "whoever was served has asked for nothing");
}

#[test]
fn a_caller_within_the_margin_waits_for_the_renewal() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR);
    assert!(!desk.session.renews_first(LeaseId::Access), "nobody has asked");
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    assert!(desk.session.renews_first(LeaseId::Access));
    assert!(
        desk.token() == Some("at-1") && desk.session.obstacle(LeaseId::Access).is_none(),
        "it is valid all the same"
    );
    desk.grant(2);
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-2"));
    assert!(is_at_rest(&desk));
}

#[test]
fn a_caller_within_the_margin_gets_the_valid_credentials_where_renewal_fails() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR);
    desk.demand(LeaseId::Access);
    let told = desk.session.failures(LeaseId::Access).0;
    desk.answer(500, "");
    // The refresh token may be spent: the next method is tried while the caller waits.
    assert_eq!(desk.paths(), ["/sign-in", "/refresh", "/sign-in"]);
    assert!(desk.session.renews_first(LeaseId::Access));
    desk.answer(500, "");
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-1"));
    assert!(desk.session.failures(LeaseId::Access).0 > told && desk.session.pause(LeaseId::Access).is_some());
    // During the pause callers are served at once, and nothing begins afterwards.
    desk.demand(LeaseId::Access);
    assert!(!desk.session.renews_first(LeaseId::Access));
    assert!(is_at_rest(&desk));
    desk.pass(LEFT - Duration::from_secs(1));
    assert_eq!(desk.paths().len(), 3);
}

#[test]
fn after_a_pause_nothing_begins_unless_somebody_asks_again() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR + LEFT);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.answer(429, "");
    let error = desk.session.obstacle(LeaseId::Access).unwrap();
    let pause = Duration::try_from(error.retry_at().unwrap().since(desk.now.wall)).unwrap();
    desk.demand(LeaseId::Access);
    assert!(is_at_rest(&desk), "{:?}", desk.session.next_wake());
    desk.pass(2 * pause);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh", "/refresh"]);
}

#[test]
fn a_pause_in_an_outage_is_short_while_somebody_waits() {
    let mut desk = Desk::new(one_shot());
    for _ in 0..6 {
        desk.demand(LeaseId::Access);
        desk.input_failure(TransportErrorKind::NotSent);
        desk.pass(MAX_BACKOFF_FOREGROUND);
    }
    assert_eq!(desk.paths().len(), 6);
}

#[test]
fn credentials_that_the_api_rejected_are_renewed_when_somebody_asks() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR / 2);
    let generation = desk.session.held().unwrap().generation(LeaseId::Access);
    assert_ne!(generation, Generation::default());
    desk.session.rejected(LeaseId::Access, generation, desk.now);
    desk.drain();
    assert!(is_at_rest(&desk) && desk.token().is_none());
    assert_eq!(desk.paths(), ["/sign-in"]);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.grant(2);
    assert_eq!(desk.token(), Some("at-2"));
}

#[test]
fn a_requested_renewal_begins_now_or_not_at_all() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR / 2);
    desk.session.renew(LeaseId::Access, desk.now);
    desk.drain();
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.answer(429, "");
    assert!(desk.session.pause(LeaseId::Access).is_some());
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(NEAR / 4);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
}

#[test]
fn a_login_is_tried_once_for_whoever_gave_it() {
    let mut desk = Desk::new(one_shot());
    desk.session.sign_in(ann(), desk.now);
    desk.drain();
    assert_eq!(desk.paths(), ["/sign-in"]);
    desk.input_failure(TransportErrorKind::NotSent);
    desk.pass(Duration::from_secs(3600));
    assert_eq!(desk.paths(), ["/sign-in"]);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
    desk.grant(1);
    assert_eq!(desk.token(), Some("at-1"));
}

#[test]
fn after_a_wrong_login_the_next_caller_gets_what_was_held_before() {
    let mut desk = signed_in(one_shot());
    desk.pass(2 * NEAR);
    desk.session.sign_in(ToyLogin::new("ann@toy.example", "wrong"), desk.now);
    desk.drain();
    desk.answer(401, "");
    desk.pass(MIN_RETRY_INTERVAL);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in", "/refresh"]);
}

#[test]
fn aws_credentials_that_wait_for_the_access_token_fail_with_it() {
    let mut desk = signed_in(one_shot());
    desk.pass(Duration::from_secs(7200));
    desk.demand(LeaseId::Aws);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.answer(429, "");
    for lease_id in LeaseId::ALL {
        assert!(desk.session.obstacle(lease_id).is_some(), "{lease_id}");
        assert_eq!(desk.session.failures(lease_id).0, 1, "{lease_id}");
    }
    desk.demand(LeaseId::Aws);
    desk.pass(Duration::from_secs(7200));
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
}

#[test]
fn during_retry_after_valid_credentials_are_served_at_once() {
    let mut desk = signed_in(one_shot());
    desk.pass(NEAR);
    desk.demand(LeaseId::Access);
    desk.answer(429, "");
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-1"));
    desk.demand(LeaseId::Access);
    assert!(!desk.session.renews_first(LeaseId::Access) && is_at_rest(&desk));
}

// ---- With a store

#[test]
fn each_process_renews_within_the_margin_and_saves_before_it_answers() {
    let (first, record) = Desk::settled();
    assert_eq!(first.paths(), ["/sign-in"]);

    let second = later(&record, None, NEAR / 2);
    assert!(second.token() == Some("at-1") && !second.session.renews_first(LeaseId::Access));
    assert!(is_at_rest(&second) && second.ops.len() == 1, "it looked, and that was all");

    let mut third = later(&record, None, NEAR);
    assert!(third.session.renews_first(LeaseId::Access), "it is locking");
    third.locked(Some(record));
    assert!(text(&third.written()).contains("refresh_sent_at"));
    third.store(Ok(StoreReply::Done));
    assert_eq!(third.paths(), ["/refresh"]);
    third.grant(2);
    assert!(third.session.renews_first(LeaseId::Access), "it is being saved");
    third.store(Ok(StoreReply::Done));
    assert!(!third.session.renews_first(LeaseId::Access) && third.token() == Some("at-2"));
}

#[test]
fn valid_credentials_are_served_while_the_store_fails() {
    let (_, record) = Desk::settled();
    let mut desk = later(&record, None, NEAR);
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-1"));
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.paths(), [""; 0]);
    assert!(
        matches!(desk.events.last(), Some(Event::Failed { lease_id: LeaseId::Access, method: "store", .. })),
        "{:?}",
        desk.events
    );
}

#[test]
fn a_second_process_adopts_what_the_first_saved() {
    let (_, old) = Desk::settled();
    let new = {
        let mut other = later(&old, None, NEAR);
        other.locked(Some(old.clone()));
        other.store(Ok(StoreReply::Done));
        other.grant(2);
        other.written()
    };
    let mut desk = later(&old, None, NEAR);
    desk.locked(Some(new));
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-2"));
    assert_eq!(desk.paths(), [""; 0]);
}

#[test]
fn valid_credentials_are_served_to_their_deadline_where_no_method_is_left() {
    let mut desk = signed_in(one_shot());
    desk.session.forget_login(desk.now);
    desk.pass(NEAR);
    desk.demand(LeaseId::Access);
    desk.answer(401, "");
    assert!(!desk.session.renews_first(LeaseId::Access) && desk.token() == Some("at-1"));
    desk.pass(LEFT);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.session.state(), State::SignInRequired);
    let error = desk.session.obstacle(LeaseId::Access).unwrap();
    assert!(matches!(error, Error::Session(SessionError::SignInRequired { .. })), "{error:?}");
}

#[test]
fn with_no_method_left_a_caller_makes_the_session_read_the_store() {
    let (_, record) = Desk::settled();
    let mut desk = later(&record, None, NEAR + LEFT);
    desk.locked(Some(record.clone()));
    desk.store(Ok(StoreReply::Done));
    desk.answer(401, "");
    while !matches!(desk.last_act(), StoreCommand::Unlock { .. }) {
        desk.store(Ok(StoreReply::Done));
    }
    assert_eq!(desk.session.state(), State::SignInRequired);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.demand(LeaseId::Access);
    assert!(matches!(desk.last_act(), StoreCommand::Read), "somebody may have signed in");
}
