//! What a one-shot session does differently: nothing begins that nobody waits for.

use super::{Need, Renewal, Session};
use crate::exchange::Provider;

impl<P: Provider> Session<P> {
    /// Whether whoever asked had better wait, although valid credentials are held: a one-shot session renews inside the
    /// margin first, and falls back on what is held where that fails. Ask after [`demand`](Self::demand).
    pub fn renews_first(&self, need: Need) -> bool {
        self.is_one_shot() && self.is_valid(need) && self.is_due(need) && self.hindrance(need).is_none()
    }

    pub(super) fn is_one_shot(&self) -> bool {
        self.policy.renewal == Renewal::OneShot
    }

    /// Whether somebody who asks now may begin an attempt. In a one-shot session only one that begins while they wait:
    /// nobody stays for the end of a pause.
    pub(super) fn may_be_waited_for(&mut self, need: Need) -> bool {
        if !self.is_one_shot() {
            return true;
        }
        for need in [need, Need::Access] {
            if !self.is_valid(need) {
                self.leases[need.index()].hurry();
            }
        }
        self.hindrance(need).is_none()
    }

    /// Where an attempt does not begin after all, whoever asked is served what is valid, or hears why, and waits no longer.
    pub(super) fn settle_wishes(&mut self) {
        if !self.is_one_shot() || self.looks_soon() {
            return;
        }
        for need in Need::ALL {
            if self.leases[need.index()].asked && self.hindrance(need).is_some() {
                self.leases[need.index()].asked = false;
            }
        }
    }
}
