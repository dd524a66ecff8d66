//! A provider's code as work: it runs outside the session, may be late, and may panic.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use http::StatusCode;
use perennial_core::session::{Done, MAX_BACKOFF, WORK_TIMEOUT, Work};
use perennial_core::store::{StoreCommand, StoreReply, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{
    Consumes, Credentials, Error, Event, Exchange, Grant, ImportError, Input, LeaseId, Now, Output, Policy, Provider,
    Request, Response, SavedSession, Secret, ServiceErrorKind, Session, SignOut, State, Step, Timestamp,
    TransportError, TransportErrorKind,
};
use perennial_testing::{Toy, ToyExchange, ToyLogin, ToyMethod};

const START: Now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000));
const SECOND: Duration = Duration::from_secs(1);

/// The method of the provider that panics, without calling the panic hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum At {
    Nothing,
    Begin,
    Start,
    Receive,
    SignOut,
    ReadSaved,
    WriteLogin,
    ReadLogin,
}

/// The toy provider, with code that panics at one method.
#[derive(Clone)]
struct Frail(Arc<AtomicU8>);

struct FrailExchange {
    inner: ToyExchange,
    frail: Frail,
}

impl Frail {
    fn at(at: At) -> Self {
        Self(Arc::new(AtomicU8::new(at as u8)))
    }

    fn is_mended(&self) {
        self.0.store(At::Nothing as u8, Ordering::Relaxed);
    }

    fn reaches(&self, at: At) {
        if self.0.load(Ordering::Relaxed) == at as u8 {
            resume_unwind(Box::new("as told"));
        }
    }

    fn exchange(&self, inner: ToyExchange) -> FrailExchange {
        FrailExchange { inner, frail: self.clone() }
    }
}

impl Provider for Frail {
    type Login = ToyLogin;
    type Method = ToyMethod;
    type Exchange = FrailExchange;

    fn name(&self) -> &'static str {
        Toy.name()
    }

    fn namespace(&self) -> String {
        Toy.namespace()
    }

    fn account_id<'a>(&self, login: &'a ToyLogin) -> Option<&'a str> {
        Toy.account_id(login)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [ToyMethod] {
        Toy.methods(lease_id)
    }

    fn consumes(&self, method: ToyMethod) -> Consumes {
        Toy.consumes(method)
    }

    fn requires(&self, method: ToyMethod) -> Option<LeaseId> {
        Toy.requires(method)
    }

    fn method_name(&self, method: ToyMethod) -> &'static str {
        Toy.method_name(method)
    }

    fn begin(&self, method: ToyMethod, login: Option<&ToyLogin>, have: Option<&Credentials>) -> Option<FrailExchange> {
        self.reaches(At::Begin);
        Some(self.exchange(Toy.begin(method, login, have)?))
    }

    fn sign_out(&self, have: &Credentials) -> Option<FrailExchange> {
        self.reaches(At::SignOut);
        Some(self.exchange(Toy.sign_out(have)?))
    }

    fn write_login(&self, login: &ToyLogin) -> Option<Secret> {
        self.reaches(At::WriteLogin);
        Toy.write_login(login)
    }

    fn read_login(&self, text: &str) -> Option<ToyLogin> {
        self.reaches(At::ReadLogin);
        Toy.read_login(text)
    }

    fn read_saved_session(&self, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
        self.reaches(At::ReadSaved);
        Toy.read_saved_session(saved, now)
    }
}

impl Exchange for FrailExchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.frail.reaches(At::Start);
        self.inner.start(now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        self.frail.reaches(At::Receive);
        self.inner.receive(response, now)
    }
}

/// A session of such a provider, driven by hand, with its outputs.
struct Desk {
    session: Session<Frail>,
    frail: Frail,
    now: Now,
    requests: Vec<Request>,
    ops: Vec<StoreRequest>,
    events: Vec<Event>,
}

fn ann() -> ToyLogin {
    ToyLogin::new("ann@toy.example", "pass")
}

fn answer(status: u16, body: &str) -> Response {
    let mut response = Response::new(body.as_bytes().to_vec().into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

fn granted(serial: u32) -> Response {
    let body = format!(
        r#"{{"access":"at-{serial}","access_ms":3600000,"refresh":"rt-{serial}","aws":["k","s","as-{serial}"],
        "aws_ms":7200000,"user":"ann@toy.example"}}"#
    );
    answer(200, &body)
}

impl Desk {
    /// A session whose exchanges run within its steps, the default.
    fn new(at: At) -> Self {
        Self::with(at, |session| session)
    }

    /// A session whose exchanges are handed out as work.
    fn handing_out(at: At) -> Self {
        Self::with(at, Session::with_work_handed_out)
    }

    fn with(at: At, change: impl FnOnce(Session<Frail>) -> Session<Frail>) -> Self {
        let frail = Frail::at(at);
        let session = change(Session::new(frail.clone(), ann(), Policy::default(), 7));
        Self { session, frail, now: START, requests: Vec::new(), ops: Vec::new(), events: Vec::new() }
    }

    fn drain(&mut self) {
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

    fn demand(&mut self) {
        self.session.demand(LeaseId::Access, self.now);
        self.drain();
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, self.now);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now::new(self.now.wall.saturating_add(time), self.now.monotonic + time);
        self.input(Input::Wake);
    }

    /// The last request is answered.
    fn answered(&mut self, response: Response) {
        let id = self.requests.last().unwrap().id;
        self.input(Input::Response(id, response));
    }

    fn store(&mut self, stored: StoreReply) {
        let id = self.ops.last().unwrap().id;
        self.input(Input::Store(id, Ok(stored)));
    }

    fn work(&mut self) -> Work<FrailExchange> {
        let work = self.session.take_work(self.now).expect("there is work");
        assert!(self.session.take_work(self.now).is_none(), "it is handed out once");
        work
    }

    fn done(&mut self, done: Done<FrailExchange>) {
        self.session.work_done(done, self.now);
        self.drain();
    }

    fn run(&mut self) {
        let done = self.work().run();
        self.done(done);
    }

    fn sign_in(&mut self) {
        self.demand();
        self.run();
        self.answered(granted(1));
        self.run();
        assert_eq!(self.session.state(), State::Live);
    }

    fn paths(&self) -> Vec<&str> {
        self.requests.iter().map(|request| request.http.uri().path()).collect()
    }

    fn error(&self) -> Option<&Error> {
        self.session.failures(LeaseId::Access).1
    }

    fn told(&self) -> u64 {
        self.session.failures(LeaseId::Access).0
    }
}

/// Whether an answer was being read; `None` where nothing panicked.
fn panicked_after_answer(error: &Error) -> Option<bool> {
    match error {
        Error::Service(error) => match error.kind() {
            ServiceErrorKind::Panicked { answered } => Some(answered),
            _ => None,
        },
        _ => None,
    }
}

// ---- Work that is handed out

#[test]
fn work_that_is_handed_out_runs_once_and_continues_its_exchange() {
    let mut desk = Desk::handing_out(At::Nothing);
    assert!(desk.session.take_work(START).is_none());
    desk.demand();
    assert!(desk.requests.is_empty(), "nothing is sent before the request is made");
    let work = desk.work();
    assert!(!work.may_block());
    assert_eq!(desk.session.state(), State::SigningIn);
    desk.done(work.run());
    assert_eq!(desk.paths(), ["/sign-in"]);
    desk.answered(answer(200, r#"{"ticket":"more"}"#));
    desk.run();
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"]);
    assert_ne!(desk.requests[0].id, desk.requests[1].id);
    desk.answered(granted(1));
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_none(), "it is not read yet");
    desk.run();
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_some());
    assert_eq!(desk.session.stats().requests, 2);
}

#[test]
fn a_sign_out_while_a_request_is_made_sends_nothing_but_the_revocation() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.sign_in();
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(SECOND);
    let late = desk.work();
    assert!(desk.session.credentials(LeaseId::Access, desk.now).is_some(), "the old ones serve meanwhile");
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    assert_eq!(desk.session.state(), State::SignedOut);
    desk.run();
    assert_eq!(desk.paths(), ["/sign-in", "/sign-out"]);
    desk.done(late.run());
    assert_eq!(desk.paths(), ["/sign-in", "/sign-out"]);
    assert_eq!(desk.session.stats().ignored, 1);
}

#[test]
fn a_grant_that_is_being_parsed_during_a_sign_out_is_revoked() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    desk.run();
    desk.answered(granted(1));
    let reading = desk.work();
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    assert!(desk.session.is_signing_out());
    desk.done(reading.run());
    desk.run();
    assert_eq!(desk.paths(), ["/sign-in", "/sign-out"]);
    assert!(desk.session.held().is_none());
    desk.answered(answer(200, "{}"));
    desk.run();
    assert!(!desk.session.is_signing_out());
}

#[test]
fn a_new_login_does_not_wait_for_the_work_of_the_old_one() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    let old = desk.work();
    desk.session.sign_in(ToyLogin::new("bob@toy.example", "pass"), desk.now);
    desk.run();
    assert!(String::from_utf8_lossy(desk.requests[0].http.body().as_ref()).contains("bob"));
    desk.done(old.run());
    assert_eq!(desk.paths(), ["/sign-in"], "the old login is not sent any more");
}

#[test]
fn a_second_answer_and_a_failure_are_ignored_while_the_first_answer_is_read() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    desk.run();
    desk.answered(granted(1));
    let reading = desk.work();
    desk.answered(answer(401, ""));
    let id = desk.requests[0].id;
    desk.input(Input::Failed(id, TransportError::maybe_sent("lost")));
    assert_eq!((desk.session.stats().ignored, desk.told()), (2, 0));
    desk.done(reading.run());
    assert_eq!(desk.session.state(), State::Live);
}

#[test]
fn a_request_that_is_not_made_in_time_counts_as_not_sent() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    let late = desk.work();
    desk.pass(WORK_TIMEOUT - Duration::from_millis(1));
    assert_eq!(desk.told(), 0);
    desk.pass(Duration::from_millis(1));
    assert_eq!(desk.told(), 1);
    assert!(matches!(desk.error(), Some(Error::Transport(error)) if error.kind() == TransportErrorKind::NotSent));
    desk.done(late.run());
    assert!(desk.requests.is_empty(), "too late");
    desk.pass(10 * SECOND);
    desk.demand();
    desk.run();
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn an_answer_that_came_is_read_after_the_requests_timeout() {
    let mut desk = Desk::with(At::Nothing, |session| {
        let policy = Policy::default().request_timeout(2 * SECOND);
        Session::new(session.provider().clone(), ann(), policy, 7).with_work_handed_out()
    });
    desk.demand();
    desk.run();
    desk.answered(granted(1));
    let reading = desk.work();
    desk.pass(WORK_TIMEOUT - SECOND);
    assert_eq!(desk.told(), 0);
    desk.done(reading.run());
    assert_eq!(desk.session.state(), State::Live);
}

#[test]
fn an_answer_that_is_not_read_in_time_may_have_granted() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    desk.run();
    desk.answered(granted(1));
    let late = desk.work();
    desk.pass(WORK_TIMEOUT);
    assert_eq!(desk.told(), 1);
    assert!(matches!(desk.error(), Some(Error::Transport(error)) if error.kind() == TransportErrorKind::TimedOut));
    desk.done(late.run());
    assert!(desk.session.held().is_none(), "too late");
}

#[test]
fn work_that_cannot_run_is_a_failure_where_nothing_was_sent() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.demand();
    let done = desk.work().give_up();
    desk.done(done);
    assert_eq!(desk.told(), 1);
    assert!(matches!(desk.error(), Some(Error::Transport(error)) if error.kind() == TransportErrorKind::NotSent));
    assert!(desk.error().unwrap().retry_at().is_some());
}

#[test]
fn a_one_use_token_is_not_spent_where_its_request_was_not_made() {
    let mut desk = Desk::handing_out(At::Nothing);
    desk.sign_in();
    desk.frail.0.store(At::Start as u8, Ordering::Relaxed);
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(SECOND);
    desk.run();
    assert_eq!(desk.error().and_then(panicked_after_answer), Some(false));
    desk.frail.is_mended();
    desk.pass(MAX_BACKOFF);
    desk.session.renew(LeaseId::Access, desk.now);
    desk.run();
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"], "the same token again, and no password");
}

#[test]
fn a_late_request_is_not_sent_under_a_lock_that_is_about_to_expire() {
    let mut desk = Desk::with(At::Nothing, |session| session.with_store().with_work_handed_out());
    desk.demand();
    desk.store(StoreReply::Read(None));
    desk.store(StoreReply::Locked { record: None, remaining: Some(Duration::from_secs(36)) });
    let work = desk.work();
    desk.pass(Duration::from_secs(29));
    desk.pass(Duration::from_millis(900));
    desk.done(work.run());
    assert_eq!(desk.paths(), ["/sign-in"], "with the time that is left");
    assert!(desk.requests[0].timeout < 2 * SECOND);

    let mut desk = Desk::with(At::Nothing, |session| session.with_store().with_work_handed_out());
    desk.demand();
    desk.store(StoreReply::Read(None));
    desk.store(StoreReply::Locked { record: None, remaining: Some(Duration::from_secs(35)) });
    let work = desk.work();
    desk.pass(Duration::from_secs(29));
    desk.pass(Duration::from_millis(900));
    desk.done(work.run());
    assert!(desk.requests.is_empty(), "an answer could not be saved any more");
    assert_eq!(desk.told(), 1);
}

// ---- Panics

/// One caller asks every second for an hour: how many failures are reported, and how many requests sent.
fn an_hour(desk: &mut Desk) -> (u64, usize) {
    let before = desk.told();
    for _ in 0..3600 {
        desk.demand();
        if desk.session.next_wake().is_some_and(|wake| wake.why == perennial_core::session::Timer::RequestDeadline) {
            desk.answered(granted(1));
        }
        desk.pass(SECOND);
    }
    (desk.told() - before, desk.requests.len())
}

#[test]
fn a_panic_while_a_request_is_made_is_a_failure_with_a_pause() {
    for at in [At::Begin, At::Start] {
        for handed_out in [false, true] {
            let mut desk = if handed_out { Desk::handing_out(at) } else { Desk::new(at) };
            desk.demand();
            if handed_out && at == At::Start {
                desk.run();
            }
            assert_eq!(desk.told(), 1, "{at:?}");
            let error = desk.error().unwrap();
            assert_eq!(panicked_after_answer(error), Some(false), "{at:?}");
            assert!(error.is_retryable() && error.retry_at().is_some(), "{at:?}");
            assert!(!format!("{error} {error:?}").contains("as told"), "what a panic says is not repeated");
            assert!(desk.session.next_wake().is_some_and(|wake| wake.at > desk.now.monotonic), "{at:?}: no busy loop");
            assert!(desk.session.obstacle(LeaseId::Access).is_some());
            if !handed_out {
                let (told, sent) = an_hour(&mut desk);
                assert_eq!(sent, 0, "{at:?}");
                assert!((5..=800).contains(&told), "{at:?}: {told}");
                desk.frail.is_mended();
                an_hour(&mut desk);
                assert_eq!(desk.session.state(), State::Live, "{at:?}");
            }
        }
    }
}

#[test]
fn after_a_panic_at_an_answer_the_password_is_not_sent_each_second() {
    let mut desk = Desk::new(At::Receive);
    desk.demand();
    desk.answered(granted(1));
    assert_eq!((desk.told(), desk.error().and_then(panicked_after_answer)), (1, Some(true)));
    let (_, sent) = an_hour(&mut desk);
    assert!(sent <= 3, "{sent} sign-ins in an hour");
    desk.frail.is_mended();
    desk.session.sign_in(ann(), desk.now);
    desk.drain();
    desk.answered(granted(2));
    assert_eq!(desk.session.state(), State::Live);
}

#[test]
fn after_a_panic_at_the_answer_to_a_one_use_token_the_login_is_used() {
    let mut desk = Desk::new(At::Nothing);
    desk.demand();
    desk.answered(granted(1));
    desk.session.renew(LeaseId::Access, desk.now);
    desk.pass(SECOND);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    desk.frail.0.store(At::Receive as u8, Ordering::Relaxed);
    desk.answered(granted(2));
    desk.frail.is_mended();
    assert_eq!(desk.paths(), ["/sign-in", "/refresh", "/sign-in"]);
    desk.answered(granted(3));
    assert_eq!(desk.session.state(), State::Live);
}

#[test]
fn a_panic_at_a_revocation_signs_out_all_the_same() {
    let mut desk = Desk::new(At::Nothing);
    desk.demand();
    desk.answered(granted(1));
    desk.frail.0.store(At::SignOut as u8, Ordering::Relaxed);
    desk.session.sign_out(SignOut::KeepLogin, desk.now);
    desk.drain();
    assert!(!desk.session.is_signing_out() && desk.session.held().is_none());
    let said = |event: &Event| matches!(event, Event::Revoked { error: Some(error) } if panicked_after_answer(error).is_some());
    assert!(desk.events.iter().any(said), "{:?}", desk.events);
}

#[test]
fn a_panic_while_a_record_is_read_is_an_unreadable_record() {
    let mut desk = Desk::with(At::ReadSaved, Session::with_store);
    desk.demand();
    desk.store(StoreReply::Read(None));
    desk.store(StoreReply::Locked { record: Some(Body::from(b"another program's".to_vec())), remaining: None });
    assert!(matches!(desk.ops.last().unwrap().command, StoreCommand::Quarantine { .. }), "{:?}", desk.ops);
    desk.store(StoreReply::Done);
    assert_eq!(desk.paths(), ["/sign-in"]);
}

#[test]
fn a_panic_at_a_kept_login_leaves_it_where_it_is() {
    for at in [At::WriteLogin, At::ReadLogin] {
        let frail = Frail::at(at);
        let session = Session::new(frail.clone(), ann(), Policy::default().persist_login(), 7).with_store();
        let mut desk = Desk { session, ..Desk::new(at) };
        desk.demand();
        desk.store(StoreReply::Read(None));
        desk.store(StoreReply::Locked { record: None, remaining: None });
        desk.answered(granted(1));
        let StoreCommand::Write { record, .. } = desk.ops.last().unwrap().command.clone() else {
            panic!("{:?}", desk.ops)
        };
        let kept = String::from_utf8_lossy(record.as_ref()).contains("\"login\"");
        assert_eq!(kept, at == At::ReadLogin);
        desk.store(StoreReply::Done);
        assert_eq!(desk.session.state(), State::Live);

        let another = Session::new(frail, None, Policy::default().persist_login(), 7).with_store();
        let mut desk = Desk { session: another, ..Desk::new(at) };
        desk.demand();
        desk.store(StoreReply::Read(Some(record)));
        assert_eq!(desk.session.state(), State::Live, "{at:?}");
        assert!(!desk.session.has_login());
    }
}
