//! Uncertain credentials, whose age cannot be proven, in a session driven by hand: they are renewed before anybody gets
//! them.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::MIN_RETRY_INTERVAL;
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::{
    Error, LeaseId, Now, Policy, SavedSession, Session, SessionError, State, StoreErrorKind, TransportErrorKind,
};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, START};

const DAY: Duration = Duration::from_secs(86_400);

fn policies() -> [Policy; 3] {
    [Policy::default(), Policy::default().on_demand(), Policy::default().one_shot()]
}

/// A session saved by a program whose clock was a day ahead.
fn saved_ahead() -> String {
    saved_ahead_of(|desk| desk.grant(1))
}

/// The same without AWS credentials.
fn access_alone_saved_ahead() -> String {
    let answer = r#"{"access":"at-1","access_ms":3600000,"refresh":"rt-1","user":"ann@toy.example"}"#;
    saved_ahead_of(|desk| desk.answer(200, answer))
}

fn saved_ahead_of(grant: impl FnOnce(&mut Desk)) -> String {
    let mut desk = Desk::new(Policy::default());
    desk.now = Now::new(START.wall.saturating_add(DAY), START.monotonic);
    desk.demand(LeaseId::Access);
    grant(&mut desk);
    desk.session.export().unwrap().to_json().expose().to_owned()
}

/// A program with a correct clock that imports it.
fn restored(policy: Policy, login: Option<ToyLogin>) -> Desk {
    restored_from(&saved_ahead(), policy, login)
}

fn restored_from(saved: &str, policy: Policy, login: Option<ToyLogin>) -> Desk {
    let mut desk = Desk::of(Session::new(Toy, login, policy, 7));
    let saved = SavedSession::parse(saved.as_bytes(), desk.now).unwrap();
    desk.session.import(saved, desk.now).unwrap();
    desk.drain();
    desk
}

fn ann() -> Option<ToyLogin> {
    Some(ToyLogin::new("ann@toy.example", "pass"))
}

fn is_served(desk: &Desk, lease_id: LeaseId) -> bool {
    desk.session.credentials(lease_id, desk.now).is_some()
}

#[test]
fn uncertain_credentials_are_renewed_first_and_nobody_gets_them_meanwhile() {
    for policy in policies() {
        let mut desk = restored(policy, None);
        assert!(desk.session.held().is_some());
        assert!(!is_served(&desk, LeaseId::Access) && !is_served(&desk, LeaseId::Aws), "{policy:?}");
        desk.demand(LeaseId::Access);
        assert_eq!(desk.paths(), ["/refresh"], "{policy:?}");
        assert!(!is_served(&desk, LeaseId::Access) && desk.session.obstacle(LeaseId::Access).is_none());
        assert_eq!(desk.session.state(), State::SigningIn);
        desk.grant(2);
        assert_eq!(desk.token(), Some("at-2"));
        assert!(is_served(&desk, LeaseId::Aws));
        assert_eq!(desk.paths(), ["/refresh"], "{policy:?}");
    }
}

#[test]
fn a_proactive_session_renews_uncertain_credentials_before_anybody_asks() {
    let desk = restored(Policy::default(), None);
    assert_eq!(desk.paths(), ["/refresh"]);
    for policy in [Policy::default().on_demand(), Policy::default().one_shot()] {
        assert_eq!(restored(policy, None).paths(), [""; 0]);
    }
}

#[test]
fn uncertain_credentials_are_served_where_renewal_fails_for_now() {
    for policy in policies() {
        let mut desk = restored_from(&access_alone_saved_ahead(), policy, None);
        desk.demand(LeaseId::Access);
        let told = desk.session.failures(LeaseId::Access).0;
        desk.input_failure(TransportErrorKind::TimedOut);
        assert_eq!(desk.token(), Some("at-1"), "{policy:?}");
        assert!(desk.session.obstacle(LeaseId::Access).is_none() && !desk.session.renews_first(LeaseId::Access));
        assert_eq!(desk.session.failures(LeaseId::Access).0, told + 1);
        // Once for each import: from then on they are served, and renewed at the next occasion.
        desk.demand(LeaseId::Access);
        assert_eq!(desk.token(), Some("at-1"), "{policy:?}");
        desk.pass(Duration::from_secs(10));
        desk.demand(LeaseId::Access);
        assert_eq!(desk.paths(), ["/refresh", "/refresh"], "{policy:?}");
        assert_eq!(desk.token(), Some("at-1"), "{policy:?}");
        desk.grant(2);
        assert_eq!(desk.token(), Some("at-2"));
    }
}

#[test]
fn uncertain_credentials_are_not_served_where_the_service_rejects_the_renewal() {
    for policy in policies() {
        let mut desk = restored(policy, None);
        desk.demand(LeaseId::Access);
        desk.answer(401, "");
        assert!(!is_served(&desk, LeaseId::Access), "{policy:?}");
        assert_eq!(desk.session.state(), State::SignInRequired);
        let error = desk.session.obstacle(LeaseId::Access).unwrap();
        assert!(matches!(error, Error::Session(SessionError::SignInRequired { .. })), "{error:?}");
    }
}

#[test]
fn every_method_is_tried_before_uncertain_credentials_are_served() {
    let mut desk = restored(Policy::default(), ann());
    desk.answer(401, "");
    assert_eq!(desk.paths(), ["/refresh", "/sign-in"]);
    assert!(!is_served(&desk, LeaseId::Access));
    desk.input_failure(TransportErrorKind::NotSent);
    assert_eq!(desk.token(), Some("at-1"));
}

#[test]
fn uncertain_credentials_are_served_where_no_method_can_renew_them() {
    let saved = access_alone_saved_ahead().replace("\"refresh_token\":\"rt-1\",", "");
    assert!(!saved.contains("rt-1"), "{saved}");
    let mut desk = restored_from(&saved, Policy::default(), None);
    desk.demand(LeaseId::Access);
    assert_eq!((desk.paths().len(), desk.token()), (0, Some("at-1")));
}

#[test]
fn leases_that_need_an_uncertain_access_token_use_it_once_its_renewal_failed() {
    let mut desk = restored(Policy::default().on_demand(), None);
    desk.demand(LeaseId::Aws);
    desk.input_failure(TransportErrorKind::NotSent);
    assert_eq!(desk.token(), Some("at-1"));
    assert_eq!(desk.paths(), ["/refresh", "/aws-refresh"], "with what is as good as any now");
    assert!(!is_served(&desk, LeaseId::Aws));
    desk.input_failure(TransportErrorKind::NotSent);
    assert!(is_served(&desk, LeaseId::Aws));
}

#[test]
fn uncertain_credentials_from_a_store_are_renewed_first_too() {
    for policy in policies() {
        let record = perennial_core::wire::Body::from(saved_ahead().into_bytes());
        let mut desk = Desk::of(Session::new(Toy, None, policy, 7).with_store());
        desk.demand(LeaseId::Access);
        desk.store(Ok(StoreReply::Read(Some(record.clone()))));
        assert!(
            !is_served(&desk, LeaseId::Access) && matches!(desk.last_act(), StoreCommand::Lock { .. }),
            "{policy:?}"
        );
        desk.locked(Some(record));
        desk.store(Ok(StoreReply::Done));
        assert_eq!(desk.paths(), ["/refresh"]);
        desk.grant(2);
        desk.store(Ok(StoreReply::Done));
        assert_eq!(desk.token(), Some("at-2"));
    }
}

#[test]
fn uncertain_credentials_are_served_where_the_store_cannot_be_locked() {
    for policy in policies() {
        let record = perennial_core::wire::Body::from(saved_ahead().into_bytes());
        let mut desk = Desk::of(Session::new(Toy, None, policy, 7).with_store());
        desk.demand(LeaseId::Access);
        desk.store(Ok(StoreReply::Read(Some(record))));
        desk.store(Err(StoreErrorKind::Busy.into()));
        assert_eq!(desk.token(), Some("at-1"), "{policy:?}");
    }
}

#[test]
fn credentials_issued_within_a_minute_in_the_future_are_served_at_once() {
    let mut desk = Desk::new(Policy::default());
    desk.now = Now::new(START.wall.saturating_add(Duration::from_secs(50)), START.monotonic);
    desk.demand(LeaseId::Access);
    desk.grant(1);
    let saved = desk.session.export().unwrap().to_json();
    let mut next = Desk::of(Session::new(Toy, None, Policy::default(), 7));
    next.session.import(SavedSession::parse(saved.expose().as_bytes(), next.now).unwrap(), next.now).unwrap();
    next.drain();
    next.pass(MIN_RETRY_INTERVAL);
    assert_eq!((next.token(), next.paths().len()), (Some("at-1"), 0));
}
