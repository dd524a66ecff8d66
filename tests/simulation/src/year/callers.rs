//! Who asks for credentials, and what becomes of that.

use std::time::Duration;

use super::diary::Marked;
use super::rule::YearRule;
use super::scenario::{HOUR, MINUTE};
use super::state::{Event, Wait};
use super::world::World;
use crate::fleet::service::serial_of;
use perennial_core::{Error, LeaseId};

/// No caller waits longer: a lock, a mark, two methods, and the same again for a lease that builds on it.
const LONGEST_WAIT: Duration = Duration::from_secs(250);

/// How often a caller tries again.
const MOST_TRIES: u8 = 4;

impl World<'_> {
    /// A day has its rhythm: little is wanted at night.
    pub(super) fn call_again(&mut self, caller: u8) {
        let keeps = caller < self.year.account.keepers;
        let hour = self.now.as_secs() / 3600 % 24;
        let delay = match (keeps, hour) {
            (true, 7..23) => self.random.between(13 * MINUTE, 17 * MINUTE),
            (true, _) => self.random.between(50 * MINUTE, 70 * MINUTE),
            (false, 7..20) => self.random.between(MINUTE, 6 * HOUR),
            (false, _) => self.random.between(8 * HOUR, 12 * HOUR),
        };
        self.after(delay, Event::Call { caller });
    }

    pub(super) fn call(&mut self, caller: u8) {
        self.call_again(caller);
        self.ask(caller, 0, LeaseId::Access);
        if caller % 2 == 1 {
            self.ask(caller, 0, LeaseId::Aws);
        }
    }

    pub(super) fn insist(&mut self, caller: u8, tries: u8, lease_id: LeaseId) {
        self.insisting = self.insisting.saturating_sub(1);
        self.ask(caller, tries, lease_id);
    }

    fn ask(&mut self, caller: u8, tries: u8, lease_id: LeaseId) {
        // A caller is part of the process.
        if self.session.is_none() || self.is_frozen() {
            return;
        }
        self.report.asked += 1;
        self.check_before_asking(lease_id);
        let now = self.told_now();
        let told = self.session.as_ref().map_or(0, |session| session.failures(lease_id).0);
        if self.served(lease_id, now).is_some() {
            // An on-demand session is told all the same.
            if self.year.account.is_on_demand() {
                self.command(|session, now| session.demand(lease_id, now));
            }
            return self.use_it(caller, tries, lease_id);
        }
        self.note(|| format!("caller {caller} wants the {lease_id}"));
        let since = self.now;
        self.waits.push(Wait { since, lease_id, told, caller, tries });
        self.command(|session, now| session.demand(lease_id, now));
    }

    /// Calls the service, which knows what is good.
    fn use_it(&mut self, caller: u8, tries: u8, lease_id: LeaseId) {
        let now = self.told_now();
        let Some(held) = self.served(lease_id, now) else { return };
        let (generation, serial) = (held.generation(lease_id), serial_of(held.access().expose()));
        self.check_deadline(lease_id);
        let refused = match lease_id {
            LeaseId::Access => !self.service.takes(serial, self.now),
            LeaseId::Aws => std::mem::take(&mut self.aws_refused),
        };
        if !refused {
            return;
        }
        self.note(|| format!("the service refuses the {lease_id} of caller {caller}"));
        self.disturb(Duration::ZERO);
        self.sight.commanded = true;
        self.command(|session, now| session.rejected(lease_id, generation, now));
        if tries < MOST_TRIES && self.session.is_some() {
            let (told, since) = (self.session.as_ref().map_or(0, |session| session.failures(lease_id).0), self.now);
            self.waits.push(Wait { since, lease_id, told, caller, tries: tries + 1 });
            self.command(|session, now| session.demand(lease_id, now));
        }
    }

    /// Serves and tells those who wait.
    pub(super) fn look_at_waits(&mut self) {
        let mut index = 0;
        while let Some(wait) = self.waits.get(index).copied() {
            let Some(session) = &self.session else { return };
            let (told, error) = session.failures(wait.lease_id);
            let served = self.served(wait.lease_id, self.told_now()).is_some();
            let waited = self.now.saturating_sub(wait.since);
            let error = if told != wait.told { error.cloned() } else { session.obstacle(wait.lease_id) };
            if waited > LONGEST_WAIT {
                self.breaks(YearRule::WaitsEnd, format!("{}: a caller waits for {waited:?}", wait.lease_id));
            }
            if !served && error.is_none() {
                index += 1;
                continue;
            }
            self.waits.remove(index);
            self.report.longest_wait = self.report.longest_wait.max(waited);
            if served && waited == Duration::ZERO {
                continue;
            }
            self.check_quiet(wait.lease_id, waited);
            if served {
                self.report.waited += 1;
                self.mark(Marked::Waited);
            } else {
                self.report.errors += 1;
                self.mark(Marked::Failed);
                self.try_again(wait, error.as_ref());
            }
        }
    }

    fn try_again(&mut self, wait: Wait, error: Option<&Error>) {
        if wait.tries >= MOST_TRIES {
            return;
        }
        let told = error.and_then(Error::retry_at).map(|at| at.since(self.told_now().wall));
        let told = told.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        let keeps = wait.caller < self.year.account.keepers;
        let least = if keeps { MINUTE } else { Duration::from_secs(5) };
        let Wait { caller, tries, lease_id, .. } = wait;
        self.insisting += 1;
        self.after(told.max(least), Event::Insist { caller, tries: tries + 1, lease_id });
    }
}
