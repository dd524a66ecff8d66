//! The queue of events, and the session in the midst of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::diary::{Diary, Marked};
use super::report::YearReport;
use super::rule::{YearRule, YearViolation};
use super::scenario::{DAY, MINUTE, Sabotage, Year, moment};
use super::standing::Standing;
use super::state::{Event, Flight, LIFETIME, Sight, Wait};
use crate::fleet::process::Clock;
use crate::fleet::random::Random;
use crate::fleet::service::{Serial, Service};
use perennial_core::session::Timer;
use perennial_core::{Credentials, Event as Said, Input, LeaseId, Now, Output, Session, Wake};
use perennial_testing::FakeStore;
use perennial_testing::{Toy, ToyLogin};

/// How many of the last events a violation shows.
const SHOWN: usize = 60;

/// More outputs than a session ever has to give at once.
const MOST_OUTPUTS: u32 = 100;

/// What is written down of a year.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    Off,
    /// The last events, for a violation.
    History,
    /// What a picture shows.
    Diary,
}

/// A year, when it is over.
pub(super) struct Lived {
    pub(super) report: YearReport,
    pub(super) diary: Diary,
}

pub(super) struct World<'a> {
    pub(super) year: &'a Year,
    pub(super) random: Random,
    pub(super) now: Duration,
    queue: BTreeMap<(Duration, u64), Event>,
    order: u64,
    next_fault: usize,
    // The service.
    pub(super) service: Service,
    pub(super) down_until: Duration,
    pub(super) down: super::scenario::Down,
    /// The service asked to be left alone until then.
    pub(super) rest_until: Duration,
    pub(super) lost_left: u8,
    pub(super) slow_left: u8,
    pub(super) slow: Duration,
    pub(super) skew: i64,
    pub(super) aws_refused: bool,
    // The machine and the process.
    pub(super) clock: Clock,
    pub(super) frozen_until: Duration,
    /// `None`: it has ended.
    pub(super) session: Option<Session<Toy>>,
    pub(super) incarnation: u32,
    /// The login that the process starts with.
    pub(super) configured: Option<ToyLogin>,
    /// The login that the session has.
    pub(super) login: Option<ToyLogin>,
    pub(super) login_refused: bool,
    pub(super) wake: Option<Wake>,
    pub(super) wake_at: Option<Duration>,
    pub(super) flight: Option<Flight>,
    // The store.
    pub(super) cell: FakeStore,
    /// The refresh token that was there when the process started.
    pub(super) stored_token: Serial,
    pub(super) store_down_until: Duration,
    pub(super) store_free_at: Duration,
    pub(super) store_busy: u32,
    // People.
    pub(super) waits: Vec<Wait>,
    /// How many will ask again.
    pub(super) insisting: u32,
    pub(super) person_comes: bool,
    // What is seen.
    pub(super) standing: Standing,
    pub(super) stood_since: Duration,
    pub(super) ours_since: Option<Duration>,
    pub(super) unrest_until: Duration,
    pub(super) sight: Sight,
    pub(super) report: YearReport,
    pub(super) diary: Diary,
    history: Option<VecDeque<String>>,
    broken: Option<Box<YearViolation>>,
}

impl<'a> World<'a> {
    pub(super) fn new(year: &'a Year, recording: Recording) -> Self {
        let service = Service::new(LIFETIME);
        let start = DAY * u32::from(year.days.start);
        let mut world = Self {
            year,
            random: Random::new(year.seed),
            now: start,
            queue: BTreeMap::new(),
            order: 0,
            next_fault: 0,
            down_until: Duration::ZERO,
            down: super::scenario::Down::Unreachable,
            rest_until: Duration::ZERO,
            lost_left: 0,
            slow_left: 0,
            slow: Duration::ZERO,
            skew: 0,
            aws_refused: false,
            clock: Clock::default(),
            frozen_until: Duration::ZERO,
            session: None,
            incarnation: 0,
            configured: year.account.has_login.then(|| service.login()),
            login: None,
            login_refused: false,
            service,
            wake: None,
            wake_at: None,
            flight: None,
            cell: FakeStore::default(),
            stored_token: 0,
            store_down_until: Duration::ZERO,
            store_free_at: Duration::ZERO,
            store_busy: 0,
            waits: Vec::new(),
            insisting: 0,
            person_comes: false,
            standing: Standing::Off,
            stood_since: start,
            ours_since: None,
            unrest_until: Duration::ZERO,
            sight: Sight::default(),
            report: YearReport { years: 1, faults: year.faults.len() as u64, ..YearReport::default() },
            diary: if recording == Recording::Diary { Diary::open() } else { Diary::closed() },
            history: (recording == Recording::History).then(VecDeque::new),
            broken: None,
        };
        world.after(Duration::ZERO, Event::Start);
        for caller in 0..year.account.keepers + year.account.comers {
            world.call_again(caller);
        }
        world
    }

    pub(super) fn run(mut self) -> Result<Lived, Box<YearViolation>> {
        let (start, end) = (self.now, DAY * u32::from(self.year.days.end));
        while self.broken.is_none()
            && let Some(at) = self.next_moment().filter(|at| *at < end)
        {
            self.now = at;
            self.report.events += 1;
            self.happen_next();
            self.account_for();
        }
        self.now = end;
        self.account_for();
        self.diary.turn(self.standing, end);
        self.report.time = end.saturating_sub(start);
        match self.broken {
            Some(violation) => Err(violation),
            None => Ok(Lived { report: self.report, diary: self.diary }),
        }
    }

    pub(super) fn after(&mut self, delay: Duration, event: Event) {
        self.order += 1;
        self.queue.insert((self.now.saturating_add(delay), self.order), event);
    }

    fn next_fault_at(&self) -> Option<Duration> {
        self.year.faults.get(self.next_fault).map(|fault| fault.at.max(self.now))
    }

    fn next_moment(&self) -> Option<Duration> {
        let queued = self.queue.first_key_value().map(|((at, _), _)| *at);
        [queued, self.wake_at, self.next_fault_at()].into_iter().flatten().min()
    }

    fn happen_next(&mut self) {
        if self.next_fault_at().is_some_and(|at| at <= self.now) {
            let fault = self.year.faults[self.next_fault];
            self.next_fault += 1;
            self.note(|| fault.to_string());
            return self.befall(fault);
        }
        if self.wake_at.is_some_and(|at| at <= self.now) {
            return self.wake();
        }
        let Some((_, event)) = self.queue.pop_first() else { return };
        let of_process = !matches!(event, Event::Turn | Event::Thaw | Event::Call { .. } | Event::Insist { .. });
        if of_process && self.is_frozen() {
            let left = self.frozen_until.saturating_sub(self.now);
            return self.after(left, event);
        }
        match event {
            Event::Start => self.start(),
            Event::Look { incarnation } if incarnation == self.incarnation => self.look(),
            Event::StoreReply { incarnation, id, result } if incarnation == self.incarnation => {
                self.store_busy = self.store_busy.saturating_sub(1);
                self.tell(Input::Store(id, result));
            }
            Event::Answers { incarnation, id, answer } if incarnation == self.incarnation => self.answer(id, *answer),
            Event::Look { .. } | Event::StoreReply { .. } | Event::Answers { .. } => {}
            Event::Call { caller } => self.call(caller),
            Event::Insist { caller, tries, lease_id } => self.insist(caller, tries, lease_id),
            Event::Person => self.person(),
            Event::Turn => {}
            Event::Thaw => self.look(),
        }
    }

    // ---- The process

    pub(super) fn is_frozen(&self) -> bool {
        self.now < self.frozen_until
    }

    /// What the clocks say.
    pub(super) fn real_now(&self) -> Now {
        self.clock.read(self.now)
    }

    /// What the session is told of that.
    pub(super) fn told_now(&self) -> Now {
        if self.year.is(Sabotage::OneClock) {
            let stopped = i64::try_from(self.clock.stopped.as_millis()).unwrap_or(0);
            return Clock { wall_ahead: -stopped, ..self.clock }.read(self.now);
        }
        self.real_now()
    }

    /// What the session serves, as its callers see it.
    pub(super) fn served(&self, lease_id: LeaseId, now: Now) -> Option<&Arc<Credentials>> {
        let session = self.session.as_ref()?;
        let withheld =
            self.year.is(Sabotage::WithholdsWhileRenewing) && session.state() == perennial_core::State::Renewing;
        session.credentials(lease_id, now).filter(|_| !withheld)
    }

    fn start(&mut self) {
        if self.session.is_some() {
            return;
        }
        let mut policy = self.year.account.policy;
        if self.year.is(Sabotage::RepeatsToken) {
            policy = policy.reusable_refresh_tokens();
        }
        if self.year.is(Sabotage::RenewsLate) {
            policy = policy.margin(Duration::ZERO);
        }
        let seed = self.random.next();
        let session = Session::new(Toy, self.configured.clone(), policy, seed);
        self.session = Some(if self.year.account.has_store { session.with_store() } else { session });
        self.incarnation += 1;
        (self.login, self.login_refused) = (self.configured.clone(), false);
        self.report.starts += 1;
        self.note(|| "the process starts".into());
        self.observe_start();
        if !self.year.account.is_on_demand() {
            self.command(|session, now| session.demand(LeaseId::Access, now));
        }
    }

    /// The process ends at whatever it is doing.
    pub(super) fn end_process(&mut self) {
        self.session = None;
        self.incarnation += 1;
        (self.wake, self.wake_at, self.store_busy) = (None, None, 0);
        self.waits.clear();
        self.forget_flight();
    }

    fn wake(&mut self) {
        let now = self.told_now().monotonic;
        let due = self.wake.take().filter(|wake| wake.at <= now);
        self.wake_at = None;
        let lost = match due.map(|wake| wake.why) {
            Some(Timer::Retry(_)) => self.year.is(Sabotage::LosesWakes),
            Some(Timer::RequestDeadline) => self.year.is(Sabotage::NoDeadlines),
            _ => false,
        };
        if lost {
            return;
        }
        if self.year.is(Sabotage::Hammers) {
            LeaseId::ALL.into_iter().for_each(|lease_id| self.command(|session, now| session.renew(lease_id, now)));
        }
        self.tell(Input::Wake);
        let again = due.is_some() && self.wake.is_some_and(|wake| wake.at <= now);
        self.sight.spins = if again { self.sight.spins + 1 } else { 0 };
        if self.sight.spins > 3 {
            self.breaks(YearRule::BoundedWork, "wants to be woken at once, again and again");
        }
    }

    fn look(&mut self) {
        if std::mem::take(&mut self.sight.repeat_login)
            && let Some(login) = self.login.clone()
        {
            self.command(|session, now| session.sign_in(login, now));
        }
        self.tell(Input::Wake);
    }

    /// The driver looks at the clocks once a minute: a look that finds nothing new does nothing, so only those are
    /// lived through that find something.
    pub(super) fn look_within_a_minute(&mut self) {
        let delay = self.random.between(Duration::ZERO, MINUTE);
        let incarnation = self.incarnation;
        self.after(delay, Event::Look { incarnation });
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.command(|session, now| session.handle_input(input, now));
    }

    /// Tells a session something, does what it asks for, and looks at it.
    pub(super) fn command(&mut self, say: impl FnOnce(&mut Session<Toy>, Now)) {
        let now = self.told_now();
        let Some(session) = &mut self.session else { return };
        say(session, now);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(session) = &mut self.session else { return };
            match session.poll_output() {
                Output::Send(request) => self.send(&request),
                Output::Cancel(id) => self.cancel(id),
                Output::Store(op) => self.ask_store(&op),
                Output::Event(event) => self.heard(&event),
                Output::Sleep(wake) => {
                    self.look_at();
                    return self.sleep(wake);
                }
            }
        }
        self.breaks(YearRule::BoundedWork, "one output after another, without an end");
    }

    fn heard(&mut self, event: &Said) {
        self.note(|| format!("  it says: {event}"));
        match event {
            Said::Renewed { method: Some(_), .. } => {
                self.report.renewals += 1;
                self.diary.renewed(self.now);
            }
            Said::Exhausted { lease_id: LeaseId::Access, .. } => self.needs_person(),
            _ => {}
        }
    }

    fn sleep(&mut self, wake: Option<Wake>) {
        let now = self.told_now().monotonic;
        if let Some(wake) = wake.filter(|wake| wake.at < now) {
            self.breaks(YearRule::BoundedWork, format!("wants to be woken in the past: {wake:?}, at {now:?}"));
        }
        let wake = match wake {
            Some(wake) if self.year.is(Sabotage::Spins) => Some(Wake { at: now, ..wake }),
            wake => wake,
        };
        self.wake = wake;
        // Timers are late, a bit.
        let late = self.random.millis(0, 8);
        self.wake_at = wake.map(|wake| self.now.saturating_add(wake.at.saturating_sub(now)).saturating_add(late));
        self.mix(wake.map_or(0, |wake| u64::try_from(wake.at.as_nanos()).unwrap_or(0)));
    }

    // ---- What is seen

    pub(super) fn breaks(&mut self, rule: YearRule, what: impl Into<String>) {
        if self.broken.is_none() {
            let history = self.history.take().map(Vec::from).unwrap_or_default();
            let (year, what) = (self.year.clone(), what.into());
            self.broken = Some(Box::new(YearViolation { rule, year, at: self.now, what, history }));
        }
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        let at = self.now;
        if let Some(history) = &mut self.history {
            if history.len() >= SHOWN {
                history.pop_front();
            }
            history.push_back(format!("{}  {}", moment(at), what()));
        }
    }

    pub(super) fn mark(&mut self, what: Marked) {
        self.diary.mark(what, self.now);
    }

    /// Something went in or out.
    pub(super) fn mix(&mut self, value: u64) {
        let digest = (self.report.digest ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.report.digest = digest ^ (digest >> 29);
    }

    pub(super) fn mix_bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.mix(u64::from(*byte));
        }
    }
}
