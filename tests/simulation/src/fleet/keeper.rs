//! Operations on the store, as a keeper carries them out: one after another, each taking its time.

use std::rc::Rc;
use std::time::Duration;

use super::event::{Event, Phase};
use super::process::{Asked, AskedStore, Decided, Held, Leaving, Plan, Running};
use super::scenario::{Level, Sabotage, StoreKind};
use super::store::{Waiter, WrittenRecord};
use super::world::World;
use perennial_core::Input;
use perennial_core::store::{STORE_TIMEOUT, StoreCommand, StoreError, StoreErrorKind, StoreReply, StoreRequest};
use perennial_core::wire::Body;

impl World {
    pub(super) fn ask_store(&mut self, process: usize, op: StoreRequest) {
        self.report.store_ops += 1;
        self.note(process, || format!("asks the store: {:?} {}", op.id, act_name(&op.command)));
        self.count_op(process);
        let truth = self.now;
        let state = &mut self.processes[process];
        if !matches!(op.command, StoreCommand::Unlock { .. }) {
            let (decided, brings_after) = (state.sight.decided, state.sight.brings_after);
            state.sight.asked = Some(AskedStore { id: op.id, at: truth, decided, brings_after });
        }
        if matches!(op.command, StoreCommand::Lock { .. }) {
            state.sight.asked_lock = Some(Asked { truth, now: state.clock.read(truth) });
        }
        let dropped = match op.command {
            StoreCommand::Unlock { .. } => self.scenario.is(Sabotage::KeepsLock),
            _ => false,
        };
        if !dropped {
            self.processes[process].keeper.queue.push_back(op);
            self.begin_next(process);
        }
    }

    fn begin_next(&mut self, process: usize) {
        let keeper = &mut self.processes[process].keeper;
        if keeper.running.is_some() {
            return;
        }
        let Some(op) = keeper.queue.pop_front() else { return };
        let holds = |lock| keeper.held.is_some_and(|held| held.by == lock);
        let lost = match &op.command {
            StoreCommand::Write { lock, .. }
            | StoreCommand::Clear { lock, .. }
            | StoreCommand::Quarantine { lock }
            | StoreCommand::Retire { lock } => !holds(*lock),
            StoreCommand::Read | StoreCommand::Lock { .. } | StoreCommand::Unlock { .. } => false,
        };
        if matches!(op.command, StoreCommand::Lock { .. })
            && let Some(held) = keeper.held.take()
        {
            self.give_back(held.fence);
        }
        let plan = if lost {
            Plan { apply: None, answer: Duration::ZERO, error: Some(StoreErrorKind::Lost) }
        } else {
            self.plan(&op)
        };
        let keeper = &mut self.processes[process].keeper;
        keeper.last_serial += 1;
        let (serial, locks) = (keeper.last_serial, matches!(op.command, StoreCommand::Lock { .. }));
        let started = self.now;
        keeper.running =
            Some(Running { serial, op, started, plan, fence: None, waits: false, read: None, result: None });
        if locks {
            let delay = plan.apply.unwrap_or(plan.answer);
            self.later(process, delay, Phase::Ask);
        } else {
            if let Some(apply) = plan.apply {
                self.later(process, apply, Phase::Apply);
            }
            self.later(process, plan.answer, Phase::Answer);
        }
    }

    fn later(&mut self, process: usize, delay: Duration, phase: Phase) {
        let state = &self.processes[process];
        let Some(running) = &state.keeper.running else { return };
        let (incarnation, serial) = (state.incarnation, running.serial);
        self.after(delay, Event::Op { process, incarnation, serial, phase });
    }

    /// What becomes of an operation.
    fn plan(&mut self, op: &StoreRequest) -> Plan {
        let level = self.scenario.store_trouble;
        let slow =
            level != Level::Never && !self.is_well && self.random.one_in(if level == Level::Often { 4 } else { 20 });
        let apply = if slow { self.random.about(Duration::from_secs(1)) } else { self.random.millis(0, 12) };
        let answer = apply + if slow { self.random.about(Duration::from_secs(1)) } else { self.random.millis(0, 12) };
        let good = Plan { apply: Some(apply), answer, error: None };
        let fails = self.store_down || self.random.per_mille(level.share(15, 120));
        if self.is_well || !fails || matches!(op.command, StoreCommand::Unlock { .. }) {
            return good;
        }
        let done = Some(apply).filter(|_| self.random.one_in(2) && !self.store_down);
        let quick = |error| Plan { apply: None, answer, error: Some(error) };
        match self.random.below(7) {
            0 | 1 => quick(StoreErrorKind::Unavailable),
            2 => Plan { apply: done, answer, error: Some(StoreErrorKind::MaybeWritten) },
            3 => Plan { apply: done, answer: op.timeout, error: Some(StoreErrorKind::TimedOut) },
            4 => quick(StoreErrorKind::Unusable),
            5 => {
                // It hangs, and does its work in the end.
                let answer = op.timeout + self.random.about(Duration::from_secs(15));
                Plan { apply: Some(self.random.between(Duration::ZERO, answer)), answer, error: None }
            }
            _ => Plan { apply: done, answer, error: Some(StoreErrorKind::Unavailable) }.honest(&op.command),
        }
    }

    /// What a server does even where the process that asked is halted.
    pub(super) fn goes_on_without(&self, event: &Event) -> bool {
        let server = self.scenario.store == StoreKind::Lease;
        matches!(event, Event::Op { phase: Phase::Apply, .. } if server)
    }

    pub(super) fn go_on(&mut self, process: usize, serial: u64, phase: Phase) {
        let running = self.processes[process].keeper.running.as_ref();
        let Some(running) = running.filter(|running| running.serial == serial) else { return };
        match phase {
            Phase::Ask => self.ask_lock(process),
            Phase::Apply => self.apply(process),
            Phase::GiveUp if running.waits => {
                self.store.waiters.retain(|waiter| waiter.process != process);
                self.fail_op(process, StoreErrorKind::Busy);
            }
            Phase::GiveUp => {}
            Phase::Answer => self.answer_op(process),
        }
    }

    // ---- The lock

    fn ask_lock(&mut self, process: usize) {
        let lease_kind = self.scenario.store == StoreKind::Lease;
        let Some(running) = &mut self.processes[process].keeper.running else { return };
        let StoreCommand::Lock { ttl } = running.op.command else { return };
        if let Some(error) = running.plan.error {
            let done = running.plan.apply.is_some() && lease_kind;
            if done && self.store.is_free(self.now) {
                // Locked, and nobody knows: until it ends by itself.
                self.hold(ttl);
            }
            return self.fail_op(process, error);
        }
        running.waits = true;
        let left = (running.started + running.op.timeout).saturating_sub(self.now);
        if !self.store.is_free(self.now) {
            self.report.lock_waits += 1;
        }
        let taken = self.scenario.is(Sabotage::BeginsWithoutLock) && process % 2 == 1;
        if taken || self.scenario.is(Sabotage::LockIgnored) {
            return self.got_lock(process, 0);
        }
        self.store.waiters.push(Waiter { process, ttl });
        self.later(process, left, Phase::GiveUp);
        self.serve_waiters();
    }

    fn hold(&mut self, ttl: Duration) -> u64 {
        let ttl = if self.scenario.is(Sabotage::LockEndsEarly) { ttl / 400 } else { ttl };
        let ends = (self.scenario.store == StoreKind::Lease).then(|| self.now.saturating_add(ttl));
        let fence = self.store.hold(ends);
        if let Some(ends) = ends {
            self.at(ends, Event::LockEnds { fence });
        }
        fence
    }

    pub(super) fn serve_waiters(&mut self) {
        if !self.store.is_free(self.now) {
            return;
        }
        // A halted process polls no server; a kernel wakes it first.
        let may = |waiter: &Waiter| {
            self.scenario.store == StoreKind::Kernel || !self.processes[waiter.process].is_frozen(self.now)
        };
        let ready: Vec<usize> =
            (0..self.store.waiters.len()).filter(|index| may(&self.store.waiters[*index])).collect();
        let Some(first) = ready.first().copied() else { return };
        let chosen = if self.random.one_in(2) { first } else { self.random.pick(first, &ready) };
        let waiter = self.store.waiters.remove(chosen);
        let fence = self.hold(waiter.ttl);
        self.got_lock(waiter.process, fence);
    }

    fn got_lock(&mut self, process: usize, fence: u64) {
        let now = self.now;
        let read = self.random.millis(0, 12);
        let slow = !self.is_well && self.random.per_mille(self.scenario.store_trouble.share(10, 60));
        let answer = read + if slow { self.random.about(STORE_TIMEOUT) } else { self.random.millis(0, 12) };
        let error = (slow && self.random.one_in(2)).then_some(StoreErrorKind::Unavailable);
        let Some(running) = &mut self.processes[process].keeper.running else { return };
        running.waits = false;
        running.fence = Some(fence);
        running.plan = Plan { apply: Some(now + read), answer: now + answer, error };
        self.note(process, || format!("has the lock (fence {fence})"));
        self.later(process, read, Phase::Apply);
        self.later(process, answer, Phase::Answer);
    }

    pub(super) fn give_back(&mut self, fence: u64) {
        self.store.give_back(fence);
        self.serve_waiters();
    }

    pub(super) fn lock_ends(&mut self, fence: u64) {
        if self.store.holder.is_some_and(|holder| holder.fence == fence) {
            self.report.locks_lost += 1;
            self.give_back(fence);
        }
    }

    /// The keeper of a process goes, with all that it was asked for.
    pub(super) fn drop_keeper(&mut self, process: usize, leaving: Leaving) {
        let server = self.scenario.store == StoreKind::Lease;
        self.store.waiters.retain(|waiter| waiter.process != process);
        let keeper = std::mem::take(&mut self.processes[process].keeper);
        self.processes[process].keeper.last_serial = keeper.last_serial;
        if let Some(Running { op, plan, result: None, .. }) = &keeper.running
            && let StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } = &op.command
            && let (Some(_), Some(held)) = (plan.apply, keeper.held)
            && self.random.one_in(2)
        {
            // It was under way: done at once here, a moment later at a server.
            if server {
                let delay = self.random.about(Duration::from_secs(5));
                self.after(delay, Event::LateWrite { process, fence: held.fence, record: record.clone() });
            } else {
                self.put(process, held.fence, record);
            }
        }
        let fence = keeper.running.and_then(|running| running.fence).or(keeper.held.map(|held| held.fence));
        // A dead process gives nothing back to a server; its kernel does that for it.
        if let Some(fence) = fence
            && (!server || leaving == Leaving::Orderly)
        {
            self.give_back(fence);
        }
    }

    // ---- The cell

    fn apply(&mut self, process: usize) {
        let state = &mut self.processes[process];
        let Some(running) = &mut state.keeper.running else { return };
        let (op, held) = (running.op.clone(), state.keeper.held);
        let result = match &op.command {
            StoreCommand::Read | StoreCommand::Lock { .. } => {
                let read = self.read(process);
                if let Some(running) = &mut self.processes[process].keeper.running {
                    running.read = read;
                }
                return;
            }
            StoreCommand::Write { record, .. } | StoreCommand::Clear { record, .. } => {
                held.is_none_or(|held| self.write(process, held.fence, record))
            }
            StoreCommand::Quarantine { .. } | StoreCommand::Retire { .. } => {
                held.is_none_or(|held| self.quarantine(process, held.fence))
            }
            StoreCommand::Unlock { lock } => {
                if held.is_some_and(|held| held.by == *lock) {
                    self.processes[process].keeper.held = None;
                    self.give_back(held.map_or(0, |held| held.fence));
                }
                true
            }
        };
        if let Some(running) = &mut self.processes[process].keeper.running {
            running.result = Some(if result { Ok(StoreReply::Done) } else { Err(StoreErrorKind::Lost.into()) });
        }
    }

    fn is_fenced(&self, fence: u64) -> bool {
        let ignored = [Sabotage::LockIgnored, Sabotage::LockEndsEarly].into_iter().any(|fault| self.scenario.is(fault));
        !ignored && !self.store.is_held(fence, self.now)
    }

    fn write(&mut self, process: usize, fence: u64, record: &Body) -> bool {
        if self.is_fenced(fence) {
            return false;
        }
        if !self.loses_write(record) {
            self.put(process, fence, record);
        }
        true
    }

    fn loses_write(&mut self, record: &Body) -> bool {
        let Some(sabotage) = self.scenario.sabotage else { return false };
        let facts = WrittenRecord::new(record.clone()).facts;
        match sabotage {
            Sabotage::WritesLost => self.random.one_in(4),
            Sabotage::SendsWithoutMark => facts.marked,
            Sabotage::TellsBeforeSaving => !facts.marked && self.random.one_in(2),
            Sabotage::ForgetsToClear => facts.kind == super::store::RecordKind::SignedOut,
            _ => false,
        }
    }

    pub(super) fn write_late(&mut self, process: usize, fence: u64, record: &Body) {
        if !self.is_fenced(fence) {
            // It was decided on by the process that is dead.
            let sight = &mut self.processes[process].sight;
            let (seen, sees) = (sight.version, sight.sees);
            let decided = std::mem::replace(&mut sight.decided, Decided::Blindly(Duration::ZERO));
            sight.version = self.store.version;
            self.put(process, fence, record);
            let sight = &mut self.processes[process].sight;
            (sight.version, sight.sees, sight.decided) = (seen, sees, decided);
        }
    }

    /// The cell changes, and those who watch it are told.
    fn put(&mut self, process: usize, fence: u64, body: &Body) {
        let record = WrittenRecord::new(body.clone());
        self.note(process, || format!("WRITES {:?} (fence {fence})", record.facts));
        self.observe_write(process, &record);
        self.store.put(Some(Rc::clone(&record)));
        self.processes[process].sight.version = self.store.version;
        if !self.tells_changes {
            return;
        }
        for other in 0..self.processes.len() {
            let itself = other == process && self.random.one_in(2);
            if (other == process && !itself) || self.random.one_in(8) {
                continue;
            }
            let delay = self.random.about(Duration::from_millis(300));
            let incarnation = self.processes[other].incarnation;
            self.after(delay, Event::Changed { process: other, incarnation });
        }
    }

    fn quarantine(&mut self, process: usize, fence: u64) -> bool {
        if self.is_fenced(fence) {
            return false;
        }
        self.store.put(None);
        self.processes[process].sight.version = self.store.version;
        true
    }

    // ---- Answers

    fn fail_op(&mut self, process: usize, error: StoreErrorKind) {
        if let Some(running) = &mut self.processes[process].keeper.running {
            running.waits = false;
            running.plan.error = Some(error);
            self.later(process, Duration::ZERO, Phase::Answer);
        }
    }

    fn answer_op(&mut self, process: usize) {
        let Some(running) = self.processes[process].keeper.running.take() else { return };
        let Running { op, plan, started, fence, read, result, .. } = running;
        let answer = match (plan.error, &op.command, result) {
            (Some(error), _, _) => Err(StoreError::from(error)),
            (None, StoreCommand::Read, _) => Ok(StoreReply::Read(self.shown(process, read.clone()))),
            (None, StoreCommand::Lock { .. }, _) => {
                let fence = fence.unwrap_or(0);
                self.processes[process].keeper.held = Some(Held { by: op.id, fence, since: started });
                let ends = self.store.holder.filter(|holder| holder.fence == fence).and_then(|holder| holder.ends);
                let remaining = match self.scenario.store {
                    StoreKind::Kernel => None,
                    StoreKind::Lease if self.scenario.is(Sabotage::LockEndsEarly) => match op.command {
                        StoreCommand::Lock { ttl } => Some(ttl),
                        _ => None,
                    },
                    StoreKind::Lease => Some(ends.map_or(Duration::ZERO, |ends| ends.saturating_sub(started))),
                };
                self.observe_lock(process, read.as_deref());
                Ok(StoreReply::Locked { record: self.shown(process, read.clone()), remaining })
            }
            (None, StoreCommand::Unlock { .. }, _) => Ok(StoreReply::Done),
            (None, _, Some(result)) => result,
            (None, _, None) => Err(StoreErrorKind::Lost.into()),
        };
        // Locked, but not read: given back.
        if let (Err(_), Some(fence)) = (&answer, fence) {
            self.give_back(fence);
        }
        self.report.store_failures += u64::from(answer.is_err());
        self.note(process, || format!("the store says: {:?} {}", op.id, answer_name(&answer)));
        self.observe_answer(process, &answer, read.as_deref());
        if let Ok(StoreReply::Read(_) | StoreReply::Locked { .. }) = &answer {
            self.observe_sight(process, read.map(|record| record.facts), &op);
        }
        self.tell(process, Input::Store(op.id, answer));
        self.begin_next(process);
    }
}

impl Plan {
    /// What has written does not say that it has not.
    fn honest(self, command: &StoreCommand) -> Self {
        match command {
            StoreCommand::Lock { .. } => self,
            _ => Self { apply: None, ..self },
        }
    }
}

fn act_name(command: &StoreCommand) -> String {
    match command {
        StoreCommand::Read => "read".into(),
        StoreCommand::Lock { ttl } => format!("lock for {} s", ttl.as_secs()),
        StoreCommand::Write { lock, record } => {
            format!("write under {lock:?} {:?}", WrittenRecord::new(record.clone()).facts)
        }
        StoreCommand::Clear { lock, record } => {
            format!("clear under {lock:?} {:?}", WrittenRecord::new(record.clone()).facts)
        }
        StoreCommand::Quarantine { lock } => format!("set aside under {lock:?}"),
        StoreCommand::Retire { lock } => format!("retire under {lock:?}"),
        StoreCommand::Unlock { lock } => format!("unlock {lock:?}"),
    }
}

fn answer_name(answer: &Result<StoreReply, StoreError>) -> String {
    match answer {
        Ok(StoreReply::Read(record)) => format!("read {:?}", facts(record.as_ref())),
        Ok(StoreReply::Locked { record, remaining }) => {
            format!("locked for {remaining:?}, {:?}", facts(record.as_ref()))
        }
        Ok(StoreReply::Done) => "done".into(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn facts(record: Option<&Body>) -> Option<super::store::Facts> {
    record.map(|record| WrittenRecord::new(record.clone()).facts)
}
