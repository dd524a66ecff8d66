//! A session driven by hand: what it does with each record that it finds in its store.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MIN_RETRY_INTERVAL, Timer};
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::wire::Body;
use perennial_core::{Event, Input, LeaseId, Policy, Session, SignOut};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, text};

/// The session reads its store and finds this.
fn finds(desk: &mut Desk, record: Option<Body>) {
    desk.input(Input::StoreChanged);
    desk.pass(MIN_RETRY_INTERVAL);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    desk.store(Ok(StoreReply::Read(record)));
}

fn with(record: &Body, there: &str, other: &str) -> Body {
    let text = text(record);
    assert!(text.contains(there), "{text}");
    text.replace(there, other).into_bytes().into()
}

fn newer(record: &Body) -> Body {
    with(record, "\"revision\":1", "\"revision\":2")
}

fn signed_out(revision: u64) -> Body {
    let head = r#"{"perennial":1,"provider":"toy","namespace":"https://toy.example""#;
    format!(r#"{head},"revision":{revision},"signed_out":true}}"#).into_bytes().into()
}

fn went_back(desk: &Desk) -> bool {
    desk.events.iter().any(|event| matches!(event, Event::StoreRegressed))
}

/// A session that signed in and saved, then renewed and saved again, with both records.
fn settled_twice() -> (Desk, [Body; 2]) {
    let (mut desk, first) = Desk::settled();
    desk.session.renew(LeaseId::Aws, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(first.clone()));
    desk.answer(200, r#"{"aws":["k","s","as-2"],"aws_ms":7200000}"#);
    let second = desk.written();
    desk.store(Ok(StoreReply::Done));
    (desk, [first, second])
}

/// A session that keeps its login in the store.
fn keeping(login: Option<ToyLogin>) -> Desk {
    Desk::of(Session::new(Toy, login, Policy::default().persist_login(), 7).with_store())
}

/// A session with this password, and the record that it saved, with its login.
fn kept(password: &str) -> (Desk, Body) {
    let mut desk = keeping(Some(ToyLogin::new("ann@toy.example", password)));
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    desk.locked(None);
    desk.grant(1);
    let record = desk.written();
    desk.store(Ok(StoreReply::Done));
    (desk, record)
}

// ---- Older, or gone

#[test]
fn a_lost_record_is_written_again_and_its_refresh_token_may_be_spent() {
    let (mut desk, _) = Desk::settled();
    finds(&mut desk, None);
    assert!(!went_back(&desk), "it is decided under the lock");
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    desk.locked(None);
    assert!(went_back(&desk));
    let record = text(&desk.written());
    assert!(record.contains("\"revision\":1") && record.contains("refresh_sent_at"), "{record}");
    desk.store(Ok(StoreReply::Done));
    assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
}

#[test]
fn an_empty_store_is_no_regression_where_nothing_is_held() {
    let (mut desk, _) = Desk::settled();
    finds(&mut desk, Some(signed_out(3)));
    assert_eq!(desk.token(), None);
    desk.session.sign_in_again(desk.now).unwrap();
    desk.drain();
    desk.locked(None);
    assert!(!went_back(&desk));
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
}

#[test]
fn an_older_sign_out_is_ignored_and_the_record_written_again() {
    let (mut desk, _) = settled_twice();
    finds(&mut desk, Some(signed_out(1)));
    assert_eq!(desk.token(), Some("at-1"));
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
}

#[test]
fn an_older_record_is_replaced_unless_it_was_granted_later() {
    let (mut desk, [first, _]) = settled_twice();
    finds(&mut desk, Some(first));
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));

    let (mut desk, _) = settled_twice();
    let mut anew = Desk::stored(Policy::default());
    anew.pass(Duration::from_secs(600));
    anew.demand(LeaseId::Access);
    anew.store(Ok(StoreReply::Read(None)));
    anew.locked(None);
    anew.grant(9);
    desk.pass(Duration::from_secs(601));
    finds(&mut desk, Some(anew.written()));
    assert_eq!(desk.token(), Some("at-9"), "the store began anew");
}

// ---- Newer

#[test]
fn a_record_of_another_account_is_not_adopted() {
    for forgets in [Session::forget_login, |_: &mut Session<Toy>, _| {}] {
        let (mut desk, record) = Desk::settled();
        forgets(&mut desk.session, desk.now);
        finds(&mut desk, Some(with(&newer(&with(&record, "at-1", "at-9")), "ann@toy", "bob@toy")));
        assert_eq!(desk.token(), Some("at-1"));
    }
}

#[test]
fn a_new_refresh_token_in_the_store_replaces_a_rejected_one() {
    let (mut desk, record) = Desk::settled();
    desk.session.forget_login(desk.now);
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record.clone()));
    desk.store(Ok(StoreReply::Done));
    desk.answer(401, "");
    assert!(desk.session.pause(LeaseId::Access).is_some());
    finds(&mut desk, Some(with(&with(&record, "rt-1", "rt-9"), "\"revision\":1", "\"revision\":5")));
    assert!(desk.session.pause(LeaseId::Access).is_none());
}

#[test]
fn a_signed_out_session_reads_whether_somebody_has_signed_in() {
    let (mut desk, _) = Desk::settled();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    desk.answer(200, "{}");
    desk.locked(None);
    desk.store(Ok(StoreReply::Done));
    let asked = desk.ops.len();
    desk.pass(Duration::from_secs(3600));
    assert_eq!(desk.ops.len(), asked, "not by itself");
    desk.input(Input::StoreChanged);
    desk.pass(MIN_RETRY_INTERVAL);
    assert_eq!(desk.ops.len(), asked + 1);
}

// ---- Logins

#[test]
fn a_login_in_the_store_is_used_where_the_policy_says_so_and_none_is_given() {
    let (_, record) = kept("pass");
    for (policy, has_login) in [(Policy::default().persist_login(), true), (Policy::default(), false)] {
        let mut desk = Desk::of(Session::new(Toy, None, policy, 7).with_store());
        desk.demand(LeaseId::Access);
        desk.store(Ok(StoreReply::Read(Some(record.clone()))));
        assert_eq!(desk.token(), Some("at-1"));
        assert_eq!(desk.session.has_login(), has_login);
    }
}

/// The login that is sent when the refresh token is rejected.
fn signs_in_with(desk: &mut Desk, record: &Body) -> String {
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record.clone()));
    desk.store(Ok(StoreReply::Done));
    desk.answer(401, "");
    assert_eq!(desk.paths().last().unwrap(), "/sign-in");
    String::from_utf8_lossy(desk.requests.last().unwrap().http.body().as_ref()).into_owned()
}

#[test]
fn a_given_login_is_preferred_to_one_in_the_store() {
    let (_, record) = kept("theirs");
    let mut desk = keeping(Some(ToyLogin::new("ann@toy.example", "ours")));
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(Some(record.clone()))));
    assert!(signs_in_with(&mut desk, &record).contains("ours"));
}

#[test]
fn a_login_that_was_saved_later_is_adopted() {
    let (mut desk, record) = kept("before");
    let later = with(&newer(&record), "before", "after");
    finds(&mut desk, Some(later.clone()));
    assert!(signs_in_with(&mut desk, &later).contains("after"));
}

#[test]
fn a_login_that_is_missing_in_the_store_is_written_again() {
    let (mut desk, _) = kept("pass");
    let bare = newer(&Desk::settled().1);
    finds(&mut desk, Some(bare.clone()));
    desk.pass(MIN_RETRY_INTERVAL);
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    desk.locked(Some(bare));
    assert!(text(&desk.written()).contains("toy-password"));
}

#[test]
fn a_login_that_another_session_kept_is_forgotten_with_ours() {
    let (_, record) = kept("pass");
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(Some(record.clone()))));
    desk.session.forget_login(desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(record));
    assert!(!text(&desk.written()).contains("toy-password"));
}

// ---- Extreme numbers

/// The places of numbers in a record, as JSON pointers (RFC 6901).
fn numbers(json: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    match json {
        serde_json::Value::Number(_) => found.push(at.to_owned()),
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| numbers(value, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

/// Goes on from the record: renews, saves, and lets time pass.
fn goes_on(desk: &mut Desk, record: &Body) {
    for lease_id in LeaseId::ALL {
        desk.session.renew(lease_id, desk.now);
        desk.pass(MIN_RETRY_INTERVAL);
        if matches!(desk.last_act(), StoreCommand::Lock { .. }) {
            desk.locked(Some(record.clone()));
        }
        for serial in 5..8 {
            match desk.last_act() {
                StoreCommand::Write { .. } => desk.store(Ok(StoreReply::Done)),
                _ if desk.session.next_wake().is_some_and(|wake| wake.why == Timer::RequestDeadline) => {
                    desk.grant(serial);
                }
                _ => desk.pass(Duration::from_secs(7200)),
            }
        }
    }
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
}

/// Arithmetic that overflows panics in a debug build, as in this test.
#[test]
fn extreme_numbers_in_a_record_do_no_harm() {
    let ends = ["0", "-1", "1", "9223372036854775807", "-9223372036854775808", "18446744073709551615"];
    let (_, record) = kept("pass");
    let json: serde_json::Value = serde_json::from_str(&text(&record)).unwrap();
    let mut places = Vec::new();
    numbers(&json, "", &mut places);
    for place in ["/revision", "/written/at", "/access/validity/issued_at", "/access/validity/expires_at"] {
        assert!(places.iter().any(|known| known == place), "{place}: {places:?}");
    }
    for place in ["/refresh_sent_at", "/failures/not_before"] {
        places.push(place.to_owned());
    }
    for place in &places {
        for end in ends {
            let mut changed = json.clone();
            let (parent, name) = place.rsplit_once('/').unwrap();
            let object = changed.pointer_mut(parent);
            let end: serde_json::Value = serde_json::from_str(end).unwrap();
            match object {
                Some(object) => object[name] = end,
                None => changed["failures"] = serde_json::json!({name: end}),
            }
            let changed = Body::from(serde_json::to_vec(&changed).unwrap());
            let mut fresh = keeping(None);
            fresh.demand(LeaseId::Access);
            fresh.store(Ok(StoreReply::Read(Some(changed.clone()))));
            goes_on(&mut fresh, &changed);
            let (mut settled, _) = kept("pass");
            finds(&mut settled, Some(changed.clone()));
            goes_on(&mut settled, &changed);
        }
    }
}

#[test]
fn a_revision_at_its_maximum_is_written_again_and_the_later_grant_counts() {
    let last = |record: &Body| with(record, "\"revision\":1", "\"revision\":18446744073709551615");
    let (mut desk, first) = Desk::settled();
    finds(&mut desk, Some(last(&first)));
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.locked(Some(last(&first)));
    desk.store(Ok(StoreReply::Done));
    desk.grant(2);
    let second = desk.written();
    assert!(text(&second).contains("\"revision\":18446744073709551615") && text(&second).contains("at-2"));
    desk.store(Ok(StoreReply::Done));
    let (mut other, _) = Desk::settled();
    finds(&mut other, Some(last(&first)));
    finds(&mut other, Some(second));
    assert_eq!(other.token(), Some("at-2"));
}
