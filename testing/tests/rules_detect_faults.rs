//! The model can fail: sessions that are wrong on purpose, one fault for each rule, and the rule is named.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{StatusCode, header};
use perennial_core::session::{Stats, Timer};
use perennial_core::store::{StoreCommand, StoreReply, StoreRequest};
use perennial_core::wire::Body;
use perennial_core::{
    AwsCredentials, Credentials, Error, Event, Generation, Grant, ImportError, Input, LeaseId, Now, Output, Policy,
    Request, RequestId, SavedSession, Session, SignOut, State, Timestamp, TransportError, TransportErrorKind, Validity,
    Wake,
};
use perennial_testing::{
    Harness, Lives, Often, Rule, ScriptedReply, Span, Step, Subject, Toy, ToyLogin, ToyMethod, Who, steps,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// How a session is wrong: each fault breaks the rule of the same name.
struct Wrong {
    inner: Session<Toy>,
    fault: Rule,
    now: Now,
    kept: Option<Arc<Credentials>>,
    queue: VecDeque<Output>,
    failed: bool,
}

impl Wrong {
    fn new(fault: Rule, policy: Policy, login: Option<ToyLogin>, seed: u64) -> Self {
        let policy = match fault {
            Rule::MarginsFitLifetimes => policy.margin(Duration::from_millis(1)),
            _ => policy,
        };
        Self {
            inner: Session::new(Toy, login, policy, seed),
            fault,
            now: Now::default(),
            kept: None,
            queue: VecDeque::new(),
            failed: false,
        }
    }

    fn is(&self, fault: Rule) -> bool {
        self.fault == fault
    }

    fn keep(&mut self, now: Now) {
        self.now = now;
        self.kept = self.inner.held().cloned().or(self.kept.take());
    }

    /// Answers that mean something else than they say.
    fn twisted(&self, input: Input) -> Input {
        let unheard = TransportError::new(TransportErrorKind::MaybeSent);
        let not_sent = TransportError::new(TransportErrorKind::NotSent);
        match input {
            Input::Response(id, mut response) => {
                let status = response.status();
                let granted = status == StatusCode::OK && response.body().as_ref().ends_with(b"}");
                let taken_for = match (self.fault, status.as_u16()) {
                    // A no, for a failure.
                    (Rule::RefusedStops | Rule::RefusedMethodIsLeftOut, 401) => StatusCode::INTERNAL_SERVER_ERROR,
                    // A failure, or a missing endpoint, for a no.
                    (Rule::TransientIsNotRefused, 500) | (Rule::UnsupportedPasses, 404) => StatusCode::UNAUTHORIZED,
                    // What wants quiet, or another request, for a failure that passes.
                    (Rule::QuietIsTheServices, 429 | 503) | (Rule::AnsweredNoIsNoOutage, 400 | 412) => {
                        StatusCode::INTERNAL_SERVER_ERROR
                    }
                    _ => status,
                };
                *response.status_mut() = taken_for;
                match self.fault {
                    // An answer with something wrong in it is thrown away whole.
                    Rule::WhatCameIsKept if granted && response.body().as_ref().windows(2).any(|two| two == b"\\n") => {
                        *response.body_mut() = Body::from(b"{\"access\":\"\"}".to_vec());
                    }
                    Rule::QuietIsTheServices => drop(response.headers_mut().remove(header::RETRY_AFTER)),
                    // Nobody has seen the password.
                    Rule::PasswordIsNotRepeated if status != StatusCode::UNAUTHORIZED && !granted => {
                        return Input::Failed(id, unheard);
                    }
                    // Nothing was sent.
                    Rule::SomeWayWorks if status.is_server_error() => return Input::Failed(id, not_sent),
                    _ => {}
                }
                Input::Response(id, response)
            }
            Input::Failed(id, _) if self.is(Rule::LostAnswer) || self.is(Rule::SomeWayWorks) => {
                Input::Failed(id, not_sent)
            }
            input => input,
        }
    }

    /// Credentials with another AWS set.
    fn rebuilt(&self, held: &Arc<Credentials>) -> Arc<Credentials> {
        let Some(aws) = held.aws() else { return Arc::clone(held) };
        let (session_token, validity) = match self.fault {
            Rule::WholeSets => ("CANARY-session-0", *aws.validity()),
            _ => (aws.session_token().expose(), Validity::with_lifetime(self.now, Duration::from_secs(7))),
        };
        let (key, secret) = (aws.access_key_id().expose(), aws.secret_access_key().expose());
        let grant = Grant { aws: AwsCredentials::new(key, secret, session_token, validity).ok(), ..Grant::default() };
        Credentials::from_grant(grant, Some(held)).map_or_else(|| Arc::clone(held), Arc::new)
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.inner)?;
        match self.inner.held() {
            Some(held) if self.is(Rule::NothingLeaks) => write!(f, "{}", held.access().expose()),
            _ => Ok(()),
        }
    }
}

impl Subject for Wrong {
    fn demand(&mut self, lease_id: LeaseId, now: Now) {
        self.now = now;
        self.inner.demand(lease_id, now);
    }

    fn reject(&mut self, lease_id: LeaseId, generation: Generation, now: Now) {
        let current = self.inner.held().map(|held| held.generation(lease_id));
        let generation = current.filter(|_| self.is(Rule::NameWhatWasRefused)).unwrap_or(generation);
        self.inner.rejected(lease_id, generation, now);
    }

    fn renew(&mut self, lease_id: LeaseId, now: Now) {
        self.now = now;
        self.inner.renew(lease_id, now);
    }

    fn sign_in(&mut self, login: ToyLogin, now: Now) {
        self.keep(now);
        self.failed = false;
        self.inner.sign_in(login, now);
    }

    fn sign_in_again(&mut self, now: Now) -> Result<(), Error> {
        self.keep(now);
        self.inner.sign_in_again(now)
    }

    fn accept(&mut self, grant: Grant, now: Now) -> Result<(), Error> {
        self.now = now;
        self.inner.install_grant(grant, now)
    }

    fn restore(&mut self, saved: SavedSession, now: Now) -> Result<(), ImportError> {
        self.now = now;
        self.inner.import(saved, now)
    }

    fn sign_out(&mut self, login: SignOut, now: Now) {
        self.keep(now);
        let forgets = self.is(Rule::SignedOutCanComeBack);
        self.inner.sign_out(if forgets { SignOut::ForgetLogin } else { login }, now);
    }

    fn forget_login(&mut self, now: Now) {
        self.inner.forget_login(now);
    }

    fn close(&mut self, now: Now) {
        self.now = now;
        self.inner.close(now);
    }

    fn handle_input(&mut self, input: Input, now: Now) {
        self.now = now;
        let input = self.twisted(input);
        if !(self.failed && self.is(Rule::NoErrorIsForever)) {
            self.inner.handle_input(input, now);
        }
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.queue.pop_front() {
            return output;
        }
        match self.inner.poll_output() {
            Output::Send(mut request) => {
                if self.is(Rule::OneAtATime) {
                    let mut twin = Request::new(request.http.clone());
                    twin.id = RequestId(request.id.0 + 1000);
                    self.queue.push_back(Output::Send(twin));
                }
                if self.is(Rule::SameInputsSameOutputs) {
                    static COUNTER: AtomicU64 = AtomicU64::new(0);
                    request.timeout += Duration::from_millis(COUNTER.fetch_add(1, Ordering::Relaxed));
                }
                Output::Send(request)
            }
            // It never asks, and is told what it wants to hear.
            Output::Store(StoreRequest { id, command: StoreCommand::Write { .. }, .. })
                if self.is(Rule::SaveThenTell) =>
            {
                self.inner.handle_input(Input::Store(id, Ok(StoreReply::Done)), self.now);
                self.poll_output()
            }
            Output::Store(StoreRequest { id, command: StoreCommand::Lock { .. }, .. })
                if self.is(Rule::LockReadDecide) =>
            {
                let locked = StoreReply::Locked { record: None, remaining: None };
                self.inner.handle_input(Input::Store(id, Ok(locked)), self.now);
                self.poll_output()
            }
            Output::Sleep(_) => Output::Sleep(self.next_wake()),
            output => {
                self.failed |= matches!(output, Output::Event(Event::Failed { .. }));
                output
            }
        }
    }

    fn with_store(self) -> Self {
        Self { inner: self.inner.with_store(), ..self }
    }

    fn credentials(&self, lease_id: LeaseId, now: Now) -> Option<Arc<Credentials>> {
        let now = match self.fault {
            Rule::ClocksMisbehave => Now::new(Timestamp::from_unix_seconds(0), now.monotonic),
            _ => now,
        };
        let held = self.inner.credentials(lease_id, now).cloned();
        match self.fault {
            Rule::NoWaitingOnValid => held.filter(|_| self.inner.state() != State::Renewing),
            Rule::FailureNeverDisplaces => held.filter(|_| !self.failed),
            Rule::RejectedStaysAway => held.or_else(|| self.inner.held().filter(|held| !held.is_expired(now)).cloned()),
            Rule::DoubtIsLookedInto => held.or_else(|| {
                let doubtful = |validity: &Validity| validity.is_uncertain() && !validity.is_expired(now);
                self.inner.held().filter(|held| held.validity(lease_id).is_some_and(doubtful)).cloned()
            }),
            Rule::SignOutWins if self.inner.state() == State::SignedOut => self.kept.clone(),
            _ => held,
        }
    }

    fn held(&self) -> Option<Arc<Credentials>> {
        let held = self.inner.held();
        match self.fault {
            Rule::WholeSets | Rule::AbsoluteDeadlines => held.map(|held| self.rebuilt(held)),
            Rule::NewLoginIsANewEpoch => held.or(self.kept.as_ref()).cloned(),
            _ => held.cloned(),
        }
    }

    fn obstacle(&self, lease_id: LeaseId) -> Option<Error> {
        self.inner.obstacle(lease_id)
    }

    fn renews_first(&self, lease_id: LeaseId) -> bool {
        self.inner.renews_first(lease_id)
    }

    fn is_finished(&self) -> bool {
        self.is(Rule::ProgramsEnd) || self.inner.is_finished()
    }

    fn told(&self, lease_id: LeaseId) -> u64 {
        match self.fault {
            Rule::FailuresAreShared => 0,
            Rule::LeasesFailApart => LeaseId::ALL.map(|lease_id| self.inner.failures(lease_id).0).iter().sum(),
            _ => self.inner.failures(lease_id).0,
        }
    }

    fn state(&self) -> State {
        self.inner.state()
    }

    fn next_wake(&self) -> Option<Wake> {
        match self.fault {
            Rule::NoBusyLoop => Some(Wake { at: self.now.monotonic, why: Timer::RequestDeadline }),
            _ => self.inner.next_wake(),
        }
    }

    fn has_login(&self) -> bool {
        self.inner.has_login()
    }

    fn export(&self) -> Option<SavedSession> {
        self.inner.export()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

/// Two histories that chance rarely brings: a refresh that is answered no again and again while somebody asks each
/// second, and one whose answer is lost although there is a login.
fn is_named_in_a_rare_history(rule: Rule) -> bool {
    let signs_in = [Step::Demand(LeaseId::Access), Step::Answer(ScriptedReply::Works(Lives::HOUR))];
    let insists = [
        Step::ForgetLogin,
        Step::Weather(ToyMethod::Refresh, Some(ScriptedReply::BadRequest)),
        Step::Pass(Span::Seconds(3700)),
        Step::Insist(LeaseId::Access, Often::EachSecond(200)),
    ];
    let loses = [Step::Pass(Span::Seconds(3700)), Step::Answer(ScriptedReply::LostBefore), Step::NextWake];
    [&insists[..], &loses].into_iter().any(|steps| {
        let make = move |policy, login, seed| Wrong::new(rule, policy, login, seed);
        let mut harness = Harness::of(1, make).with(Policy::default(), Some(Who::Ann)).only(rule);
        let outcome = harness.run_steps(&signs_in).and_then(|()| harness.run_steps(steps));
        outcome.is_err_and(|violation| violation.rule == rule)
    })
}

/// Whether some history makes the model name this rule.
fn is_named(rule: Rule) -> bool {
    if is_named_in_a_rare_history(rule) {
        return true;
    }
    let mut runner = TestRunner::deterministic();
    (0..400).any(|seed| {
        let steps = steps(40).new_tree(&mut runner).expect("a history").current();
        let make = move |policy, login, seed| Wrong::new(rule, policy, login, seed);
        let mut harness = Harness::of(seed, make).chosen_by_seed().only(rule);
        let outcome = harness.run_steps(&steps).and_then(|()| harness.recover());
        let outcome = outcome.and_then(|()| harness.finish().map(drop));
        outcome.is_err_and(|violation| violation.rule == rule)
    })
}

#[test]
fn each_rule_is_named_when_a_session_breaks_it() {
    let silent: Vec<Rule> = Rule::ALL.into_iter().filter(|rule| !is_named(*rule)).collect();
    assert_eq!(silent, []);
}

#[test]
fn a_violation_says_which_rule_and_where() {
    let make = |policy, login, seed| Wrong::new(Rule::NothingLeaks, policy, login, seed);
    let mut harness = Harness::of(1, make);
    let violation = harness.recover().expect_err("it leaks");
    assert_eq!(violation.rule, Rule::NothingLeaks);
    assert!(violation.to_string().starts_with("“nothing leaks” is broken at step 0"), "{violation}");
}
