//! What the model makes of credentials whose age cannot be proven.

use super::{Model, View};
use crate::{Need, Term};

/// Whether credentials may be over already, and what became of looking into that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    /// Nobody has looked.
    Open,
    /// Who waited heard of a failure that concerns another lease: perhaps nobody could look.
    Told,
    /// Renewing them failed for now: they are served.
    Tried,
    /// Renewing them was refused: nobody gets them.
    Refused,
}

impl Doubt {
    pub(super) fn of(term: &Term) -> Self {
        if term.is_doubtful() { Self::Open } else { Self::None }
    }
}

impl Model {
    fn doubt(&mut self, need: Need) -> Option<&mut Doubt> {
        self.lease(need).held.as_mut().map(|held| &mut held.doubt)
    }

    /// Whether these must not be served.
    pub(super) fn is_barred(&self, need: Need) -> bool {
        let held = self.leases[need.index()].held.as_ref();
        held.is_some_and(|held| matches!(held.doubt, Doubt::Open | Doubt::Refused))
    }

    /// Whether these need not be served.
    pub(super) fn may_be_barred(&self, need: Need) -> bool {
        let held = self.leases[need.index()].held.as_ref();
        self.is_barred(need) || held.is_some_and(|held| held.doubt == Doubt::Told)
    }

    /// Whether they are before their deadline, and that is to be relied on.
    pub(super) fn is_servable(&self, need: Need) -> bool {
        self.is_live(need) && !self.may_be_barred(need)
    }

    pub(super) fn was_looked_into(&mut self, need: Need) {
        if let Some(doubt @ (Doubt::Open | Doubt::Told)) = self.doubt(need) {
            *doubt = Doubt::Tried;
        }
    }

    pub(super) fn cannot_be_looked_into(&mut self, need: Need) {
        let tried = self.leases[need.index()].failed || self.login_refused;
        if let Some(doubt @ Doubt::Open) = self.doubt(need) {
            *doubt = if tried { Doubt::Refused } else { Doubt::Told };
        }
    }

    pub(super) fn note_who_was_told(&mut self, view: &View) {
        for need in Need::ALL {
            let told = view.told[need.index()] != self.told[need.index()] && !self.failed_events[need.index()];
            if let Some(doubt @ Doubt::Open) = self.doubt(need).filter(|_| told) {
                *doubt = Doubt::Told;
            }
        }
    }
}
