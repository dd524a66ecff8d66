//! Scenarios of sessions that share a store, step by step: each result of the store comes when the scenario says so.

use std::collections::VecDeque;
use std::time::Duration;

use perennial_core::session::SAVE_GRACE;
use perennial_core::store::{StoreCommand, StoreReply, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{
    AccessToken, Account, Grant, Input, LeaseId, Now, Output, Policy, Request, Response, Secret, Session, SignOut,
    State, StoreError, StoreErrorKind, Timestamp, Validity,
};
use perennial_testing::{Toy, ToyLogin};
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);
const LEASE: Duration = Duration::from_secs(45);

/// One session with its outputs and its clocks.
struct Desk {
    session: Session<Toy>,
    now: Now,
    ops: VecDeque<StoreRequest>,
    requests: VecDeque<Request>,
    events: Vec<String>,
}

/// The record of a store that several sessions share.
#[derive(Default)]
struct Shelf(Option<Body>);

impl Desk {
    fn new(policy: Policy) -> Self {
        let session = Session::new(Toy, ToyLogin::new("ann", "right"), policy, 1).with_store();
        let now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(100));
        Self { session, now, ops: VecDeque::new(), requests: VecDeque::new(), events: Vec::new() }
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now::new(self.now.wall.saturating_add(time), self.now.monotonic + time);
        self.tell(Input::Wake);
    }

    fn turn_wall_ahead(&mut self, by: Duration) {
        self.now.wall = self.now.wall.saturating_add(by);
        self.tell(Input::Wake);
    }

    fn command<T>(&mut self, command: impl FnOnce(&mut Session<Toy>, Now) -> T) -> T {
        let result = command(&mut self.session, self.now);
        for _ in 0..100 {
            match self.session.poll_output() {
                Output::Send(request) => self.requests.push_back(request),
                Output::Store(op) => self.ops.push_back(op),
                Output::Event(event) => self.events.push(event.to_string()),
                Output::Cancel(_) => {}
                Output::Sleep(_) => return result,
            }
        }
        panic!("it asks for more and more: {:?}", self.events);
    }

    fn tell(&mut self, input: Input) {
        self.command(|session, now| session.handle_input(input, now));
    }

    /// Carries out the next operation, which has to be of this kind.
    fn store(&mut self, shelf: &mut Shelf, kind: &str) {
        let op = self.take_op(kind);
        let result = match op.command {
            StoreCommand::Read => StoreReply::Read(shelf.0.clone()),
            StoreCommand::Lock { .. } => StoreReply::Locked { record: shelf.0.clone(), remaining: Some(LEASE) },
            StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => {
                shelf.0 = Some(record);
                StoreReply::Done
            }
            StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } | StoreCommand::Unlock { .. } => {
                StoreReply::Done
            }
        };
        self.tell(Input::Store(op.id, Ok(result)));
    }

    fn take_op(&mut self, kind: &str) -> StoreRequest {
        let op = self.ops.pop_front().unwrap_or_else(|| panic!("{kind} is not asked for: {:?}", self.events));
        assert_eq!(name(&op), kind, "{:?}", self.events);
        op
    }

    /// Answers the request in flight, which must be to this path.
    fn answer(&mut self, path: &str, answer: Option<Value>) {
        let request = self.requests.pop_front().unwrap_or_else(|| panic!("nothing is sent: {:?}", self.events));
        assert_eq!(request.http.uri().path(), path, "{:?}", self.events);
        let status = if answer.is_some() { 200 } else { 401 };
        let body = Body::from(answer.unwrap_or_default().to_string().into_bytes());
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        self.tell(Input::Response(request.id, response));
    }

    /// A first sign-in, saved.
    fn sign_in(&mut self, shelf: &mut Shelf, number: u32) {
        self.command(|session, now| session.demand(LeaseId::Access, now));
        self.all(shelf);
        self.answer("/sign-in", Some(granted(number)));
        self.all(shelf);
        assert_eq!(self.session.state(), State::Live);
    }

    /// Carries out all operations on the store.
    fn all(&mut self, shelf: &mut Shelf) {
        while let Some(kind) = self.ops.front().map(name) {
            self.store(shelf, kind);
        }
    }

    fn token(&self) -> Option<&str> {
        Some(self.session.credentials(LeaseId::Access, self.now)?.access().expose())
    }
}

impl Shelf {
    fn record(&self) -> Value {
        serde_json::from_slice(self.0.as_ref().map_or(b"null", AsRef::as_ref)).expect("a record")
    }
}

fn name(op: &StoreRequest) -> &'static str {
    match op.command {
        StoreCommand::Read => "read",
        StoreCommand::Lock { .. } => "lock",
        StoreCommand::Write { .. } => "write",
        StoreCommand::Clear { .. } => "clear",
        StoreCommand::Quarantine { .. } => "set aside",
        StoreCommand::Retire { .. } => "retire",
        StoreCommand::Unlock { .. } => "unlock",
    }
}

fn granted(number: u32) -> Value {
    let millis = u64::try_from(HOUR.as_millis()).expect("an hour");
    json!({"access": format!("access-{number}"), "access_ms": millis, "refresh": format!("refresh-{number}"), "user": "ann"})
}

fn brought(number: u32, now: Now) -> Grant {
    let access = AccessToken::new("Bearer", &format!("access-{number}"), Validity::with_lifetime(now, HOUR));
    Grant {
        access: Some(access.expect("a token")),
        refresh_token: Some(Secret::from(format!("refresh-{number}"))),
        account: Some(Account::new("ann")),
        ..Grant::default()
    }
}

#[test]
fn machines_whose_clocks_are_hours_apart_do_not_renew_in_turns() {
    for ahead in [true, false] {
        let mut shelf = Shelf::default();
        let (mut one, mut other) = (Desk::new(Policy::default()), Desk::new(Policy::default()));
        let wall =
            if ahead { other.now.wall.saturating_add(2 * HOUR) } else { other.now.wall.saturating_sub(2 * HOUR) };
        other.now.wall = wall;
        one.sign_in(&mut shelf, 1);

        // The other session cannot know how old that is: it renews once.
        other.command(|session, now| session.demand(LeaseId::Access, now));
        other.all(&mut shelf);
        other.answer("/refresh", Some(granted(2)));
        other.all(&mut shelf);

        // From then on each knows that a record which it had not seen before is new.
        for number in 3..8 {
            one.pass(Duration::from_secs(1));
            other.pass(Duration::from_secs(1));
            one.tell(Input::StoreChanged);
            one.all(&mut shelf);
            assert_eq!(one.token(), other.token());
            assert!(one.requests.is_empty(), "{:?}", one.events);
            one.pass(Duration::from_secs(600));
            other.pass(Duration::from_secs(600));
            assert!(one.requests.is_empty() && other.requests.is_empty());
            other.command(|session, now| session.renew(LeaseId::Access, now));
            other.all(&mut shelf);
            other.answer("/refresh", Some(granted(number)));
            other.all(&mut shelf);
            assert!(other.requests.is_empty(), "{:?}", other.events);
        }
    }
}

#[test]
fn credentials_of_another_clock_expire_within_an_hour_of_the_last_read() {
    let mut shelf = Shelf::default();
    let (mut one, mut other) = (Desk::new(Policy::default().on_demand()), Desk::new(Policy::default().on_demand()));
    other.now.wall = other.now.wall.saturating_add(2 * HOUR);
    one.sign_in(&mut shelf, 1);
    let looked_at = one.now.monotonic;
    one.pass(Duration::from_secs(1800));
    other.pass(Duration::from_secs(1800));
    other.command(|session, now| session.demand(LeaseId::Access, now));
    other.all(&mut shelf);
    other.answer("/refresh", Some(granted(2)));
    other.all(&mut shelf);
    one.tell(Input::StoreChanged);
    one.all(&mut shelf);
    assert_eq!(one.token(), Some("access-2"));
    let left = one.session.held().and_then(|held| held.access().validity().deadline()).expect("a deadline");
    assert_eq!(left.monotonic, looked_at + HOUR);
}

/// A session with a refresh in flight, under a lock that seems expired by its clock.
fn with_a_jump_in_the_middle() -> (Desk, Shelf) {
    let mut shelf = Shelf::default();
    let mut desk = Desk::new(Policy::default().persist_login());
    desk.sign_in(&mut shelf, 1);
    desk.pass(Duration::from_secs(10));
    desk.command(|session, now| session.renew(LeaseId::Access, now));
    desk.store(&mut shelf, "lock");
    desk.store(&mut shelf, "write");
    assert_eq!(desk.requests.len(), 1);
    desk.turn_wall_ahead(LEASE);
    (desk, shelf)
}

#[test]
fn a_lock_that_seems_expired_after_a_clock_jump_is_not_requested_again_during_a_request() {
    let (mut desk, mut shelf) = with_a_jump_in_the_middle();
    desk.command(Session::forget_login);
    assert!(desk.ops.is_empty(), "{:?}", desk.ops);
    desk.answer("/refresh", Some(granted(2)));
    desk.all(&mut shelf);
    assert_eq!(shelf.record()["refresh_token"], "refresh-2");
}

#[test]
fn a_sign_out_under_a_lock_that_seems_expired_does_not_request_another() {
    let (mut desk, mut shelf) = with_a_jump_in_the_middle();
    desk.command(|session, now| session.sign_out(SignOut::KeepLogin, now));
    assert_eq!(desk.token(), None);
    // If the lock has really expired, the store fails with `Lost`.
    desk.store(&mut shelf, "clear");
    assert_eq!(shelf.record()["signed_out"], true);
    desk.store(&mut shelf, "unlock");
    desk.answer("/refresh", Some(granted(2)));
    desk.all(&mut shelf);
    for _ in 0..2 {
        desk.answer("/sign-out", Some(json!({})));
    }
    assert_eq!(shelf.record()["signed_out"], true);
}

#[test]
fn a_mark_belongs_to_the_token_that_it_was_made_for() {
    let mut shelf = Shelf::default();
    let mut desk = Desk::new(Policy::default());
    desk.sign_in(&mut shelf, 1);
    desk.pass(Duration::from_secs(10));
    desk.command(|session, now| session.renew(LeaseId::Access, now));
    desk.store(&mut shelf, "lock");
    // While the mark is being written, somebody installs another grant.
    let marked = desk.take_op("write");
    desk.command(|session, now| session.install_grant(brought(2, now), now)).expect("a grant");
    desk.pass(SAVE_GRACE);
    desk.command(|session, now| session.renew(LeaseId::Access, now));
    desk.tell(Input::Store(marked.id, Ok(StoreReply::Done)));
    for _ in 0..10 {
        desk.all(&mut shelf);
        if desk.requests.is_empty() {
            desk.pass(Duration::from_secs(2));
        }
    }
    assert_eq!(desk.requests.front().map(|request| request.http.uri().path()), Some("/refresh"));
    let record = shelf.record();
    assert_eq!(record["refresh_token"], "refresh-2");
    assert!(record["refresh_sent_at"].is_i64(), "sent without a mark: {record}");
}

#[test]
fn a_grant_from_before_a_sign_in_counts_if_the_new_login_is_wrong() {
    for stored in [Ok(StoreReply::Done), Err(StoreError::from(StoreErrorKind::Unavailable))] {
        let mut shelf = Shelf::default();
        let mut desk = Desk::new(Policy::default());
        desk.sign_in(&mut shelf, 1);
        desk.pass(Duration::from_secs(10));
        desk.command(|session, now| session.renew(LeaseId::Access, now));
        desk.all(&mut shelf);
        desk.answer("/refresh", Some(granted(2)));
        // While it is being saved, somebody signs in.
        let saving = desk.take_op("write");
        desk.command(|session, now| session.sign_in(ToyLogin::new("ann", "wrong"), now));
        assert_eq!(desk.token(), Some("access-2"), "the token before it is spent");
        if let (StoreCommand::Write { record, .. }, Ok(_)) = (saving.command, &stored) {
            shelf.0 = Some(record);
        }
        desk.tell(Input::Store(saving.id, stored));
        desk.all(&mut shelf);
        desk.answer("/sign-in", None);
        desk.pass(Duration::from_secs(10));
        desk.all(&mut shelf);
        assert_eq!(desk.token(), Some("access-2"));
        assert_eq!(shelf.record()["refresh_token"], "refresh-2");
    }
}

#[test]
fn an_unsaved_grant_does_not_replace_another_sessions_later_one() {
    let mut shelf = Shelf::default();
    let mut desk = Desk::new(Policy::default());
    desk.sign_in(&mut shelf, 1);
    let old = shelf.0.clone();
    // The store loses its record and this session cannot write; another one signs in and writes the same revision.
    desk.pass(Duration::from_secs(10));
    desk.command(|session, now| session.renew(LeaseId::Access, now));
    desk.store(&mut shelf, "lock");
    desk.store(&mut shelf, "write");
    desk.answer("/refresh", Some(granted(2)));
    for _ in 0..60 {
        while let Some(op) = desk.ops.pop_front() {
            let down = StoreErrorKind::Unavailable.into();
            desk.tell(Input::Store(op.id, Err(down)));
        }
        desk.pass(Duration::from_secs(1));
    }
    assert_eq!(desk.token(), Some("access-2"));
    let mut other = Desk::new(Policy::default());
    (other.now, shelf.0) = (desk.now, None);
    other.sign_in(&mut shelf, 3);
    let revision = |record: &Option<Body>| {
        let record: Value = serde_json::from_slice(record.as_ref().expect("a record").as_ref()).expect("JSON");
        record["revision"].as_u64()
    };
    assert_eq!(revision(&shelf.0), revision(&old), "two branches with one revision");
    desk.pass(Duration::from_secs(10));
    desk.all(&mut shelf);
    assert_eq!(desk.token(), Some("access-3"), "what was issued later stands");
    assert_eq!(desk.requests.len(), 0);
}
