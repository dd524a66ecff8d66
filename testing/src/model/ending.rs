//! What the model makes of programs that end: those that close their session, and those that come for one token.

use super::state::StoreSide;
use super::{Model, Told, View, is_reusable};
use crate::rule::Rule;
use crate::toy::ToyMethod;
use perennial_core::LeaseId;
use perennial_core::session::{MAX_BACKOFF_FOREGROUND, RefreshMode};

impl Model {
    /// The program is about to end: what spends nothing is given up.
    pub(super) fn close(&mut self) {
        self.closed = true;
        let reusable = is_reusable(&self.policy);
        if let Some(flight) = &mut self.flight {
            let consumes = flight.attempt.is_some_and(|attempt| attempt.method == ToyMethod::Refresh && !reusable);
            flight.dropped |= flight.attempt.is_some() && !flight.orphan && !consumes;
        }
    }

    /// Whoever asks waits until he is served or told.
    pub(super) fn note_who_waits(&mut self, told: &Told) {
        match told {
            Told::Demand(lease_id) | Told::Renew(lease_id) => {
                self.lease(*lease_id).waited = true;
                // Through the access token, where there is none.
                self.lease(LeaseId::Access).waited |= !self.is_servable(LeaseId::Access);
            }
            Told::SignIn(_) | Told::SignInAgain { begun: true } => self.lease(LeaseId::Access).waited = true,
            _ => {}
        }
    }

    pub(super) fn check_attempt_is_waited_for(&mut self, lease_id: LeaseId) {
        if self.closed {
            self.breaks(Rule::ProgramsEnd, format!("{lease_id}: an attempt after the end"));
        }
        let waited = self.leases.each_ref().map(|lease| lease.waited);
        let through_access = lease_id == LeaseId::Access && waited[LeaseId::Aws.index()];
        if self.policy.refresh_mode == RefreshMode::OneShot && !waited[lease_id.index()] && !through_access {
            self.breaks(Rule::ProgramsEnd, format!("{lease_id}: an attempt that nobody waits for"));
        }
    }

    pub(super) fn check_end(&mut self, view: &View) {
        let soon = self.now.monotonic.saturating_add(MAX_BACKOFF_FOREGROUND);
        for lease_id in LeaseId::ALL {
            let first = view.renews_first[lease_id.index()];
            if first && (self.policy.refresh_mode != RefreshMode::OneShot || view.served[lease_id.index()].is_none()) {
                self.breaks(Rule::ProgramsEnd, format!("{lease_id}: whoever asks had better wait, and need not"));
            } else if first && self.flight.is_none() && view.wake.is_none_or(|wake| wake.at > soon) {
                self.breaks(Rule::ProgramsEnd, format!("{lease_id}: callers wait for nothing"));
            }
            let served = view.served[lease_id.index()].is_some() && !first;
            let told = view.told[lease_id.index()] != self.told[lease_id.index()];
            let hindered = view.obstacles[lease_id.index()].is_some();
            let one_shot = self.policy.refresh_mode == RefreshMode::OneShot;
            let lease = self.lease(lease_id);
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
        if self.store.as_ref().is_some_and(StoreSide::is_at_work) {
            self.breaks(Rule::ProgramsEnd, "may end, and what it got is not saved, or the store is locked");
        }
    }
}
