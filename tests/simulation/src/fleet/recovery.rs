//! All is well again: whoever can be regained is served.

use std::time::Duration;

use super::event::Event;
use super::report::FleetRule;
use super::store::RecordKind;
use super::world::World;
use perennial_core::{LeaseId, State};

/// How long it may take: what hangs comes to its end, locks run out, pauses end.
const LIMIT: Duration = Duration::from_secs(900);

/// What was sent before has ended after this.
const IN_FLIGHT: Duration = Duration::from_secs(60);

/// Callers come that often.
const CALLS: Duration = Duration::from_secs(5);

impl World {
    /// No trouble any more. First those must recover who can by themselves; then a person signs in, and all do.
    pub(super) fn recover(&mut self) {
        (self.is_well, self.store_down, self.service_down) = (true, false, false);
        let begun = self.now;
        self.after(Duration::ZERO, Event::Check);
        self.wait_for(|world| (0..world.processes.len()).find(|process| !world.is_regained(*process)));
        let nobody = !self.processes.iter().any(|process| process.sight.well);
        let all = self.processes.iter().all(|process| process.sight.well);
        if self.broken.is_none() && (!all || self.random.one_in(4)) {
            self.report.persons += u64::from(nobody);
            let person = self.random.below(self.processes.len() as u64);
            // A spent token that is still on its way would end what the person brings.
            self.run_until(self.now + IN_FLIGHT);
            self.processes.iter_mut().for_each(|process| process.sight.well = false);
            self.sign_in(usize::try_from(person).unwrap_or(0));
            self.wait_for(|world| {
                let lacks = |process: &usize| !world.processes[*process].sight.well && !world.goes_by_clocks(*process);
                (0..world.processes.len()).find(lacks)
            });
        }
        self.report.longest_recovery = self.now.saturating_sub(begun);
    }

    /// Runs until nobody is left who lacks something.
    fn wait_for(&mut self, lacking: impl Fn(&Self) -> Option<usize>) {
        let end = self.now + LIMIT;
        while self.broken.is_none() {
            let next = self.now + CALLS;
            self.run_until(next);
            let Some(process) = lacking(self) else { return };
            if self.now >= end {
                let state = self.processes[process].session.as_ref().map(perennial_core::Session::state);
                let what = format!(
                    "not well after {LIMIT:?}: {state:?}, {}, the cell says {:?}",
                    self.hope(process),
                    self.store.facts()
                );
                let rule = if self.lingers(process) { FleetRule::SignOutClears } else { FleetRule::NoneLost };
                return self.breaks(rule, process, what);
            }
        }
    }

    /// Everybody is called, and calls the service.
    pub(super) fn check_on_all(&mut self) {
        for process in 0..self.processes.len() {
            if !self.processes[process].is_frozen(self.now) {
                self.use_access(process);
                if self.random.one_in(4) {
                    self.demand(process, LeaseId::Aws);
                }
            }
        }
        self.after(CALLS, Event::Check);
    }

    pub(super) fn is_signed_out(&self, process: usize) -> bool {
        let session = self.processes[process].session.as_ref();
        session.is_some_and(|session| session.state() == State::SignedOut)
    }

    /// Whether only clocks could tell it that somebody has signed in since the sign-out that it saw: the store has
    /// forgotten that one and counts anew. The next record tells it.
    fn goes_by_clocks(&self, process: usize) -> bool {
        let seen = self.processes[process].sight.out.filter(|_| self.is_signed_out(process));
        seen.zip(self.store.facts()).is_some_and(|(seen, facts)| facts.revision <= seen.revision)
    }

    /// Whether its sign-out is not yet told to everybody.
    fn is_leaving(&self, process: usize) -> bool {
        let session = self.processes[process].session.as_ref();
        session.is_some_and(|session| session.is_signing_out() || session.unsaved().is_some())
    }

    /// Whether a process has all that it can have without a person.
    fn is_regained(&self, process: usize) -> bool {
        let state = &self.processes[process];
        if state.session.is_none() || state.is_frozen(self.now) {
            return false;
        }
        if self.is_signed_out(process) {
            return !self.lingers(process) && !self.is_leaving(process);
        }
        // A service that asked to be left alone for longer is left alone.
        if state.sight.well || state.session.as_ref().is_some_and(perennial_core::Session::is_quiet) {
            return true;
        }
        let own = state.sight.own_login.as_ref().is_some_and(|login| self.service.is_right(login));
        // A login that was answered oddly rests for hours, and says so: a person can sign in meanwhile.
        let may_show = state.session.as_ref().is_some_and(perennial_core::Session::may_show_login);
        let has_login = own && !state.sight.refused && may_show;
        let facts = self.store.facts().unwrap_or_default();
        let saved = facts.kind == RecordKind::Session && self.service.renews(facts.refresh);
        !(has_login || saved && state.sight.refused_token != facts.refresh)
    }

    /// What a process could be regained by.
    fn hope(&self, process: usize) -> String {
        let sight = &self.processes[process].sight;
        let own = sight.own_login.as_ref().is_some_and(|login| self.service.is_right(login));
        let saved = self.store.facts().is_some_and(|facts| self.service.renews(facts.refresh));
        format!("a right login: {own}, refused: {}, a token that renews: {saved}", sight.refused)
    }

    /// Whether the cell still holds what was signed out here.
    fn lingers(&self, process: usize) -> bool {
        let signed_out = self.processes[process].sight.signed_out.filter(|_| self.is_signed_out(process));
        let facts = self.store.facts().filter(|facts| facts.kind == RecordKind::Session);
        let family = facts.and_then(|facts| self.service.family(facts.access));
        signed_out.is_some() && signed_out == family
    }
}
