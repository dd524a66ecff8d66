//! Clock, service, session and model together.

mod elsewhere;
mod recovery;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::model::{Model, Told, View};
use super::rule::{Rule, Violation};
use super::said::Said;
use super::service::{Answered, Asked, Delivery, Service};
use super::step::{Lives, Often, ScriptedReply, Step, Stray, Which, Who};
use super::store::FakeStore;
use super::subject::Subject;
use super::toy::{CANARY, Toy, ToyLogin, ToyMethod};
use perennial_core::credentials::same_account;
use perennial_core::exchange::MAX_STEPS;
use perennial_core::store::Record;
use perennial_core::store::{OpId, StoreCommand, StoreError, StoreReply, StoreRequest};
use perennial_core::{
    Error, Event, Generation, Grant, Input, LeaseId, Now, Output, Policy, RequestId, SavedSession, Session, SignOut,
    Timestamp, TransportError, TransportErrorKind,
};

/// When the virtual clocks begin.
const START: Now = Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(1000));

/// More requests than follow on each other at one moment: one exchange for each lease, each as long as may be.
const MOST_ANSWERS: u32 = 4 * MAX_STEPS;

type Make<S> = Box<dyn Fn(Policy, Option<ToyLogin>, u64) -> S>;

/// Drives a session through steps on a virtual clock, with a toy service, and checks every rule after each step.
pub struct Harness<S: Subject = Session<Toy>> {
    make: Make<S>,
    seed: u64,
    policy: Policy,
    only: Option<Rule>,
    now: Now,
    elapsed: Duration,
    service: Service,
    session: S,
    model: Model,
    /// What a store that never fails holds; `None`: there is no store.
    store: Option<FakeStore>,
    login: Option<ToyLogin>,
    /// Whose session it is, as people have said.
    user: String,
    saved: Option<SavedSession>,
    flight: Option<Flight>,
    cancelled: Option<Flight>,
    last_answer: Option<LastAnswer>,
    /// The method that was answered last.
    last_method: Option<ToyMethod>,
    /// How a method is answered, by itself.
    weather: [Option<ScriptedReply>; 3],
    generations: [Vec<Generation>; 2],
    sign_outs_elsewhere: u64,
    sent: Vec<Asked>,
    events: Vec<Event>,
    calls: Vec<Timed>,
    trace: Vec<String>,
    /// What is looked at for secrets: one buffer for all of it.
    shown: String,
    position: usize,
    step: Option<Step>,
}

struct Flight {
    id: RequestId,
    asked: Asked,
    /// `None`: a sign-out.
    method: Option<ToyMethod>,
}

struct LastAnswer {
    id: RequestId,
    delivery: Delivery,
}

/// A call of the session, so that it can be made again.
#[derive(Clone)]
enum Call {
    Demand(LeaseId),
    Reject(LeaseId, Generation),
    Renew(LeaseId),
    SignIn(ToyLogin),
    Accept(Box<Grant>),
    Restore(Box<SavedSession>),
    SignInAgain,
    SignOut(SignOut),
    ForgetLogin,
    Close,
    StoreChanged,
    Answer(RequestId, Delivery),
    StoreReply(OpId, Result<StoreReply, StoreError>),
    Wake,
    Restart(Option<ToyLogin>, u64),
}

struct Timed {
    call: Call,
    now: Now,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// How much virtual time has passed, by the monotonic clock.
    pub elapsed: Duration,
    /// What the session asked for, in order.
    pub sent: Vec<Asked>,
    /// What it announced, in order.
    pub events: Vec<Event>,
    /// Every output, secrets of the toy included: the same for the same steps and seed.
    pub trace: Vec<String>,
}

/// Runs these steps with a new session; then lets the service work again, and expects that the session recovers. The
/// seed also chooses the policy, whether there is a login from the beginning, and whether there is a store. The error
/// names the rule that was broken, and the step.
pub fn run(steps: &[Step], seed: u64) -> Result<Report, Violation> {
    let report = played(Harness::seeded(seed), steps)?.finish()?;
    // The same once more, and nothing else is looked at: the calls were made again already.
    let again = played(Harness::seeded(seed).record(), steps)?;
    if report.trace != again.trace {
        return Err(differs(steps.len(), &report.trace, &again.trace));
    }
    Ok(report)
}

fn played<S: Subject>(mut harness: Harness<S>, steps: &[Step]) -> Result<Harness<S>, Violation> {
    harness.run_steps(steps)?;
    harness.recover()?;
    Ok(harness)
}

impl Harness {
    /// A harness around a session that holds nothing, without a login, of default policy.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, |policy, login, seed| Session::new(Toy, login, policy, seed))
    }

    /// A harness whose seed also chooses the policy, the login and whether there is a store.
    pub fn seeded(seed: u64) -> Self {
        Self::new(seed).chosen_by_seed()
    }
}

impl<S: Subject> Harness<S> {
    /// A harness around a session of another type, which `make` makes: one with a mistake in it, to see whether the
    /// model finds it.
    pub fn of(seed: u64, make: impl Fn(Policy, Option<ToyLogin>, u64) -> S + 'static) -> Self {
        let policy = Policy::default();
        Self {
            session: make(policy, None, seed),
            make: Box::new(make),
            seed,
            policy,
            only: None,
            now: START,
            elapsed: Duration::ZERO,
            service: Service::default(),
            model: Model::new(policy, None),
            store: None,
            login: None,
            user: Who::Ann.user().into(),
            saved: None,
            flight: None,
            cancelled: None,
            last_answer: None,
            last_method: None,
            weather: [None; 3],
            generations: Default::default(),
            sign_outs_elsewhere: 0,
            sent: Vec::new(),
            events: Vec::new(),
            calls: Vec::new(),
            trace: Vec::new(),
            shown: String::new(),
            position: 0,
            step: None,
        }
    }

    /// With a policy and a login that the seed chooses; it also chooses whether there is a store.
    #[must_use]
    pub fn chosen_by_seed(self) -> Self {
        let policy = match self.seed % 6 {
            0 | 1 => Policy::default(),
            2 => Policy::default().on_demand(),
            3 => Policy::default().margin(Duration::from_secs(20)),
            4 => Policy::default().reusable_refresh_tokens().request_timeout(Duration::from_secs(5)),
            _ => Policy::default().one_shot(),
        };
        let policy = if self.seed & 32 == 0 { policy.persist_login() } else { policy };
        let login = (self.seed & 8 == 0).then_some(Who::Ann);
        let stored = self.seed & 16 == 0;
        let harness = self.with(policy, login);
        if stored { harness.with_store() } else { harness }
    }

    /// With this policy and login, from the beginning.
    #[must_use]
    pub fn with(mut self, policy: Policy, login: Option<Who>) -> Self {
        self.policy = policy;
        self.login = login.map(Who::login);
        self.begin();
        self
    }

    /// With a store that nobody else uses.
    #[must_use]
    pub fn with_store(mut self) -> Self {
        self.store = Some(FakeStore::default());
        self.begin();
        self
    }

    /// A session that holds nothing, and its model.
    fn begin(&mut self) {
        let session = (self.make)(self.policy, self.login.clone(), self.seed);
        self.session = if self.store.is_some() { session.with_store() } else { session };
        self.model = Model::new(self.policy, self.login.clone());
        if self.store.is_some() {
            self.model.expect_store(self.store.as_ref().and_then(FakeStore::record));
        }
    }

    /// Checks this rule only: for a test of its own for each rule.
    #[must_use]
    pub fn only(mut self, rule: Rule) -> Self {
        self.only = Some(rule);
        self
    }

    /// Keeps every output, for [`Report::trace`].
    #[must_use]
    pub fn record(self) -> Self {
        self.only(Rule::SameInputsSameOutputs)
    }

    /// The session.
    pub fn session(&self) -> &S {
        &self.session
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// What the clocks say.
    pub fn now(&self) -> Now {
        self.now
    }

    /// What the session asked for so far.
    pub fn sent(&self) -> &[Asked] {
        &self.sent
    }

    /// What the session announced so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What is asked for just now.
    pub fn in_flight(&self) -> Option<&Asked> {
        self.flight.as_ref().map(|flight| &flight.asked)
    }

    /// Runs some steps.
    pub fn run_steps(&mut self, steps: &[Step]) -> Result<(), Violation> {
        steps.iter().try_for_each(|step| self.run_step(*step))
    }

    /// Runs one step. A step that does not apply at the moment (an answer when no request is under way) does nothing.
    pub fn run_step(&mut self, step: Step) -> Result<(), Violation> {
        self.step = Some(step);
        self.happen(step)?;
        self.step = None;
        self.position += 1;
        Ok(())
    }

    fn happen(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Pass(span) => self.pass(span.duration(), span.duration()),
            Step::Suspend(span) => self.pass(Duration::ZERO, span.duration()),
            Step::WallBack(span) => {
                self.now.wall = self.now.wall.saturating_sub(span.duration());
                self.tell(Call::Wake, &Told::Nothing)
            }
            Step::NextWake => match self.session.next_wake() {
                Some(wake) => {
                    let left = wake.at.saturating_sub(self.now.monotonic);
                    self.pass(left, left)
                }
                None => Ok(()),
            },
            Step::Wake => self.tell(Call::Wake, &Told::Nothing),
            Step::StaleWake(span) => {
                let real = self.now;
                self.now.monotonic = real.monotonic.saturating_sub(span.duration());
                self.call(Call::Wake);
                self.now = real;
                self.observe(&Told::Nothing)
            }
            Step::Demand(lease_id) => self.tell(Call::Demand(lease_id), &Told::Demand(lease_id)),
            Step::Renew(lease_id) => self.tell(Call::Renew(lease_id), &Told::Renew(lease_id)),
            Step::Reject(lease_id, which) => self.reject(lease_id, which),
            Step::SignIn(who) => {
                (self.login, self.user) = (Some(who.login()), who.user().into());
                self.tell(Call::SignIn(who.login()), &Told::SignIn(who.login()))
            }
            Step::Accept(who, lives) => match self.service.grant(who.user(), lives, self.now) {
                Ok(granted) => {
                    self.drop_login(who.user());
                    self.user = who.user().into();
                    self.tell(Call::Accept(Box::new(granted.grant)), &Told::Accepted(granted.facts))
                }
                Err(_) => Ok(()),
            },
            Step::Save => {
                self.saved = self.session.export();
                Ok(())
            }
            // A save only fills an empty store.
            Step::Restore if self.store.as_ref().is_some_and(|store| store.record().is_some()) => Ok(()),
            Step::Restore => match self.saved.clone().and_then(|saved| self.reread(&saved)) {
                Some(saved) => self.restore(saved),
                None => Ok(()),
            },
            Step::Restart => self.restart(),
            Step::Close => self.close(),
            Step::SignInAgain => self.sign_in_again(),
            Step::SignOut(login) => {
                self.login.take_if(|_| login == SignOut::ForgetLogin);
                self.tell(Call::SignOut(login), &Told::SignOut(login))
            }
            Step::SignOutElsewhere(login) => self.sign_out_elsewhere(login),
            Step::SignInElsewhere(lives) => self.sign_in_elsewhere(lives),
            Step::ForgetLogin => {
                self.login = None;
                self.tell(Call::ForgetLogin, &Told::ForgetLogin)
            }
            Step::Answer(outcome) => self.answer(outcome),
            Step::Stray(stray) => self.stray(stray),
            Step::Weather(method, weather) => {
                self.weather[method as usize] = weather;
                Ok(())
            }
            Step::Insist(lease_id, often) => self.insist(lease_id, often),
        }
    }

    /// Ends the run. Makes the same calls of a second session, takes its outputs only at the end, and checks that they
    /// are the same.
    pub fn finish(self) -> Result<Report, Violation> {
        if self.checks(Rule::SameInputsSameOutputs) {
            let make = |login: Option<ToyLogin>, seed| {
                let session = (self.make)(self.policy, login, seed);
                if self.store.is_some() { session.with_store() } else { session }
            };
            let mut again = make(self.start_login(), self.seed);
            let mut trace = Vec::new();
            for Timed { call, now } in &self.calls {
                if let Call::Restart(login, seed) = call {
                    drain_into(&mut again, &mut trace);
                    again = make(login.clone(), *seed);
                } else {
                    apply(&mut again, call.clone(), *now);
                }
            }
            drain_into(&mut again, &mut trace);
            if trace != self.trace {
                return Err(differs(self.position, &self.trace, &trace));
            }
        }
        Ok(Report { elapsed: self.elapsed, sent: self.sent, events: self.events, trace: self.trace })
    }

    fn start_login(&self) -> Option<ToyLogin> {
        match self.calls.first() {
            Some(Timed { call: Call::Restart(login, _), .. }) => login.clone(),
            _ => None,
        }
    }

    // ---- Steps

    fn pass(&mut self, monotonic: Duration, wall: Duration) -> Result<(), Violation> {
        self.now.monotonic = self.now.monotonic.saturating_add(monotonic);
        self.now.wall = self.now.wall.saturating_add(wall);
        self.elapsed = self.elapsed.saturating_add(monotonic);
        self.tell(Call::Wake, &Told::Nothing)
    }

    fn reject(&mut self, lease_id: LeaseId, which: Which) -> Result<(), Violation> {
        let seen = &self.generations[lease_id.index()];
        let held = self.session.held().filter(|held| held.validity(lease_id).is_some());
        let generation = match which {
            Which::Current => held.map(|held| held.generation(lease_id)),
            Which::Old => seen.iter().rev().nth(1).copied(),
            Which::First => seen.first().copied(),
        };
        match generation {
            Some(generation) => self.tell(Call::Reject(lease_id, generation), &Told::Reject(lease_id, generation)),
            None => Ok(()),
        }
    }

    fn restore(&mut self, saved: SavedSession) -> Result<(), Violation> {
        let credentials = Arc::new(saved.credentials().clone());
        let user = credentials.account().id.clone();
        if self.call(Call::Restore(Box::new(saved))) {
            self.drop_login(&user);
            self.user = user;
            self.observe(&Told::Restored(credentials))
        } else {
            self.observe(&Told::Nothing)
        }
    }

    /// A login of another account is not used on what comes from outside.
    fn drop_login(&mut self, user: &str) {
        self.login.take_if(|login| login.user() != user);
    }

    fn reread(&self, saved: &SavedSession) -> Option<SavedSession> {
        SavedSession::parse(saved.to_json().expose().as_bytes(), self.now).ok()
    }

    fn restart(&mut self) -> Result<(), Violation> {
        let saved = self.session.export();
        let foreign = saved.is_none() && self.is_store_foreign();
        if let Some(store) = self.store.as_mut().filter(|_| foreign) {
            *store = FakeStore::default();
        }
        self.now.monotonic = Duration::from_secs(5);
        self.seed = self.seed.wrapping_add(1);
        let next = self.model.next_process(self.policy, self.login.clone(), self.now);
        self.begin();
        if self.store.is_some() && !foreign {
            self.model = next;
            self.model.expect_store(self.store.as_ref().and_then(FakeStore::record));
        }
        (self.flight, self.cancelled, self.last_answer) = (None, None, None);
        self.generations = Default::default();
        self.note(&Call::Restart(self.login.clone(), self.seed));
        match saved.and_then(|saved| self.reread(&saved)) {
            Some(saved) => self.restore(saved),
            None => self.observe(&Told::Nothing),
        }
    }

    /// Another account's session may be left in it, or a sign-out that the next process does not go on from: somebody
    /// clears it away.
    fn is_store_foreign(&self) -> bool {
        let record = self.store.as_ref().and_then(FakeStore::record);
        let user = self.login.as_ref().map(ToyLogin::user);
        match record.map(|record| Record::parse(record.as_ref(), self.now)) {
            Some(Ok(record)) => record
                .credentials()
                .is_some_and(|held| user.is_some_and(|user| !same_account(user, &held.account().id))),
            Some(Err(_)) | None => false,
        }
    }

    /// The program waits until it may end, and another one goes on.
    fn close(&mut self) -> Result<(), Violation> {
        self.tell(Call::Close, &Told::Close)?;
        for _ in 0..recovery::MOST_TURNS {
            if self.session.is_finished() {
                return self.restart();
            }
            match self.session.next_wake() {
                _ if self.flight.is_some() => self.answer(ScriptedReply::Works(Lives::HOUR))?,
                Some(wake) => {
                    let left = wake.at.saturating_sub(self.now.monotonic);
                    self.pass(left, left)?;
                }
                None => break,
            }
        }
        self.broken(Rule::ProgramsEnd, "closed, and it does not come to its end".into())
    }

    fn answer(&mut self, outcome: ScriptedReply) -> Result<(), Violation> {
        let Some(flight) = self.flight.take() else {
            return Ok(());
        };
        let outcome = flight.method.and_then(|method| self.weather[method as usize]).unwrap_or(outcome);
        let Answered { delivery, said } = self.service.answer(&flight.asked, outcome);
        self.last_answer = Some(LastAnswer { id: flight.id, delivery: delivery.clone() });
        self.last_method = flight.method;
        self.tell(Call::Answer(flight.id, delivery), &Told::Answer(flight.id, said))
    }

    /// Answers whatever is asked just now.
    fn answer_all(&mut self) -> Result<(), Violation> {
        for _ in 0..MOST_ANSWERS {
            if self.flight.is_none() {
                return Ok(());
            }
            self.answer(ScriptedReply::Works(Lives::HOUR))?;
        }
        self.broken(Rule::NoBusyLoop, "one request after another at one moment".into())
    }

    /// Somebody asks until he is served, or has asked so many times.
    fn insist(&mut self, lease_id: LeaseId, often: Often) -> Result<(), Violation> {
        let (Often::EachSecond(times) | Often::EachMinute(times) | Often::WhenTold(times)) = often;
        for _ in 0..times {
            self.tell(Call::Demand(lease_id), &Told::Demand(lease_id))?;
            self.answer_all()?;
            if self.session.credentials(lease_id, self.now).is_some() {
                break;
            }
            let pause = match often {
                Often::EachSecond(_) => Duration::from_secs(1),
                Often::EachMinute(_) => Duration::from_secs(60),
                Often::WhenTold(_) => self.told_to_wait(lease_id),
            };
            self.pass(pause, pause)?;
            self.answer_all()?;
        }
        Ok(())
    }

    /// How long somebody waits who was told when to come again; at most a day, and a minute where he was told nothing.
    fn told_to_wait(&self, lease_id: LeaseId) -> Duration {
        let at = self.session.obstacle(lease_id).and_then(|error| error.retry_at());
        let told = at.and_then(|at| Duration::try_from(at.since(self.now.wall)).ok());
        told.unwrap_or(Duration::from_secs(60)).min(Duration::from_secs(86_400))
    }

    fn stray(&mut self, stray: Stray) -> Result<(), Violation> {
        let lost = || Err(TransportError::new(TransportErrorKind::MaybeSent));
        let (id, delivery) = match stray {
            Stray::Late => match self.cancelled.take() {
                Some(late) => {
                    let answered = self.service.answer(&late.asked, ScriptedReply::Works(Lives::HOUR));
                    (late.id, answered.delivery)
                }
                None => return Ok(()),
            },
            Stray::Again => match &self.last_answer {
                Some(last) => (last.id, last.delivery.clone()),
                None => return Ok(()),
            },
            Stray::Foreign => (RequestId(u64::MAX), lost()),
        };
        self.tell(Call::Answer(id, delivery), &Told::Answer(id, Said::Unheard))
    }

    // ---- One call, and what follows from it

    fn tell(&mut self, call: Call, told: &Told) -> Result<(), Violation> {
        self.call(call);
        self.observe(told)
    }

    /// Whether the session took it.
    fn call(&mut self, call: Call) -> bool {
        self.note(&call);
        apply(&mut self.session, call, self.now)
    }

    fn note(&mut self, call: &Call) {
        if self.checks(Rule::SameInputsSameOutputs) {
            if self.calls.is_empty() {
                let start = Call::Restart(self.login.clone(), self.seed);
                self.calls.push(Timed { call: start, now: self.now });
            }
            self.calls.push(Timed { call: call.clone(), now: self.now });
        }
    }

    fn observe(&mut self, told: &Told) -> Result<(), Violation> {
        self.model.told(told, self.now);
        loop {
            let output = self.session.poll_output();
            self.model.saw(&output);
            self.check_leaks(&output)?;
            if self.checks(Rule::SameInputsSameOutputs) {
                self.trace.extend(traced(&output));
            }
            match output {
                Output::Send(request) => {
                    if let Some(asked) = Service::read(&request) {
                        let method = ToyMethod::of(&asked);
                        let goes_on = matches!(asked, Asked::Ticket { .. });
                        let method = if goes_on { self.last_method } else { method };
                        self.sent.push(asked.clone());
                        self.flight = Some(Flight { id: request.id, asked, method });
                    }
                }
                Output::Cancel(id) => {
                    self.cancelled = self.flight.take_if(|flight| flight.id == id).or(self.cancelled.take());
                }
                Output::Store(op) => {
                    self.check_silence()?;
                    self.store_op(&op);
                }
                Output::Event(event) => self.events.push(event),
                Output::Sleep(wake) if wake != self.session.next_wake() => {
                    return self.broken(Rule::NoBusyLoop, "sleeps until another moment than it says".into());
                }
                Output::Sleep(_) => break,
            }
        }
        self.check_silence()?;
        let view = self.view();
        for lease_id in LeaseId::ALL {
            if let Some(held) = view.held.as_ref().filter(|held| held.validity(lease_id).is_some()) {
                let (seen, generation) = (&mut self.generations[lease_id.index()], held.generation(lease_id));
                if seen.last() != Some(&generation) {
                    seen.push(generation);
                }
            }
        }
        self.model.check(&view);
        for broken in self.model.take_broken() {
            self.broken(broken.rule, broken.what)?;
        }
        Ok(())
    }

    /// A store that never fails and answers at once.
    fn store_op(&mut self, op: &StoreRequest) {
        let Some(cell) = &mut self.store else { return };
        let result = cell.execute(op);
        self.model.was_stored(op.id);
        let before = self.session.held();
        self.call(Call::StoreReply(op.id, result));
        let reads = matches!(op.command, StoreCommand::Read | StoreCommand::Lock { .. });
        if let (true, None, Some(held)) = (reads, before, self.session.held()) {
            self.model.adopted(&held);
        }
    }

    fn view(&self) -> View {
        let session = &self.session;
        View {
            now: self.now,
            held: session.held(),
            served: LeaseId::ALL.map(|lease_id| session.credentials(lease_id, self.now)),
            obstacles: LeaseId::ALL.map(|lease_id| session.obstacle(lease_id)),
            renews_first: LeaseId::ALL.map(|lease_id| session.renews_first(lease_id)),
            is_finished: session.is_finished(),
            told: LeaseId::ALL.map(|lease_id| session.told(lease_id)),
            state: session.state(),
            wake: session.next_wake(),
            ignored: session.stats().ignored,
            has_login: session.has_login(),
        }
    }

    fn checks(&self, rule: Rule) -> bool {
        self.only.is_none_or(|only| only == rule)
    }

    fn broken(&self, rule: Rule, what: String) -> Result<(), Violation> {
        if !self.checks(rule) {
            return Ok(());
        }
        Err(Violation { rule, position: self.position, step: self.step, what })
    }

    /// Whatever can be printed of an output is: no secret and no address may be in it.
    fn check_leaks(&mut self, output: &Output) -> Result<(), Violation> {
        if !self.checks(Rule::NothingLeaks) {
            return Ok(());
        }
        let text = &mut self.shown;
        text.clear();
        // Into memory: none of this can fail.
        let _ = write!(text, "{output:?}");
        if let Output::Event(event) = output {
            let _ = write!(text, " {event}");
        }
        if let Output::Send(request) = output {
            let _ = write!(text, " {:?} {}", request.http, request.http.uri());
        }
        match leak(text) {
            Some(secret) => self.broken(Rule::NothingLeaks, format!("{secret} is in {output:?}")),
            None => Ok(()),
        }
    }

    /// The same for whatever can be printed between two inputs.
    fn check_silence(&mut self) -> Result<(), Violation> {
        if !self.checks(Rule::NothingLeaks) {
            return Ok(());
        }
        let text = &mut self.shown;
        text.clear();
        let _ = write!(text, "{:?} {:?} {:?}", self.session, self.login, self.saved);
        for error in LeaseId::ALL.into_iter().filter_map(|lease_id| self.session.obstacle(lease_id)) {
            let _ = write!(text, " {error:?}");
            chain(text, &error);
        }
        match leak(text) {
            Some(secret) => self.broken(Rule::NothingLeaks, format!("{secret} is in {:?} or beside it", self.session)),
            None => Ok(()),
        }
    }
}

/// The secret, or the address, that is in a text.
fn leak(text: &str) -> Option<&'static str> {
    [CANARY, "ann@", "bob@"].into_iter().find(|secret| text.contains(secret))
}

fn chain(text: &mut String, error: &Error) {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        let _ = write!(text, ": {error}");
        next = error.source();
    }
}

fn apply<S: Subject>(session: &mut S, call: Call, now: Now) -> bool {
    match call {
        Call::Demand(lease_id) => session.demand(lease_id, now),
        Call::Reject(lease_id, generation) => session.reject(lease_id, generation, now),
        Call::Renew(lease_id) => session.renew(lease_id, now),
        Call::SignIn(login) => session.sign_in(login, now),
        Call::Accept(grant) => return session.accept(*grant, now).is_ok(),
        Call::Restore(saved) => return session.restore(*saved, now).is_ok(),
        Call::Close => session.close(now),
        Call::SignInAgain => return session.sign_in_again(now).is_ok(),
        Call::SignOut(login) => session.sign_out(login, now),
        Call::ForgetLogin => session.forget_login(now),
        Call::Answer(id, Ok(response)) => session.handle_input(Input::Response(id, response), now),
        Call::Answer(id, Err(error)) => session.handle_input(Input::Failed(id, error), now),
        Call::StoreReply(id, result) => session.handle_input(Input::Store(id, result), now),
        Call::StoreChanged => session.handle_input(Input::StoreChanged, now),
        Call::Wake => session.handle_input(Input::Wake, now),
        Call::Restart(..) => {}
    }
    true
}

/// An output as text, with the body of a request; nothing for sleep.
fn traced(output: &Output) -> Option<String> {
    match output {
        Output::Sleep(_) => None,
        Output::Store(StoreRequest {
            id,
            command: StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. },
            ..
        }) => Some(format!("{id:?} {}", String::from_utf8_lossy(record.as_ref()))),
        Output::Send(request) => {
            let body = String::from_utf8_lossy(request.http.body().as_ref()).into_owned();
            Some(format!("{:?} {request:?} {body} {:?}", request.id, request.timeout))
        }
        output => Some(format!("{output:?}")),
    }
}

fn drain_into<S: Subject>(session: &mut S, trace: &mut Vec<String>) {
    while let Some(text) = traced(&session.poll_output()) {
        trace.push(text);
    }
}

fn differs(position: usize, one: &[String], other: &[String]) -> Violation {
    let at = one.iter().zip(other).position(|(one, other)| one != other).unwrap_or(one.len().min(other.len()));
    Violation {
        rule: Rule::SameInputsSameOutputs,
        position,
        step: None,
        what: format!("output {at} was {:?}, then {:?}", one.get(at), other.get(at)),
    }
}
