//! What the model makes of programs that end: those that close their session, and those that come for one token.

use super::{Model, Told, View, is_reusable};
use crate::Need;
use crate::session::{MAX_BACKOFF_ASKED, Renewal};
use crate::testing::rule::Rule;
use crate::testing::toy::ToyRung;

impl Model {
    /// The program is about to end: what spends nothing is given up.
    pub(super) fn close(&mut self) {
        self.closed = true;
        let reusable = is_reusable(&self.policy);
        if let Some(flight) = &mut self.flight {
            let spends = flight.attempt.is_some_and(|attempt| attempt.rung == ToyRung::Refresh && !reusable);
            flight.dropped |= flight.attempt.is_some() && !flight.orphan && !spends;
        }
    }

    /// Whoever asks waits until he is served or told.
    pub(super) fn note_who_waits(&mut self, told: &Told) {
        match told {
            Told::Demand(need) | Told::Renew(need) => {
                self.lease(*need).waited = true;
                // Through the access token, where there is none.
                self.lease(Need::Access).waited |= !self.is_servable(Need::Access);
            }
            Told::SignIn(_) | Told::SignInAgain { begun: true } => self.lease(Need::Access).waited = true,
            _ => {}
        }
    }

    pub(super) fn check_attempt_is_waited_for(&mut self, need: Need) {
        if self.closed {
            self.breaks(Rule::ProgramsEnd, format!("{need}: an attempt after the end"));
        }
        let waited = self.leases.each_ref().map(|lease| lease.waited);
        let through_access = need == Need::Access && waited[Need::Aws.index()];
        if self.policy.renewal == Renewal::OneShot && !waited[need.index()] && !through_access {
            self.breaks(Rule::ProgramsEnd, format!("{need}: an attempt that nobody waits for"));
        }
    }

    pub(super) fn check_end(&mut self, view: &View) {
        let soon = self.now.monotonic.saturating_add(MAX_BACKOFF_ASKED);
        for need in Need::ALL {
            let first = view.renews_first[need.index()];
            if first && (self.policy.renewal != Renewal::OneShot || view.served[need.index()].is_none()) {
                self.breaks(Rule::ProgramsEnd, format!("{need}: whoever asks had better wait, and need not"));
            } else if first && self.flight.is_none() && view.wake.is_none_or(|wake| wake.at > soon) {
                self.breaks(Rule::ProgramsEnd, format!("{need}: callers wait for nothing"));
            }
            let served = view.served[need.index()].is_some() && !first;
            let told = view.told[need.index()] != self.told[need.index()];
            let hindered = view.obstacles[need.index()].is_some();
            let one_shot = self.policy.renewal == Renewal::OneShot;
            let lease = self.lease(need);
            lease.waited &= !(served || told || hindered);
            // Nobody stays for the end of a pause.
            lease.asked &= !(one_shot && hindered);
        }
        if !self.closed || !view.is_finished {
            return;
        }
        let out = self.flight.as_ref().is_some_and(|flight| flight.attempt.is_some() && !flight.orphan);
        if out {
            self.breaks(Rule::ProgramsEnd, "may end, and a one-use token is out");
        }
        if self.store.as_ref().is_some_and(super::store::StoreSide::is_at_work) {
            self.breaks(Rule::ProgramsEnd, "may end, and what it got is not saved, or the store is locked");
        }
    }
}
