//! The provider in a session, in virtual time.

use std::time::Duration;

use perennial_core::credentials::Secret;
use perennial_core::store::SavedSession;
use perennial_core::{
    Consumes, Event, Input, LeaseId, Now, Output, Policy, Provider, Request, Session, SignOut, State, TransportError,
    TransportErrorKind,
};

use super::rig::{Sent, tokens_held, told};
use super::subject::{ProviderUnderTest, START};
use crate::conformance::case::does_not_apply;

/// How often a session is woken until it has to have done what it should.
const WAKES: usize = 200;

/// How long it may take.
const LONG: Duration = Duration::from_secs(3 * 24 * 3600);

/// A session that a service answers.
pub(super) struct Driven<'a, P: Provider> {
    session: Session<P>,
    under_test: &'a mut ProviderUnderTest<P>,
    now: Now,
    events: Vec<Event>,
    sent: Vec<Sent>,
    /// How many of the next answers are lost.
    lose: usize,
}

impl<'a, P: Provider> Driven<'a, P> {
    pub(super) fn new(session: Session<P>, under_test: &'a mut ProviderUnderTest<P>) -> Self {
        Self { session, under_test, now: START, events: Vec::new(), sent: Vec::new(), lose: 0 }
    }

    fn of(under_test: &'a mut ProviderUnderTest<P>) -> Self {
        let session = Session::new(under_test.provider.clone(), under_test.login.clone(), Policy::default(), 7);
        Self::new(session, under_test)
    }

    pub(super) fn session(&self) -> &Session<P> {
        &self.session
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// The login's and all that is held.
    pub(super) fn secrets(&self) -> Vec<String> {
        let held = self.session.held().map(|held| tokens_held(held)).unwrap_or_default();
        [self.under_test.secrets.clone(), held].concat()
    }

    /// Does what the session asks for, until it asks for sleep.
    fn settle(&mut self) {
        for _ in 0..1000 {
            match self.session.poll_output() {
                Output::Send(request) => self.deliver(&request),
                Output::Event(event) => self.events.push(event),
                Output::Cancel(_) => {}
                Output::Store(op) => panic!("{op:?}: this session has no store"),
                Output::Sleep(_) => return,
            }
        }
        panic!("the session asks for one thing after another: {} requests at one moment", self.sent.len());
    }

    fn deliver(&mut self, request: &Request) {
        self.sent.push(Sent::new(request, true));
        let answer = (self.under_test.service)(request, self.now);
        let input = if self.lose > 0 {
            self.lose -= 1;
            Input::Failed(request.id, TransportError::new(TransportErrorKind::MaybeSent))
        } else {
            Input::Response(request.id, answer)
        };
        self.session.handle_input(input, self.now);
    }

    fn passes(&mut self, by: Duration) {
        self.now = Now::new(self.now.wall.saturating_add(by), self.now.monotonic + by);
        self.session.handle_input(Input::Wake, self.now);
        self.settle();
    }

    /// Lets the session sleep and wake until this is so.
    #[track_caller]
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = self.now.monotonic + LONG;
        for _ in 0..WAKES {
            if is_so(self) {
                return;
            }
            let wake = self.session.next_wake().filter(|wake| wake.at <= end);
            let Some(wake) = wake else { break };
            self.passes(wake.at.saturating_sub(self.now.monotonic));
        }
        assert!(is_so(self), "{what}; the session is {}, and {}", self.session.state(), self.history());
    }

    /// The last things that happened.
    fn history(&self) -> String {
        let last: Vec<_> = self.events.iter().rev().take(6).rev().map(ToString::to_string).collect();
        format!("said last: {}", last.join("; "))
    }

    fn is_valid(&self, lease_id: LeaseId) -> bool {
        self.session.credentials(lease_id, self.now).is_some()
    }

    /// Those that the service gives.
    fn leases(&self) -> Vec<LeaseId> {
        let offered = |lease_id: &LeaseId| !self.under_test.provider.methods(*lease_id).is_empty();
        LeaseId::ALL.into_iter().filter(offered).collect()
    }

    #[track_caller]
    pub(super) fn signs_in(&mut self) {
        for lease_id in self.leases() {
            self.session.demand(lease_id, self.now);
            self.settle();
            assert!(self.is_valid(lease_id), "a sign-in brings no {lease_id}; {}", self.history());
        }
    }

    /// Renews before its time, and waits until that is done.
    #[track_caller]
    fn renews(&mut self, lease_id: LeaseId) {
        let before = self.session.held().map(|held| held.generation(lease_id));
        // The service's answers come at another moment than before.
        self.passes(Duration::from_secs(60));
        self.session.renew(lease_id, self.now);
        self.settle();
        self.until(&format!("the {lease_id} is not renewed"), |driven| {
            let held = driven.session.held().map(|held| held.generation(lease_id));
            held != before && driven.is_valid(lease_id)
        });
    }

    fn refresh_token(&self) -> Option<String> {
        self.session.held()?.refresh_token().map(|token| Secret::expose(token).to_owned())
    }
}

pub(super) fn a_session_signs_in_and_renews<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let mut driven = Driven::of(under_test);
    driven.signs_in();
    for lease_id in driven.leases() {
        for _ in 0..3 {
            driven.renews(lease_id);
        }
    }
    // And by itself, where the service says how long it lasts.
    for lease_id in driven.leases() {
        let held = driven.session.held().and_then(|held| held.validity(lease_id).copied());
        let Some(end) = held.and_then(|validity| validity.deadline()) else { continue };
        driven.until(&format!("the {lease_id} is not renewed by itself"), |driven| {
            driven.now.wall > end.wall || driven.now.monotonic > end.monotonic
        });
        assert!(driven.is_valid(lease_id), "the {lease_id} is renewed too late; {}", driven.history());
    }
    assert_eq!(driven.session.state(), State::Live, "{}", driven.history());
}

pub(super) fn a_saved_session_goes_on_without_a_login<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let mut driven = Driven::of(under_test);
    driven.signs_in();
    let held = driven.session.held().cloned();
    let Some(saved) = driven.session.export() else { panic!("a session that is signed in exports nothing") };
    let (json, now) = (saved.to_json(), driven.now);
    let provider = under_test.provider.clone();
    let read: SavedSession = match provider.read_saved_session(json.expose().as_bytes(), now) {
        Ok(read) => read,
        Err(error) => panic!("what a session exports is not read back: {error}"),
    };
    let mut session = Session::new(provider.clone(), None, Policy::default(), 8);
    let imported = session.import(read, now);
    assert!(imported.is_ok(), "what a session exports is not taken up by another: {imported:?}");
    let mut driven = Driven::new(session, under_test);
    driven.settle();
    for lease_id in driven.leases() {
        assert!(driven.is_valid(lease_id), "the {lease_id} is lost by a restart; {}", driven.history());
        let ways = provider.methods(lease_id).iter();
        let renews = ways.filter(|method| provider.begin(**method, None, held.as_deref()).is_some()).count();
        if renews == 0 {
            does_not_apply("it does not renew without a login");
            continue;
        }
        driven.renews(lease_id);
    }
}

pub(super) fn a_lost_answer_ends_no_session<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    for lost in 1..=3 {
        let mut driven = Driven::of(under_test);
        driven.signs_in();
        for lease_id in driven.leases() {
            let (before, token) = (driven.sent.len(), driven.refresh_token());
            driven.lose = lost;
            driven.renews(lease_id);
            let provider = &driven.under_test.provider;
            let one_use =
                provider.methods(lease_id).iter().any(|method| provider.consumes(*method) == Consumes::RefreshToken);
            if let Some(token) = token.filter(|_| one_use) {
                let shown = driven.sent[before..].iter().filter(|request| request.shows(&token)).count();
                assert!(shown <= 1, "a refresh token that works once is sent {shown} times");
            }
        }
    }
}

pub(super) fn a_sign_out_has_an_end<P: Provider>(under_test: &mut ProviderUnderTest<P>) {
    let held = under_test.held();
    let provider = under_test.provider.clone();
    match provider.sign_out(&held) {
        None => does_not_apply("its sign-outs are local"),
        Some(exchange) => {
            let (_, _, outcome) = under_test.carry_out(exchange, START);
            assert!(
                outcome.is_ok(),
                "a sign-out at the service: {}",
                outcome.err().as_ref().map_or_else(String::new, told)
            );
        }
    }
    for lost in [0, 100] {
        let mut driven = Driven::of(under_test);
        driven.signs_in();
        driven.lose = lost;
        driven.session.sign_out(SignOut::ForgetLogin, driven.now);
        driven.settle();
        driven.until("a sign-out does not end", |driven| !driven.session.is_signing_out());
        assert_eq!(driven.session.state(), State::SignedOut);
        assert!(driven.session.held().is_none(), "something is held after a sign-out");
        let told = driven.session.unrevoked();
        assert!(lost > 0 || told.is_none(), "the service was not told of the sign-out: {told:?}");
    }
}
