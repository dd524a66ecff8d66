//! What a one-shot session does differently: nothing begins that nobody waits for.

use super::{LeaseId, RefreshMode, Session};
use crate::exchange::Provider;

impl<P: Provider> Session<P> {
    /// Whether a caller should wait for a renewal although valid credentials are held. A one-shot session renews
    /// credentials inside the renewal margin first, and hands out the old ones if that fails. Call it after
    /// [`demand`](Self::demand). Always `false` in the other refresh modes.
    pub fn renews_first(&self, lease_id: LeaseId) -> bool {
        self.is_one_shot() && self.is_valid(lease_id) && self.is_due(lease_id) && self.hindrance(lease_id).is_none()
    }

    pub(super) fn is_one_shot(&self) -> bool {
        self.policy.refresh_mode == RefreshMode::OneShot
    }

    /// Whether somebody who asks now may begin an attempt. In a one-shot session only one that begins while they wait:
    /// nobody stays for the end of a pause.
    pub(super) fn may_be_waited_for(&mut self, lease_id: LeaseId) -> bool {
        if !self.is_one_shot() {
            return true;
        }
        for lease_id in [lease_id, LeaseId::Access] {
            if !self.is_valid(lease_id) {
                self.leases[lease_id.index()].shorten_backoff();
            }
        }
        self.hindrance(lease_id).is_none()
    }

    /// Where an attempt does not begin after all, whoever asked is served what is valid, or hears why, and waits no longer.
    pub(super) fn settle_wishes(&mut self) {
        if !self.is_one_shot() || self.polls_soon() {
            return;
        }
        for lease_id in LeaseId::ALL {
            if self.leases[lease_id.index()].is_waited_for() && self.hindrance(lease_id).is_some() {
                self.leases[lease_id.index()].stop_waiting();
            }
        }
    }
}
