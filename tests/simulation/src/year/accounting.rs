//! How the time of a year is accounted for: how it stands at each moment.

use super::standing::Standing;
use super::world::World;
use crate::fleet::service::serial_of;
use perennial_core::{LeaseId, State};

impl World<'_> {
    /// Adds the time since it was last looked at to how it stood then, and looks again.
    pub(super) fn account_for(&mut self) {
        let since = self.now.saturating_sub(self.stood_since);
        self.report.standings[self.standing as usize] += since;
        let standing = self.standing();
        if standing != self.standing {
            self.diary.turn(self.standing, self.now);
        }
        (self.standing, self.stood_since) = (standing, self.now);
        if standing.is_ours() {
            let ours_since = *self.ours_since.get_or_insert(self.now);
            self.check_recovery(self.now.saturating_sub(ours_since));
        } else {
            self.ours_since = None;
        }
    }

    fn standing(&self) -> Standing {
        let Some(session) = self.session.as_ref().filter(|_| !self.is_frozen()) else { return Standing::Off };
        let now = self.told_now();
        if let Some(held) = self.served(LeaseId::Access, now) {
            let taken = self.service.takes(serial_of(held.access().expose()), self.now);
            return if taken { Standing::Live } else { Standing::Unnoticed };
        }
        let idle = self.waits.is_empty()
            && self.insisting == 0
            && (self.year.account.is_on_demand() || session.state() == State::Idle);
        match () {
            () if idle => Standing::Idle,
            () if self.now < self.down_until || self.now < self.rest_until => Standing::ServiceDown,
            () if self.flight.as_ref().is_some_and(|flight| flight.is_doomed && self.now < flight.doomed_until) => {
                Standing::Unanswered
            }
            () if self.now < self.store_down_until => Standing::StoreDown,
            () if !self.is_hopeful() => Standing::NeedsPerson,
            () if self.flight.is_some() || self.store_busy > 0 => Standing::Asking,
            () => Standing::Pausing,
        }
    }

    /// Whether the session can come by new credentials without a person.
    pub(super) fn is_hopeful(&self) -> bool {
        let Some(session) = &self.session else { return true };
        let right = self.login.as_ref().is_some_and(|login| self.service.is_right(login));
        let refresh = match session.held() {
            Some(held) => held.refresh_token().map_or(0, |token| serial_of(token.expose())),
            None => self.stored_token,
        };
        // A login that rests is shown again by itself, in hours; a person can act meanwhile.
        let rests = session.has_login() && !session.may_show_login();
        right && !self.login_refused && !rests || self.service.renews(refresh)
    }
}
