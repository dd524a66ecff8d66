//! The queue of events, and what reaches whom.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::event::Event;
use super::process::{Clock, Flight, Leaving, Process, Sight, StoreDriver};
use super::random::Random;
use super::report::{FleetReport, FleetRule, FleetViolation};
use super::request::Sent;
use super::scenario::{Level, Sabotage, Scenario};
use super::service::Service;
use super::store::SimStore;
use super::views::Views;
use perennial_core::{Input, Output, Policy, Session};
use perennial_testing::{Toy, ToyLogin};

/// How many of the last events a violation shows.
const SHOWN: usize = 60;

/// More outputs than a session ever has to give at once.
const MOST_OUTPUTS: u32 = 100;

/// Drivers look at the clocks at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Whether the history is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    Left,
    Kept,
}

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) random: Random,
    pub(super) now: Duration,
    pub(super) queue: BTreeMap<(Duration, u64), Event>,
    order: u64,
    pub(super) service: Service,
    pub(super) store: SimStore,
    pub(super) processes: Vec<Process>,
    pub(super) requests: Vec<Sent>,
    pub(super) report: FleetReport,
    /// No trouble any more.
    pub(super) is_well: bool,
    pub(super) store_down: bool,
    pub(super) service_down: bool,
    /// Whether the store tells of changes.
    pub(super) tells_changes: bool,
    pub(super) views: Views,
    history: Option<VecDeque<String>>,
    pub(super) broken: Option<FleetViolation>,
}

impl World {
    pub(super) fn new(scenario: Scenario, history: History) -> Self {
        let mut world = Self {
            scenario,
            random: Random::new(scenario.seed),
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            order: 0,
            service: Service::new(scenario.lifetime.access()),
            store: SimStore::default(),
            processes: Vec::new(),
            requests: Vec::new(),
            report: FleetReport { runs: 1, ..FleetReport::default() },
            is_well: false,
            store_down: false,
            service_down: false,
            tells_changes: false,
            views: Views::default(),
            history: (history == History::Kept).then(VecDeque::new),
            broken: None,
        };
        world.tells_changes = world.random.one_in(2);
        world.begin();
        world
    }

    pub(super) fn run(mut self) -> Result<FleetReport, FleetViolation> {
        let end = self.scenario.lifetime.horizon();
        self.run_until(end);
        self.recover();
        self.report.time = self.now;
        match self.broken {
            Some(violation) => Err(violation),
            None => Ok(self.report),
        }
    }

    /// Runs what is to happen before this moment, or until a rule is broken.
    pub(super) fn run_until(&mut self, end: Duration) {
        while self.broken.is_none()
            && let Some(entry) = self.queue.first_entry()
        {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = at;
            self.report.events += 1;
            self.happen(event);
        }
        self.now = self.now.max(end);
    }

    pub(super) fn at(&mut self, when: Duration, event: Event) {
        self.order += 1;
        self.queue.insert((when, self.order), event);
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.at(self.now.saturating_add(delay), event);
    }

    pub(super) fn note(&mut self, process: usize, what: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            if history.len() == SHOWN {
                history.pop_front();
            }
            history.push_back(format!("{:>12.3} s  p{process:<3}{}", self.now.as_secs_f64(), what()));
        }
    }

    pub(super) fn breaks(&mut self, rule: FleetRule, process: usize, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(FleetViolation {
                rule,
                seed: self.scenario.seed,
                at: self.now,
                process,
                what: what.into(),
                history: self.history.iter().flatten().cloned().collect(),
            });
        }
    }

    fn happen(&mut self, event: Event) {
        let (process, incarnation) = match &event {
            Event::Wake { process, incarnation, .. }
            | Event::Op { process, incarnation, .. }
            | Event::Answers { process, incarnation, .. }
            | Event::Changed { process, incarnation } => (Some(*process), Some(*incarnation)),
            Event::Act { process } => (Some(*process), None),
            _ => (None, None),
        };
        if let Some(process) = process {
            let state = &self.processes[process];
            if incarnation.is_some_and(|incarnation| incarnation != state.incarnation) {
                return;
            }
            if state.is_frozen(self.now) && !self.goes_on_without(&event) {
                let until = state.frozen_until.unwrap_or(self.now);
                self.at(until, event);
                return;
            }
        }
        match event {
            Event::Wake { process, number, .. } => self.wake(process, number),
            Event::Op { process, serial, phase, .. } => self.go_on(process, serial, phase),
            Event::LateWrite { process, fence, record } => self.write_late(process, fence, &record),
            Event::LockEnds { fence } => self.lock_ends(fence),
            Event::Arrives { request } => self.arrive(request),
            Event::Answers { process, request, answer, .. } => self.answer(process, request, *answer),
            Event::Changed { process, .. } => self.tell(process, Input::StoreChanged),
            Event::Act { process } => self.act(process),
            Event::Restart { process } => self.start(process),
            Event::Thaw => self.serve_waiters(),
            Event::StoreWeather => self.change_store_weather(),
            Event::ServiceWeather => self.change_service_weather(),
            Event::Forget => self.forget(),
            Event::Check => self.check_on_all(),
        }
    }

    // ---- Processes

    pub(super) fn add_process(&mut self, policy: Policy, login: Option<ToyLogin>, clock: Clock) {
        self.processes.push(Process {
            session: None,
            closes: false,
            incarnation: 0,
            policy,
            login,
            clock,
            frozen_until: None,
            keeper: StoreDriver::default(),
            flight: None,
            wake: None,
            wake_number: 0,
            sight: Sight::default(),
        });
    }

    /// A process starts, with nothing but its login.
    pub(super) fn start(&mut self, process: usize) {
        let seed = self.random.next();
        let state = &mut self.processes[process];
        if state.session.is_some() {
            return;
        }
        let session = Session::new(Toy, state.login.clone(), state.policy, seed);
        state.session = Some(session.with_store());
        state.closes = false;
        state.incarnation += 1;
        state.sight = Sight { own_login: state.login.clone(), ..Sight::default() };
        (state.keeper, state.flight, state.wake) = (StoreDriver::default(), None, None);
        self.report.processes += 1;
        self.note(process, || "starts".into());
        self.tell(process, Input::Wake);
    }

    /// A process dies, at whatever it is doing.
    pub(super) fn crash(&mut self, process: usize) {
        if self.processes[process].session.is_some() {
            self.report.crashes += 1;
            self.note(process, || "DIES".into());
            self.depart(process, Leaving::Death);
        }
    }

    /// A process is about to end in order.
    pub(super) fn close(&mut self, process: usize) {
        self.note(process, || "is about to end".into());
        self.processes[process].closes = true;
        self.command(process, perennial_core::Session::close);
    }

    /// A process that is about to end does so, once nothing would be lost.
    fn leave(&mut self, process: usize) {
        let state = &self.processes[process];
        let Some(session) = state.session.as_ref().filter(|_| state.closes) else { return };
        let keeper = &state.keeper;
        let is_still = keeper.running.is_none() && keeper.queue.is_empty();
        if !(session.is_finished() && is_still || self.scenario.is(Sabotage::EndsAtOnce)) {
            return;
        }
        let consumes = state
            .flight
            .is_some_and(|flight| flight.renews && !flight.orphaned && self.requests[flight.first].token > 0);
        if consumes {
            self.breaks(FleetRule::ProgramsEnd, process, "ends while a one-use token is in flight");
        } else if keeper.held.is_some() {
            self.breaks(FleetRule::ProgramsEnd, process, "ends with the lock in its hands");
        }
        self.note(process, || "ends".into());
        self.depart(process, Leaving::Orderly);
    }

    fn depart(&mut self, process: usize, leaving: Leaving) {
        self.processes[process].session = None;
        if let Some(flight) = self.processes[process].flight.take() {
            self.requests[flight.first].forget(self.now);
        }
        let state = &mut self.processes[process];
        state.incarnation += 1;
        state.frozen_until = None;
        self.drop_keeper(process, leaving);
        let pause = self.random.about(Duration::from_secs(20));
        self.after(pause, Event::Restart { process });
    }

    fn wake(&mut self, process: usize, number: u64) {
        let state = &self.processes[process];
        if state.wake_number != number {
            return;
        }
        let now = state.now(self.now).monotonic;
        let due = state.wake.is_some_and(|wake| wake.at <= now);
        self.tell(process, Input::Wake);
        let state = &mut self.processes[process];
        let spins = due && state.wake.is_some_and(|wake| wake.at <= now);
        state.sight.spins = if spins { state.sight.spins + 1 } else { 0 };
        if state.sight.spins > 3 {
            let wake = state.wake;
            self.breaks(
                FleetRule::BoundedWork,
                process,
                format!("wants to be woken at once, again and again: {wake:?}"),
            );
        }
    }

    pub(super) fn tell(&mut self, process: usize, input: Input) {
        self.command(process, |session, now| session.handle_input(input, now));
    }

    /// Tells a session something, does what it asks for, and looks at it.
    pub(super) fn command(&mut self, process: usize, say: impl FnOnce(&mut Session<Toy>, perennial_core::Now)) {
        let now = self.processes[process].now(self.now);
        let Some(session) = &mut self.processes[process].session else { return };
        say(session, now);
        self.drain(process);
        self.leave(process);
    }

    fn drain(&mut self, process: usize) {
        let deadly = if self.is_well { 0 } else { self.scenario.crashes.share(1, 6) };
        for _ in 0..MOST_OUTPUTS {
            let Some(session) = &mut self.processes[process].session else { return };
            match session.poll_output() {
                Output::Send(request) => self.send(process, &request),
                Output::Cancel(id) => self.cancel(process, id),
                Output::Store(op) => self.ask_store(process, op),
                Output::Event(event) => self.observe_event(process, &event),
                Output::Sleep(wake) => {
                    self.look_at(process);
                    return self.sleep(process, wake);
                }
            }
            if deadly > 0 && self.random.per_mille(deadly) {
                return self.crash(process);
            }
        }
        self.breaks(FleetRule::BoundedWork, process, "one output after another, without an end");
    }

    fn sleep(&mut self, process: usize, wake: Option<perennial_core::Wake>) {
        let now = self.processes[process].now(self.now).monotonic;
        if let Some(wake) = wake.filter(|wake| wake.at < now) {
            self.breaks(
                FleetRule::BoundedWork,
                process,
                format!("wants to be woken in the past: {wake:?}, at {now:?}"),
            );
        }
        let wake = match wake {
            Some(wake) if self.scenario.is(Sabotage::Spins) => Some(perennial_core::Wake { at: now, ..wake }),
            wake => wake,
        };
        let left = wake.map_or(LONGEST_SLEEP, |wake| wake.at.saturating_sub(now)).min(LONGEST_SLEEP);
        let late = match self.random.below(10) {
            0 if self.scenario.clock_trouble == Level::Often => self.random.millis(0, 2000),
            1..3 => self.random.millis(0, 20),
            _ => Duration::ZERO,
        };
        let state = &mut self.processes[process];
        state.wake = wake;
        state.wake_number += 1;
        let (incarnation, number) = (state.incarnation, state.wake_number);
        self.after(left + late, Event::Wake { process, incarnation, number });
    }

    pub(super) fn flight_of(&mut self, process: usize) -> Option<&mut Flight> {
        self.processes[process].flight.as_mut()
    }
}
