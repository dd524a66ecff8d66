//! A session of the toy provider driven by hand, with its clock and its outputs.
#![allow(dead_code, clippy::unwrap_used, reason = "each test takes what it needs; helpers of tests are tests")]

use std::time::Duration;

use perennial_core::store::{StoreCommand, StoreError, StoreReply, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{
    Event, Input, LeaseId, Now, Output, Policy, Request, Response, Session, Timestamp, TransportError,
    TransportErrorKind,
};
use perennial_testing::{Toy, ToyLogin};

pub(crate) const START: Now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000));

/// A session with its clock and its outputs.
pub(crate) struct Desk {
    pub(crate) session: Session<Toy>,
    pub(crate) now: Now,
    pub(crate) requests: Vec<Request>,
    pub(crate) ops: Vec<StoreRequest>,
    pub(crate) events: Vec<Event>,
}

impl Desk {
    pub(crate) fn of(session: Session<Toy>) -> Self {
        Self { session, now: START, requests: Vec::new(), ops: Vec::new(), events: Vec::new() }
    }

    pub(crate) fn new(policy: Policy) -> Self {
        Self::of(Session::new(Toy, ToyLogin::new("ann@toy.example", "pass"), policy, 7))
    }

    pub(crate) fn stored(policy: Policy) -> Self {
        Self::of(Session::new(Toy, ToyLogin::new("ann@toy.example", "pass"), policy, 7).with_store())
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Send(request) => self.requests.push(request),
                Output::Store(op) => self.ops.push(op),
                Output::Event(event) => self.events.push(event),
                Output::Cancel(_) => {}
                Output::Sleep(_) => break,
            }
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
        self.drain();
    }

    pub(crate) fn demand(&mut self, lease_id: LeaseId) {
        self.session.demand(lease_id, self.now);
        self.drain();
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = Now::new(self.now.wall.saturating_add(time), self.now.monotonic + time);
        self.input(Input::Wake);
    }

    /// Answers the request in flight.
    pub(crate) fn answer(&mut self, status: u16, body: &str) {
        let id = self.requests.last().unwrap().id;
        let mut response = Response::new(body.as_bytes().to_vec().into());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        self.input(Input::Response(id, response));
    }

    /// Fails the request in flight.
    pub(crate) fn input_failure(&mut self, kind: TransportErrorKind) {
        let id = self.requests.last().unwrap().id;
        self.input(Input::Failed(id, TransportError::new(kind)));
    }

    pub(crate) fn grant(&mut self, serial: u32) {
        let both = format!(
            r#"{{"access":"at-{serial}","access_ms":3600000,"refresh":"rt-{serial}","aws":["k","s","as-{serial}"],
            "aws_ms":7200000,"user":"ann@toy.example"}}"#
        );
        self.answer(200, &both);
    }

    /// Gives the result of the last operation on the store.
    pub(crate) fn store(&mut self, result: Result<StoreReply, StoreError>) {
        let id = self.ops.last().unwrap().id;
        self.input(Input::Store(id, result));
    }

    pub(crate) fn locked(&mut self, record: Option<Body>) {
        self.store(Ok(StoreReply::Locked { record, remaining: None }));
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests.iter().map(|request| request.http.uri().path().to_owned()).collect()
    }

    pub(crate) fn last_act(&self) -> &StoreCommand {
        &self.ops.last().unwrap().command
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.session.credentials(LeaseId::Access, self.now).map(|held| held.access().expose())
    }

    /// A session that signed in, saved and released the lock, with the record in the store.
    pub(crate) fn settled() -> (Self, Body) {
        let mut desk = Self::stored(Policy::default());
        desk.demand(LeaseId::Access);
        desk.store(Ok(StoreReply::Read(None)));
        desk.locked(None);
        desk.grant(1);
        let record = desk.written();
        desk.store(Ok(StoreReply::Done));
        assert!(matches!(desk.last_act(), StoreCommand::Unlock { .. }));
        (desk, record)
    }

    pub(crate) fn written(&self) -> Body {
        match self.last_act() {
            StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => record.clone(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn signed_in(policy: Policy) -> Desk {
    let mut desk = Desk::new(policy);
    desk.demand(LeaseId::Access);
    desk.grant(1);
    desk
}

pub(crate) fn text(record: &Body) -> String {
    String::from_utf8(record.as_ref().to_vec()).unwrap()
}
