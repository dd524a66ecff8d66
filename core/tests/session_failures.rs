//! A session driven by hand: failures, a wrong new login, and leases without a method.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod desk;

use std::time::Duration;

use perennial_core::session::MIN_RETRY_INTERVAL;
use perennial_core::{
    AccessToken, Consumes, Credentials, Error, Event, Grant, LeaseId, Output, Policy, Provider, Session, SessionError,
    State, Validity,
};
use perennial_testing::{Toy, ToyExchange, ToyLogin, ToyMethod};

use self::desk::{Desk, START, signed_in};

const HOUR: Duration = Duration::from_secs(3600);

fn ann(password: &str) -> ToyLogin {
    ToyLogin::new("ann@toy.example", password)
}

/// An access token, and no refresh token.
fn access_alone() -> Grant {
    let access = AccessToken::new("Bearer", "at-5", Validity::with_lifetime(START, HOUR)).unwrap();
    Grant { access: Some(access), ..Grant::default() }
}

fn renew(desk: &mut Desk, lease_id: LeaseId) {
    desk.session.renew(lease_id, desk.now);
    desk.pass(MIN_RETRY_INTERVAL);
}

fn sign_in(desk: &mut Desk, login: ToyLogin) {
    desk.session.sign_in(login, desk.now);
    desk.drain();
}

// ---- Events and errors

#[test]
fn an_expired_lease_is_reported_once() {
    let mut desk = signed_in(Policy::default().on_demand());
    let told = |desk: &Desk| desk.events.iter().filter(|event| matches!(event, Event::Expired { .. })).count();
    desk.pass(Duration::from_secs(10));
    assert_eq!(told(&desk), 0);
    desk.pass(HOUR);
    desk.pass(HOUR / 2);
    assert_eq!(told(&desk), 1, "the AWS credentials last longer");
}

#[test]
fn every_request_is_counted() {
    let mut desk = signed_in(Policy::default());
    renew(&mut desk, LeaseId::Access);
    assert_eq!(desk.paths(), ["/sign-in", "/refresh"]);
    assert_eq!(desk.session.stats().requests, 2);
}

#[test]
fn a_failure_is_reported_to_those_who_waited_and_to_nobody_else() {
    let mut desk = Desk::new(Policy::default());
    desk.demand(LeaseId::Access);
    desk.answer(500, "");
    assert_eq!(LeaseId::ALL.map(|lease_id| desk.session.failures(lease_id).0), [1, 0]);
    let mut both = Desk::new(Policy::default());
    both.demand(LeaseId::Aws);
    both.answer(500, "");
    assert_eq!(LeaseId::ALL.map(|lease_id| both.session.failures(lease_id).0), [1, 1], "one waits for the other");
}

#[test]
fn in_an_outage_without_callers_the_pauses_grow_to_minutes() {
    let mut desk = signed_in(Policy::default());
    let end = desk.now.monotonic + 5 * HOUR;
    while desk.now.monotonic < end {
        desk.pass(MIN_RETRY_INTERVAL);
        if desk.session.next_wake().is_some_and(|wake| wake.why == perennial_core::session::Timer::RequestDeadline) {
            desk.answer(500, "");
        }
    }
    assert!((50..250).contains(&desk.requests.len()), "{}", desk.requests.len());
}

// ---- The next method

#[test]
fn after_a_failure_the_login_is_used_where_the_token_is_lost_and_retry_after_is_obeyed() {
    let mut failed = signed_in(Policy::default());
    renew(&mut failed, LeaseId::Access);
    failed.answer(500, "");
    assert_eq!(failed.paths(), ["/sign-in", "/refresh", "/sign-in"]);

    // The first of two requests was processed: the token is spent, and the service asks to wait.
    let mut busy = signed_in(Policy::default());
    renew(&mut busy, LeaseId::Access);
    busy.answer(200, r#"{"ticket":"more"}"#);
    busy.answer(429, "");
    let asked = busy.paths().len();
    assert_eq!(busy.session.failures(LeaseId::Access).0, 1);
    busy.pass(Duration::from_secs(120));
    renew(&mut busy, LeaseId::Access);
    assert_eq!(busy.paths()[asked..], ["/sign-in"], "the token that was spent comes last");

    // Nothing was processed: the same method again.
    let mut unheard = signed_in(Policy::default());
    renew(&mut unheard, LeaseId::Access);
    unheard.answer(429, "");
    unheard.pass(Duration::from_secs(120));
    renew(&mut unheard, LeaseId::Access);
    assert_eq!(unheard.paths(), ["/sign-in", "/refresh", "/refresh"]);
}

#[test]
fn a_refresh_that_a_new_login_cancelled_is_no_lost_answer() {
    let mut desk = signed_in(Policy::default());
    renew(&mut desk, LeaseId::Aws);
    sign_in(&mut desk, ann("pass"));
    desk.answer(200, r#"{"access":"at-2","access_ms":3600000,"refresh":"rt-2","user":"ann@toy.example"}"#);
    renew(&mut desk, LeaseId::Aws);
    assert_eq!(desk.paths(), ["/sign-in", "/aws-refresh", "/sign-in", "/aws-refresh"]);
}

#[test]
fn a_wrong_new_login_leaves_a_lazy_session_as_it_was() {
    let mut desk = signed_in(Policy::default().on_demand());
    sign_in(&mut desk, ann("wrong"));
    desk.answer(401, "");
    desk.pass(HOUR - Duration::from_secs(10));
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in"], "nobody has asked");
    assert_eq!(desk.token(), Some("at-1"));
}

#[test]
fn a_wrong_new_login_leaves_the_other_methods_where_nothing_valid_is_held() {
    let mut desk = signed_in(Policy::default().on_demand());
    desk.pass(HOUR);
    sign_in(&mut desk, ann("wrong"));
    desk.answer(401, "");
    desk.pass(MIN_RETRY_INTERVAL);
    assert_eq!(desk.paths(), ["/sign-in", "/sign-in", "/refresh"]);
}

// ---- Without a method

#[test]
fn the_error_without_a_login_says_whether_there_ever_were_credentials() {
    let mut empty = Desk::of(Session::new(Toy, None, Policy::default(), 7));
    empty.demand(LeaseId::Access);
    assert!(matches!(empty.session.obstacle(LeaseId::Access), Some(Error::Session(SessionError::NoLogin))));

    let mut spent = Desk::of(Session::new(Toy, None, Policy::default(), 7));
    spent.session.install_grant(access_alone(), spent.now).unwrap();
    spent.pass(HOUR);
    assert_eq!(spent.session.state(), State::SignInRequired);
    let told = spent.session.obstacle(LeaseId::Access);
    assert!(
        matches!(told, Some(Error::Session(SessionError::SignInRequired { source: None, retry_at: None }))),
        "{told:?}"
    );
}

/// The toy provider with these methods for AWS credentials, which need no access token.
#[derive(Clone)]
struct Apart(&'static [ToyMethod]);

impl Provider for Apart {
    type Login = ToyLogin;
    type Method = ToyMethod;
    type Exchange = ToyExchange;

    fn name(&self) -> &'static str {
        "apart"
    }

    fn namespace(&self) -> String {
        Toy.namespace()
    }

    fn account_id<'a>(&self, login: &'a ToyLogin) -> Option<&'a str> {
        Toy.account_id(login)
    }

    fn methods(&self, lease_id: LeaseId) -> &'static [ToyMethod] {
        match lease_id {
            LeaseId::Access => Toy.methods(lease_id),
            LeaseId::Aws => self.0,
        }
    }

    fn consumes(&self, method: ToyMethod) -> Consumes {
        Toy.consumes(method)
    }

    fn method_name(&self, method: ToyMethod) -> &'static str {
        Toy.method_name(method)
    }

    fn begin(&self, method: ToyMethod, login: Option<&ToyLogin>, have: Option<&Credentials>) -> Option<ToyExchange> {
        Toy.begin(method, login, have)
    }

    fn sign_out(&self, have: &Credentials) -> Option<ToyExchange> {
        Toy.sign_out(have)
    }
}

/// The events of this provider's session when somebody asks for AWS credentials.
fn events_of_a_wish_for_aws(methods: &'static [ToyMethod]) -> Vec<Event> {
    let mut session = Session::new(Apart(methods), ann("pass"), Policy::default(), 7);
    session.demand(LeaseId::Aws, START);
    let mut events = Vec::new();
    loop {
        match session.poll_output() {
            Output::Event(event) => events.push(event),
            Output::Sleep(_) => break events,
            _ => {}
        }
    }
}

#[test]
fn a_lease_that_requires_nothing_does_not_wait_for_the_access_token() {
    let events = events_of_a_wish_for_aws(&[ToyMethod::SignIn]);
    assert!(matches!(events[..], [Event::RenewalStarted { lease_id: LeaseId::Aws, method: "sign-in" }]), "{events:?}");
}

#[test]
fn credentials_that_a_provider_does_not_offer_are_not_offered() {
    let events = events_of_a_wish_for_aws(&[]);
    let [Event::Exhausted { lease_id: LeaseId::Aws, error }] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(error, Error::Session(SessionError::NotOffered { lease_id: LeaseId::Aws })), "{error:?}");
}
