//! What the model makes of credentials whose age cannot be proven.

use super::state::Doubt;
use super::{Model, View};
use perennial_core::LeaseId;

impl Model {
    fn doubt(&mut self, lease_id: LeaseId) -> Option<&mut Doubt> {
        self.lease(lease_id).held.as_mut().map(|held| &mut held.doubt)
    }

    /// Whether these must not be served.
    pub(super) fn is_barred(&self, lease_id: LeaseId) -> bool {
        let held = self.leases[lease_id.index()].held.as_ref();
        held.is_some_and(|held| matches!(held.doubt, Doubt::Open | Doubt::Refused))
    }

    /// Whether these need not be served.
    pub(super) fn may_be_barred(&self, lease_id: LeaseId) -> bool {
        let held = self.leases[lease_id.index()].held.as_ref();
        self.is_barred(lease_id) || held.is_some_and(|held| held.doubt == Doubt::Told)
    }

    /// Whether they are before their deadline, and that is to be relied on.
    pub(super) fn is_servable(&self, lease_id: LeaseId) -> bool {
        self.is_live(lease_id) && !self.may_be_barred(lease_id)
    }

    pub(super) fn was_looked_into(&mut self, lease_id: LeaseId) {
        if let Some(doubt @ (Doubt::Open | Doubt::Told)) = self.doubt(lease_id) {
            *doubt = Doubt::Tried;
        }
    }

    pub(super) fn cannot_be_looked_into(&mut self, lease_id: LeaseId) {
        let tried = self.leases[lease_id.index()].failed || self.login_refused;
        if let Some(doubt @ Doubt::Open) = self.doubt(lease_id) {
            *doubt = if tried { Doubt::Refused } else { Doubt::Told };
        }
    }

    pub(super) fn note_who_was_told(&mut self, view: &View) {
        for lease_id in LeaseId::ALL {
            let told =
                view.told[lease_id.index()] != self.told[lease_id.index()] && !self.failed_events[lease_id.index()];
            if let Some(doubt @ Doubt::Open) = self.doubt(lease_id).filter(|_| told) {
                *doubt = Doubt::Told;
            }
        }
    }
}
