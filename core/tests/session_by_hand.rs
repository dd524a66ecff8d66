//! A session driven by hand: its states and texts, its callers, and its operations on a store.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use http::{HeaderMap, Method, Uri};
use perennial_core::session::{MIN_RETRY_INTERVAL, SAVE_GRACE};
use perennial_core::store::{LOCK_TIMEOUT, OpId, STORE_TIMEOUT, StoreCommand, StoreReply};
use perennial_core::wire::Body;
use perennial_core::{
    Call, Error, Event, Generation, Grant, Input, LeaseId, Now, Output, Policy, Provider, ServiceErrorKind, Session,
    SessionError, SignOut, State, StoreError, StoreErrorKind, Timestamp,
};
use perennial_testing::ToyLogin;

use self::desk::{Desk, signed_in, text};

// ---- States

#[test]
fn the_state_says_what_a_session_does() {
    let mut desk = Desk::new(Policy::default());
    assert_eq!(desk.session.state(), State::Idle);
    desk.demand(LeaseId::Access);
    assert_eq!(desk.session.state(), State::SigningIn);
    desk.answer(500, "");
    assert_eq!(desk.session.state(), State::Waiting);
    desk.pass(Duration::from_secs(10));
    desk.demand(LeaseId::Access);
    assert_eq!(desk.session.state(), State::SigningIn);
    desk.grant(1);
    assert_eq!(desk.session.state(), State::Live);
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    assert_eq!(desk.session.state(), State::Renewing);
    desk.answer(401, "");
    desk.answer(401, "");
    desk.pass(Duration::from_secs(3600));
    assert_eq!(desk.session.state(), State::SignInRequired);
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    assert_eq!(desk.session.state(), State::SignedOut);
}

#[test]
fn the_state_is_signing_in_while_a_session_waits_for_its_store() {
    let mut desk = Desk::stored(Policy::default());
    assert_eq!(desk.session.state(), State::Idle);
    desk.demand(LeaseId::Access);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    assert_eq!(desk.session.state(), State::SigningIn);
}

#[test]
fn the_state_is_signing_in_when_a_token_expires_while_another_lease_is_renewed() {
    let policy = Policy::default().request_timeout(Duration::from_secs(1000));
    let mut desk = Desk::new(policy);
    desk.demand(LeaseId::Access);
    desk.answer(
        200,
        r#"{"access":"at-1","access_ms":600000,"refresh":"rt-1","aws":["k","s","a"],"aws_ms":640000,
        "user":"ann@toy.example"}"#,
    );
    desk.pass(Duration::from_secs(465));
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.answer(503, "");
    desk.pass(Duration::from_millis(1));
    while desk.paths().last().unwrap() != "/aws-refresh" {
        if desk.session.state() == State::Renewing {
            desk.answer(503, "");
        }
        desk.pass(Duration::from_secs(1));
    }
    desk.pass(Duration::from_secs(200));
    assert!(desk.token().is_none());
    assert_eq!(desk.session.state(), State::SigningIn, "the exchange in flight comes first");
}

#[test]
fn every_state_and_event_has_a_text() {
    let states = [
        (State::Idle, "idle"),
        (State::SigningIn, "signing in"),
        (State::Waiting, "waiting to try again"),
        (State::Live, "live"),
        (State::Renewing, "renewing"),
        (State::SignInRequired, "a new sign-in is required"),
        (State::SignedOut, "signed out"),
    ];
    for (state, words) in states {
        assert_eq!(state.to_string(), words);
    }
    let (lease_id, method, generation) = (LeaseId::Access, "refresh", Generation::default());
    let error = || Error::from(SessionError::SignedOut);
    let at = Some(Timestamp::from_unix_seconds(1_700_000_000));
    let busy = StoreError::from(StoreErrorKind::Busy);
    for (event, words) in [
        (Event::RenewalStarted { lease_id, method }, "access token: asking for new ones (refresh)".to_owned()),
        (
            Event::Renewed { lease_id, method: Some(method), generation, expires_at: at },
            "access token: #0 by refresh, until 2023-11-14T22:13:20Z".into(),
        ),
        (
            Event::Renewed { lease_id: LeaseId::Aws, method: None, generation, expires_at: None },
            "AWS credentials: #0 taken up, of unknown length".into(),
        ),
        (
            Event::Fallback { lease_id, method, error: error() },
            format!("access token: refresh does not work, next way ({})", error()),
        ),
        (Event::Failed { lease_id, method, error: error() }, format!("access token: refresh failed ({})", error())),
        (Event::Exhausted { lease_id, error: error() }, format!("access token: no way to renew is left ({})", error())),
        (Event::Rejected { lease_id, generation }, "access token: #0 was refused by the service".into()),
        (Event::Expired { lease_id }, "access token: expired".into()),
        (Event::Saved, "saved".into()),
        (Event::NotSaved { error: busy.clone() }, format!("not saved ({busy})")),
        (Event::StoreRegressed, "the store has gone back to an older state".into()),
        (Event::SignedOut, "signed out".into()),
        (Event::Revoked { error: None }, "revoked at the service".into()),
        (Event::Revoked { error: Some(error()) }, format!("not revoked at the service ({})", error())),
    ] {
        assert_eq!(event.to_string(), words);
    }
}

#[test]
fn a_session_shows_what_it_does_and_no_secret() {
    let desk = signed_in(Policy::default());
    let shown = format!("{:?}", desk.session);
    assert!(shown.starts_with("Session { provider: \"toy\", state: Live, credentials: Some("), "{shown}");
    assert!(!shown.contains("at-1") && !shown.contains("rt-1"), "{shown}");
}

#[test]
fn a_session_gives_access_to_its_provider_and_policy() {
    let policy = Policy::default().margin(Duration::from_secs(77)).on_demand();
    let desk = signed_in(policy);
    assert_eq!(desk.session.policy(), &policy);
    assert_eq!(desk.session.provider().name(), "toy");
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example/"));
    let call = Call::new(&method, &uri, desk::START.wall);
    let mut headers = HeaderMap::new();
    desk.session.provider().authorize(&call, desk.session.held().unwrap(), &mut headers);
    assert_eq!(headers[http::header::AUTHORIZATION], "Bearer at-1");
    assert_eq!(desk.session.held().unwrap().generation(LeaseId::Access).get(), 1);
}

// ---- Callers

#[test]
fn a_lazy_session_does_not_renew_for_a_caller_that_was_served() {
    let mut desk = signed_in(Policy::default().on_demand());
    desk.demand(LeaseId::Access);
    desk.pass(Duration::from_secs(3550));
    assert_eq!(desk.paths(), ["/sign-in"], "nobody has asked since");
}

#[test]
fn a_rejection_of_credentials_that_are_not_held_is_ignored() {
    let mut desk = Desk::new(Policy::default());
    desk.session.rejected(LeaseId::Access, Generation::default(), desk.now);
    desk.drain();
    assert!(desk.events.is_empty() && desk.requests.is_empty());
    assert_eq!(desk.session.state(), State::Idle);
}

#[test]
fn a_lease_that_needs_the_access_token_shares_its_pause() {
    let mut desk = Desk::new(Policy::default());
    desk.demand(LeaseId::Aws);
    assert!(desk.session.obstacle(LeaseId::Aws).is_none(), "it is on its way");
    desk.answer(500, "");
    let told = desk.session.obstacle(LeaseId::Aws).unwrap();
    assert!(told.retry_at().is_some());
    assert_eq!(told.retry_at(), desk.session.obstacle(LeaseId::Access).unwrap().retry_at());
}

#[test]
fn a_pause_ends_exactly_at_retry_at() {
    let mut desk = Desk::new(Policy::default().on_demand());
    desk.demand(LeaseId::Access);
    desk.answer(500, "");
    let again = desk.session.pause(LeaseId::Access).unwrap().retry_at().unwrap();
    let left = Duration::from_millis(u64::try_from(again.unix_millis() - desk.now.wall.unix_millis()).unwrap());
    desk.pass(left - Duration::from_millis(1));
    assert!(desk.session.pause(LeaseId::Access).is_some());
    desk.pass(Duration::from_millis(1));
    assert!(desk.session.pause(LeaseId::Access).is_none());
    assert!(desk.session.obstacle(LeaseId::Access).is_none(), "who asks now is not sent away");
    assert_eq!(desk.paths().len(), 1, "nobody has asked");
}

#[test]
fn a_grant_without_an_access_token_is_not_accepted() {
    let mut desk = Desk::new(Policy::default());
    let refused = desk.session.install_grant(Grant::default(), desk.now).unwrap_err();
    assert!(matches!(refused, Error::Service(error) if error.kind() == ServiceErrorKind::NotGranted));
}

#[test]
fn a_saved_session_without_an_account_id_fits_any_account() {
    let mut donor = Desk::new(Policy::default());
    donor.demand(LeaseId::Access);
    donor.answer(200, r#"{"access":"at-1","access_ms":3600000,"refresh":"rt-1"}"#);
    let saved = donor.session.export().unwrap();
    let mut desk = Desk::new(Policy::default());
    desk.session.import(saved, desk.now).unwrap();
    desk.drain();
    assert_eq!(desk.token(), Some("at-1"));
    assert!(desk.session.has_login(), "and the login stays");
}

#[test]
fn an_exchange_of_too_many_requests_is_cut_off() {
    let mut desk = Desk::new(Policy::default());
    desk.demand(LeaseId::Access);
    for asked in 1..=32 {
        assert_eq!(desk.requests.len(), asked);
        desk.answer(200, r#"{"ticket":"again"}"#);
    }
    assert_eq!(desk.requests.len(), 32);
    let failed = desk.session.failures(LeaseId::Access).1.unwrap();
    assert!(failed.to_string().contains("one request after another, without an end"), "{failed}");
}

#[test]
fn aws_credentials_without_an_access_token_are_a_failure_that_callers_hear() {
    let mut desk = Desk::new(Policy::default());
    desk.demand(LeaseId::Access);
    let aws_alone = r#"{"aws":["k","s","a"],"aws_ms":600000}"#;
    desk.answer(200, aws_alone);
    assert_eq!(desk.session.state(), State::SignInRequired);
    // The access token is exhausted. The other lease still has its own sign-in to try.
    desk.pass(MIN_RETRY_INTERVAL);
    desk.demand(LeaseId::Aws);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
    let told = desk.session.failures(LeaseId::Aws).0;
    desk.answer(200, aws_alone);
    assert!(desk.session.held().is_none());
    assert!(desk.session.failures(LeaseId::Aws).0 > told, "who waits is told");
    for _ in 0..60 {
        desk.pass(MIN_RETRY_INTERVAL);
    }
    assert_eq!(desk.paths().len(), 2, "and nobody hammers the service");
}

// ---- Signing out

#[test]
fn a_session_signs_out_until_the_service_has_been_told() {
    let mut desk = signed_in(Policy::default());
    assert!(!desk.session.is_signing_out());
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    assert!(desk.session.is_signing_out());
    assert_eq!(desk.paths(), ["/sign-in", "/sign-out"]);
    desk.answer(200, "{}");
    assert!(!desk.session.is_signing_out());
}

#[test]
fn a_session_signs_out_until_its_store_has_been_cleared() {
    let (mut desk, _) = Desk::settled();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    desk.answer(200, "{}");
    assert!(desk.session.is_signing_out(), "the store still has it");
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    let record = desk.ops.iter().find_map(|op| match &op.command {
        StoreCommand::Write { record, .. } => Some(record.clone()),
        _ => None,
    });
    desk.locked(record);
    let cleared = text(&desk.written());
    assert!(cleared.contains(r#""signed_out":true"#) && !cleared.contains("at-1"), "{cleared}");
    desk.store(Ok(StoreReply::Done));
    assert!(!desk.session.is_signing_out());
}

#[test]
fn a_store_that_fails_does_not_hold_up_a_sign_out() {
    let (mut desk, _) = Desk::settled();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    desk.answer(200, "{}");
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert!(!desk.session.is_signing_out(), "it was tried");
    assert_eq!(desk.session.unsaved().map(StoreError::kind), Some(StoreErrorKind::Unavailable));
}

#[test]
fn credentials_that_a_new_login_replaced_are_revoked_at_a_sign_out() {
    let (mut desk, record) = Desk::settled();
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record));
    desk.store(Ok(StoreReply::Done));
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.session.sign_in(ToyLogin::new("bob@toy.example", "pass"), desk.now);
    desk.drain();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    desk.answer(401, "");
    let asked = desk.requests.iter().map(|request| String::from_utf8_lossy(request.http.body().as_ref()).into_owned());
    let revoked: Vec<_> = asked.filter(|body| body.contains("at-1")).collect();
    assert_eq!(revoked.len(), 1, "Ann's token is forgotten at the service, too");
}

// ---- Stores

#[test]
fn a_session_is_spending_while_a_one_use_token_is_sent_or_unsaved() {
    let (mut desk, record) = Desk::settled();
    assert!(!desk.session.is_spending());
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record));
    assert!(text(&desk.written()).contains("refresh_sent_at"), "it is marked before it goes out");
    assert!(!desk.session.is_spending());
    desk.store(Ok(StoreReply::Done));
    assert!(desk.session.is_spending());
    desk.grant(2);
    assert!(desk.session.is_spending());
    assert!(text(&desk.written()).contains("at-2"));
    desk.store(Ok(StoreReply::Done));
    assert!(!desk.session.is_spending());
}

#[test]
fn neither_a_sign_in_nor_a_session_without_a_store_is_spending() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    assert_eq!(desk.paths(), ["/sign-in"]);
    assert!(!desk.session.is_spending());
    let mut alone = signed_in(Policy::default());
    alone.session.renew(LeaseId::Access, alone.now);
    alone.pass(MIN_RETRY_INTERVAL);
    assert_eq!(alone.paths(), ["/sign-in", "/refresh"]);
    assert!(!alone.session.is_spending());
}

#[test]
fn credentials_that_cannot_be_saved_are_announced_after_two_seconds() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    desk.grant(1);
    assert!(desk.session.unsaved().is_none(), "it is only on its way");
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert_eq!(desk.session.unsaved().map(StoreError::kind), Some(StoreErrorKind::Unavailable));
    assert!(desk.token().is_none());
    desk.pass(SAVE_GRACE);
    assert_eq!(desk.token(), Some("at-1"));
    assert!(text(&desk.written()).contains("at-1"), "saving goes on");
    desk.store(Ok(StoreReply::Done));
    assert!(desk.session.unsaved().is_none());
    assert!(desk.events.iter().any(|event| matches!(event, Event::Saved)));
}

#[test]
fn an_unexpected_reply_of_a_store_is_a_failure() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Done));
    let told = desk.session.obstacle(LeaseId::Access).unwrap();
    assert!(matches!(&told, Error::Store(error) if error.kind() == StoreErrorKind::Unavailable), "{told:?}");
    let why = std::error::Error::source(&told).map(ToString::to_string);
    assert!(why.is_some_and(|why| why == "the answer to something else"));
}

#[test]
fn a_store_whose_driver_is_gone_may_have_written() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.input(Input::StoreGone);
    let told = desk.session.obstacle(LeaseId::Access).unwrap();
    assert!(matches!(&told, Error::Store(error) if error.kind() == StoreErrorKind::MaybeWritten), "{told:?}");
    // Without an operation in flight it changes nothing.
    let (mut quiet, _) = Desk::settled();
    let events = quiet.events.len();
    quiet.input(Input::StoreGone);
    assert_eq!(quiet.events.len(), events);
}

#[test]
fn a_lock_too_short_to_renew_and_save_is_released() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    let StoreCommand::Lock { ttl: lease } = *desk.last_act() else { panic!("not locked") };
    assert_eq!(lease, Duration::from_secs(30) + 3 * STORE_TIMEOUT);
    assert_eq!(desk.ops.last().unwrap().timeout, LOCK_TIMEOUT + STORE_TIMEOUT);
    desk.store(Ok(StoreReply::Locked { record: None, remaining: Some(Duration::from_secs(34)) }));
    assert!(desk.requests.is_empty());
    let told = desk.session.obstacle(LeaseId::Access).unwrap();
    assert!(matches!(&told, Error::Store(error) if error.kind() == StoreErrorKind::Unusable), "{told:?}");
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
}

#[test]
fn a_lock_that_lasts_just_long_enough_is_used() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.store(Ok(StoreReply::Locked { record: None, remaining: Some(Duration::from_secs(35)) }));
    assert_eq!(desk.paths(), ["/sign-in"]);
    assert_eq!(desk.requests[0].timeout, Duration::from_secs(30));
}

#[test]
fn a_lock_that_comes_too_late_is_released() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    let late = desk.ops.last().unwrap().id;
    desk.pass(LOCK_TIMEOUT + STORE_TIMEOUT + Duration::from_secs(1));
    let told = desk.session.obstacle(LeaseId::Access);
    assert!(matches!(&told, Some(Error::Store(error)) if error.kind() == StoreErrorKind::TimedOut), "{told:?}");
    desk.input(Input::Store(late, Ok(StoreReply::Locked { record: None, remaining: None })));
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { lock } if *lock == late));
    let asked = desk.ops.len();
    desk.input(Input::Store(OpId(999), Ok(StoreReply::Done)));
    assert_eq!(desk.ops.len(), asked, "an answer to nothing asks for nothing");
}

#[test]
fn another_sessions_credentials_are_adopted_and_its_sign_out_too() {
    let (mut desk, record) = Desk::settled();
    let newer = text(&record).replace("at-1", "at-9").replace("\"revision\":1", "\"revision\":2");
    desk.input(Input::StoreChanged);
    desk.pass(Duration::from_secs(1));
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    desk.store(Ok(StoreReply::Read(Some(newer.into_bytes().into()))));
    assert_eq!(desk.token(), Some("at-9"));
    let left = r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example","revision":3,"signed_out":true}"#;
    desk.input(Input::StoreChanged);
    desk.pass(Duration::from_secs(1));
    desk.store(Ok(StoreReply::Read(Some(left.as_bytes().to_vec().into()))));
    assert_eq!(desk.token(), None);
    assert_eq!(desk.session.state(), State::SignedOut);
    assert!(matches!(desk.events.last(), Some(Event::SignedOut)));
}

#[test]
fn a_record_of_another_provider_or_namespace_is_left_as_it_is() {
    for (there, other) in [("\"toy\"", "\"toys\""), ("https://toy.example", "https://toys.example")] {
        let (mut desk, record) = Desk::settled();
        let signed_out =
            r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example","revision":9,"signed_out":true}"#;
        for foreign in [text(&record).replace(there, other), signed_out.replace(there, other)] {
            desk.input(Input::StoreChanged);
            desk.pass(Duration::from_secs(1));
            desk.store(Ok(StoreReply::Read(Some(foreign.into_bytes().into()))));
            assert_eq!(desk.token(), Some("at-1"));
            assert!(!matches!(desk.last_act(), StoreCommand::Write { .. }));
        }
    }
}

#[test]
fn every_process_chooses_the_same_of_two_conflicting_records() {
    let one = text(&Desk::settled().1);
    let branch = |token: &str| one.replace("at-1", token);
    for (other, stands) in [("at-2", "at-2"), ("at-0", "at-1")] {
        let (mut desk, _) = Desk::settled();
        desk.input(Input::StoreChanged);
        desk.pass(Duration::from_secs(1));
        desk.store(Ok(StoreReply::Read(Some(branch(other).into_bytes().into()))));
        assert_eq!(desk.token(), Some(stands), "{other} was there");
    }
}

#[test]
fn an_unchanged_lease_in_a_new_record_keeps_its_generation_and_deadline() {
    for (there, other, generations) in [("at-1", "at-9", [2, 1]), ("as-1", "as-9", [1, 2]), ("rt-1", "rt-9", [1, 1])] {
        let (mut desk, record) = Desk::settled();
        let before = desk.session.held().unwrap().aws_expires_at();
        let newer = text(&record).replace(there, other).replace("\"revision\":1", "\"revision\":2");
        desk.input(Input::StoreChanged);
        desk.pass(Duration::from_secs(1));
        desk.store(Ok(StoreReply::Read(Some(newer.into_bytes().into()))));
        let held = desk.session.held().unwrap();
        assert_eq!(LeaseId::ALL.map(|lease_id| held.generation(lease_id).get()), generations, "{other}");
        assert_eq!(held.aws_expires_at(), before);
    }
}

#[test]
fn an_unreadable_record_is_quarantined_before_it_is_overwritten() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(Some(b"\xff".to_vec().into()))));
    desk.locked(Some(b"\xff".to_vec().into()));
    assert!(matches!(desk.last_act(), StoreCommand::Quarantine { .. }));
    assert!(desk.requests.is_empty());
    desk.store(Ok(StoreReply::Done));
    assert!(desk.events.iter().any(|event| matches!(event, Event::Quarantined { .. })));
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn a_sign_out_elsewhere_after_a_save_that_may_have_been_written_counts() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    desk.grant(1);
    desk.store(Err(StoreErrorKind::MaybeWritten.into()));
    desk.pass(SAVE_GRACE);
    assert_eq!(desk.token(), Some("at-1"));
    desk.input(Input::StoreGone);
    desk.pass(Duration::from_secs(10));
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    let left = r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example","revision":2,"signed_out":true}"#;
    desk.locked(Some(left.as_bytes().to_vec().into()));
    assert_eq!(desk.token(), None, "it was there after all, and somebody signed out");
}

#[test]
fn an_imported_session_does_not_override_a_sign_out_in_the_store() {
    let donor = signed_in(Policy::default());
    let mut desk = Desk::stored(Policy::default());
    desk.session.import(donor.session.export().unwrap(), desk.now).unwrap();
    desk.drain();
    let left = r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example","revision":4,"signed_out":true}"#;
    desk.locked(Some(left.as_bytes().to_vec().into()));
    assert_eq!((desk.token(), desk.session.state()), (None, State::SignedOut));
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }), "nothing is written");
    assert!(desk.requests.is_empty(), "and nothing is revoked: whoever brought it may use it elsewhere");
}

#[test]
fn a_rejected_lease_that_was_exhausted_is_renewed_with_a_new_login() {
    for policy in [Policy::default(), Policy::default().on_demand()] {
        let mut desk = signed_in(policy);
        let generation = desk.session.held().unwrap().generation(LeaseId::Aws);
        desk.pass(Duration::from_secs(100));
        desk.session.rejected(LeaseId::Aws, generation, desk.now);
        desk.pass(MIN_RETRY_INTERVAL);
        desk.answer(401, "");
        desk.answer(401, "");
        assert_eq!(desk.paths(), ["/sign-in", "/aws-refresh", "/sign-in"]);
        assert!(desk.session.obstacle(LeaseId::Aws).is_some());
        desk.session.sign_in(ToyLogin::new("ann@toy.example", "right"), desk.now);
        desk.drain();
        assert_eq!(desk.paths().last().unwrap(), "/sign-in", "{policy:?}");
        desk.grant(2);
        assert!(desk.session.credentials(LeaseId::Aws, desk.now).is_some(), "{policy:?}");
    }
}

#[cfg(feature = "navien")]
#[test]
fn another_programs_file_is_imported_and_retired_before_it_is_overwritten() {
    use perennial_core::providers::navien::{Login, Navien};
    let file = include_str!("data/navien_saved_9_12.json");
    let at = |seconds: i64| {
        let wall = Timestamp::from_unix_seconds(1_763_542_260 + 3000 + seconds);
        Now::new(wall, Duration::from_secs(5000 + seconds.unsigned_abs()))
    };
    let login = Login::new("grower@example.com", "pass").unwrap();
    let mut session = Session::new(Navien::default(), login, Policy::default(), 7).with_store();
    let ops = |session: &mut Session<Navien>| {
        let mut ops = Vec::new();
        loop {
            match session.poll_output() {
                Output::Store(op) => ops.push(op),
                Output::Sleep(_) => break ops,
                _ => {}
            }
        }
    };
    let record = || Some(Body::from(file.as_bytes().to_vec()));
    session.demand(LeaseId::Access, at(0));
    let look = ops(&mut session).pop().unwrap();
    session.handle_input(Input::Store(look.id, Ok(StoreReply::Read(record()))), at(0));
    assert!(session.credentials(LeaseId::Access, at(0)).is_some(), "it was taken up");
    ops(&mut session);
    session.renew(LeaseId::Access, at(10));
    let lock = ops(&mut session).pop().unwrap();
    session.handle_input(Input::Store(lock.id, Ok(StoreReply::Locked { record: record(), remaining: None })), at(10));
    let aside = ops(&mut session).pop().unwrap();
    assert!(matches!(aside.command, StoreCommand::Retire { .. }), "{aside:?}");
    session.handle_input(Input::Store(aside.id, Ok(StoreReply::Done)), at(10));
    let mark = ops(&mut session).pop().unwrap();
    assert!(matches!(mark.command, StoreCommand::Write { .. }), "{mark:?}");
}
