//! The end of a session, driven by hand: nothing new begins, and what would be lost is finished.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::{MIN_RETRY_INTERVAL, REJECTION_GRACE, SAVE_GRACE};
use perennial_core::store::{StoreCommand, StoreReply};
use perennial_core::{
    AccessToken, Error, Grant, ImportError, LeaseId, Policy, Session, SessionError, SignOut, StoreError,
    StoreErrorKind, Unfinished, Validity,
};
use perennial_testing::{Toy, ToyLogin};

use self::desk::{Desk, signed_in, text};

/// The lifetime of the access tokens here.
const EXPIRY: Duration = Duration::from_secs(3600);

impl Desk {
    fn close(&mut self) {
        self.session.close(self.now);
        self.drain();
    }

    /// A renewal with a one-use token: the store is locked, and the token is being marked in the record.
    fn marking() -> Self {
        let (mut desk, record) = Desk::settled();
        desk.session.renew(LeaseId::Access, desk.now);
        desk.pass(MIN_RETRY_INTERVAL);
        desk.locked(Some(record));
        assert!(text(&desk.written()).contains("refresh_sent_at"));
        desk
    }

    /// The same, with the token sent.
    fn spending() -> Self {
        let mut desk = Self::marking();
        desk.store(Ok(StoreReply::Done));
        assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
        desk
    }

    fn is_unlocked(&self) -> bool {
        matches!(self.last_act(), StoreCommand::Unlock { .. })
    }
}

#[allow(clippy::needless_pass_by_value, reason = "what a getter gives")]
fn is_closed(error: Option<Error>) -> bool {
    matches!(error, Some(Error::Session(SessionError::Closed)))
}

#[test]
fn nothing_begins_after_the_end_whoever_asks() {
    for policy in [Policy::default(), Policy::default().on_demand()] {
        let mut desk = signed_in(policy);
        assert!(!desk.session.is_finished(), "nobody said so");
        desk.close();
        assert!(desk.session.is_finished() && desk.session.unfinished().is_none());
        assert!(desk.token().is_some() && desk.session.obstacle(LeaseId::Access).is_none(), "what is valid is valid");
        desk.pass(EXPIRY - REJECTION_GRACE);
        desk.session.renew(LeaseId::Access, desk.now);
        desk.pass(2 * EXPIRY);
        for lease_id in LeaseId::ALL {
            desk.demand(lease_id);
            assert!(is_closed(desk.session.obstacle(lease_id)), "{lease_id}");
        }
        desk.session.sign_in(ToyLogin::new("bob@toy.example", "pass"), desk.now);
        desk.pass(EXPIRY);
        assert_eq!(desk.paths(), ["/sign-in"]);
        assert!(desk.session.next_wake().is_none(), "{:?}", desk.session.next_wake());
    }
}

#[test]
fn a_sent_one_use_token_is_awaited_and_saved_and_the_lock_released() {
    let mut desk = Desk::spending();
    desk.close();
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unanswered)));
    desk.grant(2);
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unsaved(None))));
    let record = text(&desk.written());
    assert!(record.contains("rt-2") && !record.contains("refresh_sent_at"), "{record}");
    assert!(!desk.session.is_finished());
    desk.store(Ok(StoreReply::Done));
    assert!(desk.is_unlocked() && desk.session.is_finished());
    assert_eq!(desk.token(), Some("at-2"));
}

#[test]
fn a_sent_one_use_token_is_given_up_at_its_timeout() {
    let mut desk = Desk::spending();
    desk.close();
    desk.pass(Duration::from_secs(60));
    assert!(desk.is_unlocked() && desk.session.is_finished(), "{:?}", desk.session.unfinished());
}

#[test]
fn a_sent_one_use_token_is_awaited_without_a_store_too() {
    let mut desk = signed_in(Policy::default());
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
    desk.close();
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unanswered)));
    assert!(!desk.session.is_finished());
    desk.grant(2);
    assert!(desk.session.is_finished());
    // Without a store, the caller saves it now.
    let saved = desk.session.export().unwrap();
    assert_eq!(saved.credentials().refresh_token().unwrap().expose(), "rt-2");
}

#[test]
fn a_request_that_consumes_nothing_is_cancelled() {
    let mut alone = Desk::new(Policy::default());
    alone.demand(LeaseId::Access);
    assert_eq!(alone.paths(), ["/sign-in"]);
    alone.close();
    assert!(alone.session.is_finished());
    alone.grant(1);
    assert!(alone.token().is_none(), "nobody waits for it any more");

    let mut stored = Desk::stored(Policy::default());
    stored.demand(LeaseId::Access);
    stored.store(Ok(StoreReply::Read(None)));
    stored.locked(None);
    assert_eq!(stored.paths(), ["/sign-in"]);
    stored.close();
    assert!(stored.is_unlocked() && stored.session.is_finished());
}

#[test]
fn a_requested_lock_is_awaited_and_released_and_a_read_is_not() {
    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    assert!(matches!(desk.last_act(), StoreCommand::Read));
    desk.close();
    assert!(desk.session.is_finished());

    let mut desk = Desk::stored(Policy::default());
    desk.demand(LeaseId::Access);
    desk.store(Ok(StoreReply::Read(None)));
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    desk.close();
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::StoreAtWork)) && !desk.session.is_finished());
    desk.locked(None);
    assert!(desk.is_unlocked() && desk.session.is_finished());
    assert_eq!(desk.paths(), [""; 0]);
}

#[test]
fn a_marked_token_that_will_not_be_sent_loses_its_mark() {
    let mut desk = Desk::marking();
    desk.close();
    assert!(!desk.session.is_finished());
    desk.store(Ok(StoreReply::Done));
    let record = text(&desk.written());
    assert!(record.contains("rt-1") && !record.contains("refresh_sent_at"), "{record}");
    desk.store(Ok(StoreReply::Done));
    assert!(desk.is_unlocked() && desk.session.is_finished());
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn a_sent_token_without_an_answer_keeps_its_mark() {
    let mut desk = Desk::spending();
    desk.close();
    let writes = |desk: &Desk| desk.ops.iter().filter(|op| matches!(op.command, StoreCommand::Write { .. })).count();
    let before = writes(&desk);
    desk.pass(Duration::from_secs(60));
    assert!(desk.session.is_finished());
    assert_eq!(writes(&desk), before, "the mark that is there stays");
}

fn grant(desk: &Desk) -> Grant {
    let access = AccessToken::new("Bearer", "at-9", Validity::with_lifetime(desk.now, EXPIRY)).unwrap();
    Grant { access: Some(access), refresh_token: Some("rt-9".into()), ..Grant::default() }
}

#[test]
fn an_installed_grant_is_saved_before_the_end() {
    let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7).with_store());
    desk.session.install_grant(grant(&desk), desk.now).unwrap();
    desk.close();
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unsaved(None))));
    desk.locked(None);
    assert!(text(&desk.written()).contains("rt-9"));
    desk.store(Ok(StoreReply::Done));
    assert!(desk.is_unlocked() && desk.session.is_finished());
}

#[test]
fn a_failed_save_is_repeated_unless_that_cannot_help() {
    for (kind, passes) in [
        (StoreErrorKind::Busy, true),
        (StoreErrorKind::Unavailable, true),
        (StoreErrorKind::TimedOut, true),
        (StoreErrorKind::Unusable, false),
        (StoreErrorKind::Refused(ImportError::OtherProvider), false),
    ] {
        let mut desk = Desk::of(Session::new(Toy, None, Policy::default(), 7).with_store());
        desk.session.install_grant(grant(&desk), desk.now).unwrap();
        desk.close();
        desk.store(Err(kind.into()));
        let said = match desk.session.unfinished() {
            Some(Unfinished::Unsaved(error)) => error.as_ref().map(StoreError::kind),
            other => panic!("{other:?}"),
        };
        assert_eq!((said, desk.session.is_finished()), (Some(kind), !passes));
        desk.pass(SAVE_GRACE);
        desk.pass(Duration::from_secs(10));
        assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
        desk.locked(None);
        desk.store(Ok(StoreReply::Done));
        assert!(desk.is_unlocked() && desk.session.is_finished(), "it is mended");
    }
}

#[test]
fn a_lock_under_which_nothing_can_be_saved_is_released() {
    let mut desk = Desk::spending();
    desk.close();
    desk.grant(2);
    desk.store(Err(StoreErrorKind::Unavailable.into()));
    assert!(!desk.session.is_finished());
    desk.pass(Duration::from_secs(10));
    assert!(text(&desk.written()).contains("rt-2"), "once more, under the same lock");
    desk.store(Err(StoreErrorKind::Unusable.into()));
    assert!(desk.is_unlocked() && desk.session.is_finished());
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unsaved(Some(_)))));
}

#[test]
fn a_sign_out_is_written_to_the_store_before_the_end() {
    let (mut desk, record) = Desk::settled();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.close();
    assert!(matches!(desk.session.unfinished(), Some(Unfinished::Unsaved(None))));
    assert!(matches!(desk.last_act(), StoreCommand::Lock { .. }));
    desk.locked(Some(record));
    assert!(!text(&desk.written()).contains("rt-1"));
    desk.store(Ok(StoreReply::Done));
    assert!(desk.is_unlocked() && desk.session.is_finished());
}

#[test]
fn unfinished_names_what_is_open() {
    let said = |unfinished: &Unfinished| unfinished.to_string();
    assert!(said(&Unfinished::Unanswered).contains("works once"));
    assert_eq!(said(&Unfinished::Unsaved(None)), "the session is not saved");
    assert!(said(&Unfinished::StoreAtWork).contains("store"));
    let unsaved = Unfinished::Unsaved(Some(StoreErrorKind::Busy.into()));
    assert!(std::error::Error::source(&unsaved).unwrap().to_string().contains("locked"));
}
