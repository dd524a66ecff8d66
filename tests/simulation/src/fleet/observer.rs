//! The rules: what one sees who knows the service and the cell as they are.

use std::time::Duration;

use super::process::{Flight, Wait, Window};
use super::report::FleetRule;
use super::request::{End, Excuse, Sent};
use super::scenario::Sabotage;
use super::service::{Serial, serial_of};
use super::store::{RecordKind, WrittenRecord};
use super::views::Forgotten;
use super::world::World;
use perennial_core::session::SAVE_GRACE;
use perennial_core::store::{StoreError, StoreReply};
use perennial_core::{Credentials, Event, LeaseId, State};
use perennial_testing::Asked;

/// No caller waits longer: a lock, a mark, two methods with two requests each, and another lock.
const LONGEST_WAIT: Duration = Duration::from_secs(400);

/// The minutes in which work is counted.
const WINDOW: Duration = Duration::from_secs(600);

/// The most requests of one process in that time.
const MOST_REQUESTS: u64 = 150;

/// The most operations of one process on the store in that time.
const MOST_OPS: u64 = 800;

impl World {
    // ---- Requests

    pub(super) fn observe_send(&mut self, process: usize, index: usize) {
        let Some(flight) = self.processes[process].flight else { return };
        if !flight.renews || flight.orphaned {
            return;
        }
        for other in 0..self.processes.len() {
            let state = &self.processes[other];
            let Some(theirs) = state.flight.filter(|theirs| other != process && theirs.renews && !theirs.orphaned)
            else {
                continue;
            };
            if theirs.halted || flight.halted {
                self.report.overlaps += 1;
            } else {
                let what = format!("a renewal while one of process {other} is in flight");
                self.breaks(FleetRule::OneRenewal, process, what);
            }
        }
        if index == flight.first {
            self.check_quiet(process);
        }
        if !self.holds_lock(process) && !flight.halted && self.should_know(process) {
            self.breaks(FleetRule::OneRenewal, process, "a request without the lock");
        }
        let token = self.requests[index].token;
        if token > 0 {
            self.check_mark(process, token);
            let excuse = self.excuse(process, index);
            self.requests[index].excuse = excuse;
            self.views.sends.entry(token).or_default().push(index);
        }
    }

    fn holds_lock(&self, process: usize) -> bool {
        let held = self.processes[process].keeper.held;
        held.is_some_and(|held| self.store.is_held(held.fence, self.now))
    }

    /// Whether one of its clocks has told how long it is since it asked for the lock.
    fn should_know(&self, process: usize) -> bool {
        let state = &self.processes[process];
        let Some(asked) = state.sight.asked_lock else { return true };
        let (now, truth) = (state.now(self.now), self.now.saturating_sub(asked.truth));
        let wall = Duration::try_from(now.wall.since(asked.now.wall)).unwrap_or_default();
        let told = wall.max(now.monotonic.saturating_sub(asked.now.monotonic));
        told + Duration::from_millis(100) >= truth
    }

    fn forgot_under_lock(&self, process: usize) -> bool {
        let state = &self.processes[process];
        let asked = state.sight.asked_lock.map_or(Duration::ZERO, |asked| asked.truth);
        let since = state.keeper.held.map_or(asked, |held| held.since);
        self.views.forgotten.is_some_and(|forgotten| forgotten.at >= since)
    }

    fn check_mark(&mut self, process: usize, token: Serial) {
        let facts = self.store.facts().unwrap_or_default();
        let marked = facts.marked && facts.refresh == token;
        if !marked && !self.forgot_under_lock(process) && self.should_know(process) {
            self.breaks(FleetRule::MarkThenSend, process, format!("sends {token}, and the cell says {facts:?}"));
        }
    }

    /// Why this token may be sent, if it was sent before.
    fn excuse(&mut self, process: usize, index: usize) -> Option<Excuse> {
        let Sent { token, had_login, .. } = self.requests[index];
        if self.processes[process].sight.mark_found == token && had_login {
            let what = format!("sends {token}, whose mark it has seen, and has a login");
            self.breaks(FleetRule::NoReuse, process, what);
        }
        let spent = self.views.spent.get(&token).copied();
        // What was certainly not processed, or refused for another reason than its use, was not spent by that.
        let may_have_spent = |earlier: &usize| match self.requests[*earlier].end {
            End::Unprocessed => false,
            End::Refused => spent == Some(*earlier),
            _ => true,
        };
        let earlier = self.views.sends.get(&token).into_iter().flatten().copied();
        let earlier: Vec<usize> = earlier.filter(may_have_spent).collect();
        if earlier.is_empty() {
            return None;
        }
        self.report.repeats += 1;
        if self.views.forgotten.is_some_and(|forgotten| token <= forgotten.newest) {
            return Some(Excuse::Forgotten);
        }
        for earlier in earlier {
            let Sent { end, process: first, .. } = self.requests[earlier];
            let written = match end {
                End::Granted(serial) => self.views.written.contains_key(&serial),
                _ => false,
            };
            let halted = self.processes[first].flight.is_some_and(|flight| flight.first == earlier && flight.halted);
            let what = match end {
                _ if had_login => "and has a login",
                End::Open if !halted => "which is still in flight",
                End::Granted(_) if written => "whose successor was saved",
                _ => continue,
            };
            self.breaks(FleetRule::NoReuse, process, format!("sends {token} again, {what}"));
        }
        Some(Excuse::Lost)
    }

    /// The service saw a refresh token for the first time.
    pub(super) fn observe_spent(&mut self, index: usize) {
        let token = self.requests[index].token;
        if token > 0 {
            self.views.spent.entry(token).or_insert(index);
        }
    }

    pub(super) fn observe_reuse(&mut self, index: usize) {
        let token = self.requests[index].token;
        let later = self.views.spent.get(&token).map_or(index, |spent| index.max(*spent));
        self.report.reuses += 1;
        match self.requests[later].excuse {
            Some(Excuse::Forgotten) => self.report.reuses_forgotten += 1,
            Some(Excuse::Lost) => {}
            None => {
                let process = self.requests[later].process;
                self.breaks(FleetRule::NoReuse, process, format!("the service sees {token} for the second time"));
            }
        }
    }

    /// A process learns how its exchange ended.
    pub(super) fn observe_end(&mut self, process: usize, flight: Flight, end: End) {
        let signs_in = matches!(self.requests[flight.first].asked, Asked::SignIn { .. });
        let state = &mut self.processes[process];
        match end {
            End::Granted(serial) => {
                (state.sight.granted, state.sight.granted_at) = (serial, state.clock.read(self.now).monotonic);
            }
            // Nobody listens to what an attempt from before a sign-out brings.
            End::Refused if flight.orphaned => {}
            End::Refused if signs_in => {
                state.sight.refused = true;
                self.observe_refused_login(process);
            }
            End::Refused if matches!(self.requests[flight.first].asked, Asked::Refresh { .. }) => {
                state.sight.refused_token = self.requests[flight.first].token;
            }
            _ => {}
        }
    }

    // ---- The cell

    pub(super) fn forgot(&mut self) {
        self.report.forgotten += 1;
        self.views.forgotten = Some(Forgotten { at: self.now, newest: self.service.newest() });
        self.views.cleared.clear();
        self.processes.iter_mut().for_each(|process| process.sight.signed_out = None);
    }

    /// Whether the store has ever forgotten: nobody can know then what was signed out.
    pub(super) fn has_forgotten(&self) -> bool {
        self.views.forgotten.is_some()
    }

    pub(super) fn observe_lock(&mut self, process: usize, read: Option<&WrittenRecord>) {
        let facts = read.map(|record| record.facts).unwrap_or_default();
        self.processes[process].sight.mark_found = if facts.marked { facts.refresh } else { 0 };
    }

    /// An answer of the store is about to reach the process.
    pub(super) fn observe_answer(
        &mut self,
        process: usize,
        answer: &Result<StoreReply, StoreError>,
        read: Option<&WrittenRecord>,
    ) {
        let sight = &mut self.processes[process].sight;
        if let Ok(StoreReply::Read(body) | StoreReply::Locked { record: body, .. }) = answer {
            sight.version = sight.version_read;
            sight.read = read.map(|record| record.facts);
            let whole = read.map(|record| record.body.as_ref()) == body.as_ref().map(AsRef::as_ref);
            let sabotaged = self.scenario.sabotage.is_some_and(|fault| fault != Sabotage::TornReads);
            if !whole && !sabotaged {
                self.breaks(FleetRule::NoTornCell, process, "reads what nobody has written");
            }
        }
    }

    /// A record is about to be written.
    pub(super) fn observe_write(&mut self, process: usize, record: &WrittenRecord) {
        let (new, old) = (record.facts, self.store.facts().unwrap_or_default());
        let scripted = self.forgot_under_lock(process);
        let forgotten = self.views.forgotten.is_some_and(|forgotten| new.access <= forgotten.newest);
        let sight = &self.processes[process].sight;
        let unseen = sight.version != self.store.version;
        // What a person brings here counts more than what others have found meanwhile.
        let then = sight.asked.and_then(|asked| asked.brings_after);
        let brought = [sight.brings_after, then].into_iter().flatten().any(|newest| new.access > newest);
        self.observe_told_quiet(process);
        self.observe_decision(process, new, old);
        if new.kind == RecordKind::Garbage {
            self.breaks(FleetRule::NoTornCell, process, "writes what nobody can read");
        }
        if unseen && !scripted {
            self.breaks(FleetRule::NoStaleCell, process, format!("writes {new:?} over {old:?}, which it has not seen"));
        }
        if new.revision < old.revision && !scripted {
            self.breaks(FleetRule::NoStaleCell, process, format!("the revision goes down: {old:?}, {new:?}"));
        }
        let both = new.kind == RecordKind::Session && old.kind == RecordKind::Session;
        if both && new.access < old.access && !brought && !forgotten {
            self.breaks(FleetRule::NoStaleCell, process, format!("writes {new:?} over the newer {old:?}"));
        }
        let sight = &mut self.processes[process].sight;
        sight.saved = [new.access, new.aws];
        sight.brings_after.take_if(|newest| new.access > *newest);
        match new.kind {
            RecordKind::Session => {
                self.views.written.entry(new.refresh).or_insert(self.now);
                let family = self.service.family(new.access);
                if family.is_some_and(|family| self.views.cleared.contains(&family)) && !forgotten {
                    self.breaks(FleetRule::SignOutClears, process, format!("{new:?} was signed out"));
                }
            }
            RecordKind::SignedOut => self.views.cleared.extend(self.service.family(old.access)),
            RecordKind::NeverSignedIn | RecordKind::Garbage => {}
        }
    }

    pub(super) fn observe_sign_out(&mut self, process: usize) {
        let state = &self.processes[process];
        let held = state.session.as_ref().and_then(|session| session.held()).map(|held| access_of(held));
        let family = held.and_then(|serial| self.service.family(serial));
        // In a store that has ever forgotten it may be an old state that was signed out: whoever holds a newer one
        // puts that back.
        self.processes[process].sight.signed_out = family.filter(|_| !self.has_forgotten());
    }

    // ---- Sessions

    pub(super) fn observe_event(&mut self, process: usize, event: &Event) {
        self.note(process, || format!("says: {event}"));
        self.observe_signed_out(process, event);
        let Event::Renewed { lease_id, method, generation, .. } = event else { return };
        if method.is_none() {
            self.report.adoptions += 1;
            return;
        }
        let state = &self.processes[process];
        let Some(held) = state.session.as_ref().and_then(|session| session.held()) else { return };
        if held.generation(*lease_id) != *generation {
            return;
        }
        let serial = serial_for(held, *lease_id);
        let since = state.now(self.now).monotonic.saturating_sub(state.sight.granted_at);
        if state.sight.saved[*lease_id as usize] == serial {
            return;
        }
        self.report.unsaved += 1;
        // Who signs in meanwhile is told at once: it must not be lost.
        if since < SAVE_GRACE && !state.sight.commanded {
            self.breaks(FleetRule::SaveThenTell, process, format!("announces {serial} after {since:?}, unsaved"));
        }
    }

    /// Looks at a session after it was told something.
    pub(super) fn look_at(&mut self, process: usize) {
        let now = self.processes[process].now(self.now);
        for lease_id in LeaseId::ALL {
            let busy = self.processes[process].keeper.running.is_some() && self.scenario.is(Sabotage::WaitsForStore);
            let served = self.processes[process].serves(lease_id, self.now).filter(|_| !busy);
            let state = &mut self.processes[process];
            let before = state.sight.served[lease_id as usize].take();
            state.sight.served[lease_id as usize].clone_from(&served);
            let commanded = state.sight.commanded;
            let held = state.session.as_ref().and_then(|session| session.held());
            let (same, gone) = match (&before, held) {
                (Some(before), Some(held)) => (serial_for(before, lease_id) == serial_for(held, lease_id), false),
                (_, held) => (false, held.is_none()),
            };
            let read = state.sight.read.unwrap_or_default();
            let valid = before
                .as_ref()
                .and_then(|before| before.validity(lease_id))
                .is_some_and(|validity| !validity.is_expired(now));
            // Where somebody has tried to sign in again since, the record tells of that.
            let nobody = matches!(read.kind, RecordKind::SignedOut | RecordKind::NeverSignedIn);
            // Or nothing does, in a store that has forgotten: the sign-out that was seen before stands.
            let is_out = state.session.as_ref().is_some_and(|session| session.state() == State::SignedOut);
            let signed_out_elsewhere = gone && (nobody || is_out && state.sight.out.is_some());
            if valid && served.is_none() && !commanded && (same || gone) && !signed_out_elsewhere {
                self.breaks(FleetRule::ValidNeverWait, process, format!("valid {lease_id} are not served any more"));
            }
            if let Some(served) = served.filter(|_| lease_id == LeaseId::Access) {
                let serial = access_of(&served);
                self.processes[process].sight.well |= self.is_well && self.service.takes(serial, self.now);
                self.check_age(process, serial);
            }
            self.look_at_wait(process, lease_id);
        }
        self.look_at_standing(process);
        self.processes[process].sight.commanded = false;
    }

    fn check_age(&mut self, process: usize, serial: Serial) {
        let sight = &mut self.processes[process].sight;
        if std::mem::replace(&mut sight.last_served, serial) == serial {
            return;
        }
        let newest = sight.newest_served;
        let read = sight.read.unwrap_or_default();
        sight.newest_served = newest.max(serial);
        if serial < newest && serial != read.access && sight.brings_after.is_none_or(|newest| serial <= newest) {
            self.breaks(FleetRule::NoStaleService, process, format!("serves {serial} after {newest}"));
        }
    }

    // ---- Waits and work

    pub(super) fn begin_wait(&mut self, process: usize, lease_id: LeaseId) {
        let served = self.processes[process].serves(lease_id, self.now).is_some();
        let since = self.now;
        let state = &mut self.processes[process];
        let Some(session) = &state.session else { return };
        let told = session.failures(lease_id).0;
        let wait = &mut state.sight.waits[lease_id as usize];
        if !served && wait.is_none() {
            *wait = Some(Wait { since, told });
        }
    }

    fn look_at_wait(&mut self, process: usize, lease_id: LeaseId) {
        let state = &mut self.processes[process];
        let Some(session) = &state.session else { return };
        let Some(wait) = state.sight.waits[lease_id as usize] else { return };
        let served = session.credentials(lease_id, state.clock.read(self.now)).is_some();
        let told = session.failures(lease_id).0 != wait.told || session.obstacle(lease_id).is_some();
        let waited = self.now.saturating_sub(wait.since);
        if served || told {
            state.sight.waits[lease_id as usize] = None;
        }
        self.report.longest_wait = self.report.longest_wait.max(waited);
        if waited > LONGEST_WAIT {
            self.breaks(FleetRule::WaitsEnd, process, format!("{lease_id}: a caller waits for {waited:?}"));
        }
    }

    pub(super) fn count_op(&mut self, process: usize) {
        let window = self.window(process);
        window.ops += 1;
        let ops = window.ops;
        self.report.busiest_store = self.report.busiest_store.max(ops);
        if ops > MOST_OPS {
            self.breaks(FleetRule::BoundedWork, process, format!("{ops} operations on the store in {WINDOW:?}"));
        }
    }

    pub(super) fn count_request(&mut self, process: usize) {
        let window = self.window(process);
        window.requests += 1;
        let requests = window.requests;
        self.report.busiest = self.report.busiest.max(requests);
        if requests > MOST_REQUESTS {
            self.breaks(FleetRule::BoundedWork, process, format!("{requests} requests in {WINDOW:?}"));
        }
    }

    fn window(&mut self, process: usize) -> &mut Window {
        let number = self.now.as_secs() / WINDOW.as_secs();
        let window = &mut self.processes[process].sight.window;
        if window.number != number {
            *window = Window { number, ..Window::default() };
        }
        window
    }
}

pub(super) fn access_of(held: &Credentials) -> Serial {
    serial_of(held.access().expose())
}

fn serial_for(held: &Credentials, lease_id: LeaseId) -> Serial {
    match lease_id {
        LeaseId::Access => access_of(held),
        LeaseId::Aws => held.aws().map_or(0, |aws| serial_of(aws.session_token().expose())),
    }
}
