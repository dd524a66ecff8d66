//! What people and chance do to a fleet.

use std::rc::Rc;
use std::time::Duration;

use super::event::Event;
use super::process::Clock;
use super::scenario::{Level, Sabotage};
use super::service::USER;
use super::store::{RecordKind, WrittenRecord};
use super::world::World;
use perennial_core::store::{OpId, StoreReply};
use perennial_core::store::{Record, RecordState};
use perennial_core::wire::Body;
use perennial_core::{Account, Credentials, Grant, Input, LeaseId, Policy, Provider};
use perennial_testing::Toy;

impl World {
    /// Makes the fleet of the scenario.
    pub(super) fn begin(&mut self) {
        let logins = self.random.below(4);
        for _ in 0..self.scenario.processes {
            let policy = self.some_policy();
            let has_login = match logins {
                0 => false,
                1 => self.random.one_in(2),
                _ => !self.random.one_in(8),
            };
            let login = has_login.then(|| self.service.login());
            let clock = self.some_clock();
            self.add_process(policy, login, clock);
        }
        let nobody = self.processes.iter().all(|process| process.login.is_none());
        if nobody || self.random.one_in(3) {
            let record = self.first_record();
            self.store.put(Some(record));
        }
        for process in 0..self.processes.len() {
            let delay = self.random.about(Duration::from_secs(1));
            self.after(delay, Event::Restart { process });
            let delay = self.some_pause();
            self.after(delay, Event::Act { process });
        }
        if self.scenario.store_trouble != Level::Never {
            self.after(Duration::from_secs(60), Event::StoreWeather);
        }
        if self.scenario.service_trouble != Level::Never {
            self.after(Duration::from_secs(60), Event::ServiceWeather);
        }
        if self.scenario.forgetting != Level::Never {
            self.after(Duration::from_secs(100), Event::Forget);
        }
    }

    fn some_policy(&mut self) -> Policy {
        let mut policy = Policy::default();
        if self.random.one_in(4) {
            policy = policy.on_demand();
        } else if self.random.one_in(6) {
            policy = policy.one_shot();
        }
        if self.random.one_in(4) {
            policy = policy.margin(Duration::from_secs(2 + self.random.below(20)));
        }
        if self.random.one_in(4) {
            policy = policy.request_timeout(Duration::from_secs(5));
        }
        if self.random.one_in(3) {
            policy = policy.persist_login();
        }
        policy
    }

    fn some_clock(&mut self) -> Clock {
        let seconds = match (self.scenario.clock_trouble, self.random.below(8)) {
            (Level::Never, _) | (_, 0..4) => 2,
            (Level::Rare, _) | (Level::Often, 4..7) => 90,
            (Level::Often, _) => 3 * 3600,
        };
        Clock { wall_ahead: self.some_offset(seconds), stopped: Duration::ZERO }
    }

    fn some_offset(&mut self, seconds: u64) -> i64 {
        let width = i64::try_from(seconds * 1000).unwrap_or(0);
        i64::try_from(self.random.below(seconds * 2000)).unwrap_or(0) - width
    }

    fn first_record(&mut self) -> Rc<WrittenRecord> {
        let now = Clock::default().read(self.now);
        let answer = self.service.grant_to_person(self.now);
        let body = answer.grant(now).ok().and_then(|grant| Credentials::from_grant(grant, None)).map(|credentials| {
            let state = RecordState::SignedIn(Box::new(credentials));
            Record::new(Toy.name(), &Toy.namespace(), state).with_revision(1).to_body()
        });
        WrittenRecord::new(body.unwrap_or_default())
    }

    fn some_pause(&mut self) -> Duration {
        let lifetime = self.scenario.lifetime.access();
        let mean = (lifetime / 3).clamp(Duration::from_secs(8), Duration::from_secs(400));
        self.random.about(mean)
    }

    /// Somebody does something.
    pub(super) fn act(&mut self, process: usize) {
        if self.is_well {
            return;
        }
        let pause = self.some_pause();
        self.after(pause, Event::Act { process });
        if self.processes[process].session.is_none() {
            return;
        }
        let (crashes, clocks) = (self.scenario.crashes, self.scenario.clock_trouble);
        let people = self.scenario.people;
        match self.random.below(1000) {
            roll if roll < crashes.share(8, 40) => self.crash(process),
            roll if (100..100 + crashes.share(5, 20)).contains(&roll) => self.change_driver(process),
            roll if (200..200 + clocks.share(15, 60)).contains(&roll) => self.halt(process),
            roll if (300..300 + clocks.share(10, 40)).contains(&roll) => self.turn_clock(process),
            roll if (400..400 + people.share(8, 30)).contains(&roll) => self.sign_out(process),
            roll if (500..500 + people.share(8, 30)).contains(&roll) => self.sign_in(process),
            roll if (600..600 + people.share(3, 12)).contains(&roll) => self.accept(process),
            roll if (700..700 + people.share(3, 12)).contains(&roll) => self.forget_login(process),
            roll if (800..800 + people.share(2, 8)).contains(&roll) => self.change_password(process),
            roll if (900..900 + crashes.share(8, 40)).contains(&roll) => self.close(process),
            roll if (950..950 + people.share(8, 30)).contains(&roll) => self.sign_in_again(process),
            _ => self.call(process),
        }
    }

    // ---- Callers

    fn call(&mut self, process: usize) {
        match self.random.below(20) {
            0..9 => self.demand(process, LeaseId::Access),
            9..12 => self.demand(process, LeaseId::Aws),
            12..17 => self.use_access(process),
            17 => {
                self.note(process, || "renew".into());
                self.command(process, |session, now| session.renew(LeaseId::Access, now));
            }
            18 => self.tell(process, Input::Wake),
            _ => {
                // An answer to nothing.
                let id = OpId(u64::MAX - self.random.below(20));
                self.tell(process, Input::Store(id, Ok(StoreReply::Done)));
            }
        }
    }

    pub(super) fn demand(&mut self, process: usize, lease_id: LeaseId) {
        self.note(process, || format!("demand {lease_id:?}"));
        self.begin_wait(process, lease_id);
        self.command(process, |session, now| session.demand(lease_id, now));
    }

    /// Calls the service's API: it knows which tokens are good.
    pub(super) fn use_access(&mut self, process: usize) {
        let Some(held) = self.processes[process].serves(LeaseId::Access, self.now) else {
            return self.demand(process, LeaseId::Access);
        };
        let serial = super::service::serial_of(held.access().expose());
        if self.service.takes(serial, self.now) {
            return;
        }
        self.note(process, || format!("the API refuses {serial}"));
        self.processes[process].sight.commanded = true;
        let generation = held.generation(LeaseId::Access);
        self.command(process, |session, now| session.rejected(LeaseId::Access, generation, now));
        self.demand(process, LeaseId::Access);
    }

    // ---- People

    pub(super) fn sign_in(&mut self, process: usize) {
        let right = self.is_well || !self.random.one_in(4);
        let login = if right { self.service.login() } else { self.service.wrong_login() };
        self.note(process, || format!("SIGN IN, {}", if right { "right" } else { "wrong" }));
        if right {
            self.processes[process].login = Some(login.clone());
        }
        let newest = self.service.newest();
        self.decide(process, newest);
        let sight = &mut self.processes[process].sight;
        (sight.refused, sight.own_login) = (false, Some(login.clone()));
        self.command(process, |session, now| session.sign_in(login, now));
    }

    fn accept(&mut self, process: usize) {
        let answer = self.service.grant_to_person(self.now);
        self.note(process, || format!("ACCEPT {:?}", answer.access));
        let now = self.processes[process].now(self.now);
        let Ok(grant) = answer.grant(now) else { return };
        let grant = Grant { account: Some(Account::new(USER)), ..grant };
        self.decide(process, self.service.newest().saturating_sub(1));
        let newest = self.service.newest();
        let sight = &mut self.processes[process].sight;
        (sight.granted, sight.granted_at) = (newest, now.monotonic);
        self.command(process, |session, now| drop(session.install_grant(grant, now)));
    }

    fn forget_login(&mut self, process: usize) {
        self.note(process, || "forget the login".into());
        self.processes[process].login = None;
        self.processes[process].sight.own_login = None;
        self.command(process, perennial_core::Session::forget_login);
    }

    fn change_password(&mut self, process: usize) {
        self.note(process, || "a new password".into());
        self.service.change_password();
        if self.random.one_in(2) {
            self.sign_in(process);
        }
    }

    // ---- Clocks

    fn halt(&mut self, process: usize) {
        self.report.halts += 1;
        let length = self.random.about(Duration::from_secs(45));
        let until = self.now + length;
        let state = &mut self.processes[process];
        state.frozen_until = Some(until);
        if let Some(flight) = &mut state.flight {
            flight.halted = true;
        }
        // Nobody is to blame for that time.
        for wait in state.sight.waits.iter_mut().flatten() {
            wait.since += length;
        }
        let suspended = self.random.one_in(2);
        if suspended {
            self.processes[process].clock.stopped += length;
        }
        self.note(process, || format!("halts for {length:?}{}", if suspended { ", its clock too" } else { "" }));
        self.at(until, Event::Thaw);
    }

    fn turn_clock(&mut self, process: usize) {
        let seconds = if self.random.one_in(5) { 4000 } else { 60 };
        let by = self.some_offset(seconds);
        self.note(process, || format!("its clock is turned by {by} ms"));
        self.processes[process].clock.wall_ahead += by;
    }

    // ---- Store and service

    pub(super) fn change_store_weather(&mut self) {
        self.store_down = !self.store_down && !self.is_well;
        let down = self.store_down;
        self.note(99, || format!("the store is {}", if down { "down" } else { "up" }));
        let mean = if down { 20 } else { 400 };
        let pause = self.random.about(Duration::from_secs(mean));
        self.after(pause, Event::StoreWeather);
    }

    pub(super) fn change_service_weather(&mut self) {
        self.service_down = !self.service_down && !self.is_well;
        let down = self.service_down;
        self.note(99, || format!("the service is {}", if down { "down" } else { "up" }));
        let mean = if down { 30 } else { 400 };
        let pause = self.random.about(Duration::from_secs(mean));
        self.after(pause, Event::ServiceWeather);
    }

    /// The cell is emptied, damaged, or set back.
    pub(super) fn forget(&mut self) {
        if self.is_well {
            return;
        }
        match self.random.below(6) {
            0..3 => self.store.backup = Some(self.store.record.clone()),
            3 | 4 => {
                if let Some(old) = self.store.backup.clone() {
                    self.note(99, || format!("THE STORE GOES BACK to {:?}", old.as_ref().map(|old| old.facts)));
                    self.forgot();
                    self.store.put(old);
                }
            }
            _ => {
                let damaged = self.random.one_in(2);
                self.note(99, || format!("THE STORE IS {}", if damaged { "DAMAGED" } else { "EMPTIED" }));
                self.forgot();
                let record = damaged.then(|| WrittenRecord::new(Body::from(b"{\"perennial".to_vec())));
                self.store.put(record);
            }
        }
        let pause = self.random.about(Duration::from_secs(match self.scenario.forgetting {
            Level::Often => 150,
            _ => 500,
        }));
        self.after(pause, Event::Forget);
    }

    /// What a process is shown of a record: as it is, but for sabotage.
    pub(super) fn shown(&mut self, process: usize, read: Option<Rc<WrittenRecord>>) -> Option<Body> {
        let first = self.processes[process].sight.first_read.get_or_insert_with(|| read.clone()).clone();
        let record = if self.scenario.is(Sabotage::IgnoresNewer) { first } else { read };
        let body = record.as_ref()?.body.clone();
        match self.scenario.sabotage {
            Some(Sabotage::TornReads) if self.random.one_in(4) => {
                let bytes = body.as_ref();
                Some(Body::from(bytes[..bytes.len() / 2].to_vec()))
            }
            Some(Sabotage::IgnoresMarks) if record.as_ref()?.facts.marked => {
                let text = String::from_utf8_lossy(body.as_ref()).replace("refresh_sent_at", "refresh_forgot");
                Some(Body::from(text.into_bytes()))
            }
            Some(Sabotage::IgnoresFailures) => {
                let text = String::from_utf8_lossy(body.as_ref()).replace("\"failures\"", "\"forgot\"");
                Some(Body::from(text.into_bytes()))
            }
            Some(Sabotage::IgnoresSignOuts) if record.as_ref()?.facts.kind == RecordKind::SignedOut => None,
            _ => Some(body),
        }
    }

    /// Reads the cell, and remembers who has seen what.
    pub(super) fn read(&mut self, process: usize) -> Option<Rc<WrittenRecord>> {
        let read = self.store.record.clone();
        self.processes[process].sight.version_read = self.store.version;
        read
    }
}
