//! A session driven by hand: what it writes to its store, what it leaves there, and when it reads again.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MIN_RETRY_INTERVAL, SAVE_GRACE, Timer};
use perennial_core::store::{STORE_TIMEOUT, StoreCommand, StoreReply};
use perennial_core::wire::Body;
use perennial_core::{AccessToken, Grant, Input, LeaseId, Policy, StoreErrorKind, Validity, Wake};
use perennial_testing::ToyLogin;

use self::desk::{Desk, START, text};

const MARK: &str = "refresh_sent_at";

fn ann(password: &str) -> ToyLogin {
    ToyLogin::new("ann@toy.example", password)
}

fn body(text: String) -> Body {
    text.into_bytes().into()
}

/// A newer record, from another session.
fn newer(record: &Body) -> Body {
    body(text(record).replace("at-1", "at-9").replace("\"revision\":1", "\"revision\":2"))
}

/// Makes the session renew this lease, with the lock on `record`.
fn renews(desk: &mut Desk, lease_id: LeaseId, record: &Body) {
    desk.session.renew(lease_id, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record.clone()));
}

/// Renews and saves the AWS credentials, and returns the new record.
fn renew_aws(desk: &mut Desk, record: &Body, serial: u32) -> Body {
    renews(desk, LeaseId::Aws, record);
    assert_eq!(desk.paths().last().unwrap(), "/aws-refresh");
    desk.answer(200, &format!(r#"{{"aws":["k","s","as-{serial}"],"aws_ms":7200000}}"#));
    let record = desk.written();
    desk.store(Ok(StoreReply::Done));
    record
}

/// The session writes the service's answer into the record, which contains `what`, and releases the lock.
fn is_noted(desk: &mut Desk, what: &str) {
    let record = text(&desk.written());
    assert!(record.contains("failures") && record.contains(what), "{record}");
    desk.store(Ok(StoreReply::Done));
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
}

// ---- Marks

#[test]
fn a_mark_is_removed_where_the_service_did_not_process_the_token() {
    let (mut desk, record) = Desk::settled();
    renews(&mut desk, LeaseId::Access, &record);
    assert!(text(&desk.written()).contains(MARK));
    desk.store(Ok(StoreReply::Done));
    desk.answer(429, "");
    assert!(!text(&desk.written()).contains(MARK));
    desk.store(Ok(StoreReply::Done));
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
}

#[test]
fn the_mark_on_a_rejected_token_stays() {
    let (mut desk, record) = Desk::settled();
    renews(&mut desk, LeaseId::Access, &record);
    desk.store(Ok(StoreReply::Done));
    desk.answer(401, "");
    desk.answer(429, "");
    assert_eq!(desk.paths(), ["/sign-in", "/refresh", "/sign-in"]);
    is_noted(&mut desk, MARK);
}

#[test]
fn the_mark_on_a_spent_token_stays_however_the_second_request_fails() {
    let (mut desk, record) = Desk::settled();
    renews(&mut desk, LeaseId::Access, &record);
    desk.store(Ok(StoreReply::Done));
    desk.answer(200, r#"{"ticket":"more"}"#);
    desk.answer(429, "");
    is_noted(&mut desk, MARK);
}

#[test]
fn renewals_that_consume_nothing_mark_nothing() {
    let (mut desk, mut record) = Desk::settled();
    for serial in 2..5 {
        record = renew_aws(&mut desk, &record, serial);
        assert!(!text(&record).contains(MARK), "renewal {serial}");
    }
}

#[test]
fn a_mark_that_was_found_ends_with_the_token_that_it_was_on() {
    let (mut other, record) = Desk::settled();
    renews(&mut other, LeaseId::Access, &record);
    let marked = other.written();
    assert!(text(&marked).contains(MARK));
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(Some(marked.clone()))));
    assert_eq!(desk.token(), Some("at-1"));
    // Under the lock the mark means that the answer was lost: the session signs in.
    renews(&mut desk, LeaseId::Access, &marked);
    assert_eq!(desk.paths(), ["/sign-in"]);
    desk.grant(2);
    let record = desk.written();
    assert!(!text(&record).contains(MARK));
    desk.store(Ok(StoreReply::Done));
    let record = renew_aws(&mut desk, &record, 3);
    assert!(!text(&record).contains(MARK), "the token is another one");
}

// ---- Logins

#[test]
fn after_a_wrong_new_login_the_replaced_credentials_count_again() {
    let (mut desk, record) = Desk::settled();
    desk.session.sign_in(ann("wrong"), desk.now);
    desk.drain();
    desk.locked(Some(record.clone()));
    desk.answer(401, "");
    is_noted(&mut desk, "invalid_credentials");
    desk.input(Input::StoreChanged);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.store(Ok(StoreReply::Read(Some(newer(&record)))));
    assert_eq!(desk.token(), Some("at-9"));
}

#[test]
fn during_a_sign_in_nothing_else_is_renewed_from_outdated_credentials() {
    let (mut desk, record) = Desk::settled();
    desk.session.sign_in(ann("pass"), desk.now);
    desk.drain();
    desk.locked(Some(newer(&record)));
    desk.answer(500, "");
    is_noted(&mut desk, "at-9");
    desk.session.renew(LeaseId::Aws, desk.now);
    desk.drain();
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }), "it waits");
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
}

#[test]
fn during_a_sign_in_the_previous_credentials_are_not_saved() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    desk.grant(1);
    desk.store(Err(StoreErrorKind::Lost.into()));
    desk.pass(SAVE_GRACE);
    desk.session.sign_in(ann("pass"), desk.now);
    desk.drain();
    desk.locked(None);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
    desk.answer(500, "");
    is_noted(&mut desk, "never_signed_in");
    assert_eq!(desk.token(), Some("at-1"), "and it serves");
}

#[test]
fn an_installed_grant_that_could_not_be_saved_is_saved_later() {
    let mut desk = Desk::stored(Policy::default());
    let access = AccessToken::new("Bearer", "at-5", Validity::with_lifetime(START, Duration::from_secs(3600))).unwrap();
    desk.session.install_grant(Grant { access: Some(access), ..Grant::default() }, desk.now).unwrap();
    desk.drain();
    desk.locked(None);
    assert!(text(&desk.written()).contains("at-5"));
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert_eq!(desk.session.next_wake().map(|wake| wake.why), Some(Timer::Store));
    desk.pass(SAVE_GRACE);
    assert_eq!(desk.token(), Some("at-5"));
    assert!(text(&desk.written()).contains("at-5"));
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    let wake = desk.session.next_wake().unwrap();
    assert!(wake.why == Timer::Store && wake.at > desk.now.monotonic, "and so on");
}

#[test]
fn a_login_that_is_forgotten_leaves_the_store() {
    let mut desk = Desk::stored(Policy::default().persist_login());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    desk.grant(1);
    let kept = desk.written();
    assert!(text(&kept).contains("toy-password"));
    desk.store(Ok(StoreReply::Done));
    desk.session.forget_login(desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    desk.locked(Some(kept));
    let left = text(&desk.written());
    assert!(left.contains("at-1") && !left.contains("toy-password"), "{left}");
}

#[test]
fn a_session_that_holds_nothing_has_nothing_to_save() {
    let mut desk = Desk::stored(Policy::default().persist_login());
    desk.session.forget_login(desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    assert!(desk.ops.is_empty());
}

// ---- Reads

#[test]
fn a_session_wakes_for_its_store_only_where_something_is_to_be_done() {
    let (mut desk, _) = Desk::settled();
    let store = |desk: &Desk| desk.session.next_wake().filter(|wake| wake.why == Timer::Store);
    assert_eq!(store(&desk), None);
    // A change right after a read waits for a moment.
    desk.input(Input::StoreChanged);
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
    let at = store(&desk).unwrap().at;
    assert!(at > desk.now.monotonic && at < desk.now.monotonic + MIN_RETRY_INTERVAL);
    desk.pass(at - desk.now.monotonic);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    let grace = Duration::from_secs(1);
    assert_eq!(store(&desk), Some(Wake { at: desk.now.monotonic + STORE_TIMEOUT + grace, why: Timer::Store }));
}

#[test]
fn a_failed_read_only_misses_a_change() {
    let (mut desk, _) = Desk::settled();
    desk.input(Input::StoreChanged);
    desk.pass(MIN_RETRY_INTERVAL);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    desk.session.renew(LeaseId::Access, desk.now);
    desk.drain();
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert_eq!(desk.session.failures(LeaseId::Access).0, 0);
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }), "what is needed is decided under the lock");
}

#[test]
fn a_sign_out_elsewhere_in_a_store_that_lost_its_record_counts() {
    let (mut desk, _) = Desk::settled();
    let left = r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example","revision":1,"signed_out":true}"#;
    desk.input(Input::StoreChanged);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.store(Ok(StoreReply::Read(Some(body(left.into())))));
    assert_eq!(desk.token(), None);
}
