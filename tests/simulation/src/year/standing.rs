//! Whether there are valid credentials, and if not, whose fault that is.

use std::time::Duration;

use super::world::World;
use crate::fleet::service::serial_of;
use perennial_core::{LeaseId, State};

/// How it stands with the access token at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody has asked.
    #[default]
    Idle,
    /// Valid credentials are there, and the service takes them.
    Live,
    /// The machine is suspended, or the process has ended.
    Off,
    /// The service is down, or has asked to be left alone.
    ServiceDown,
    /// The answer to what was asked is lost, or takes its time.
    Unanswered,
    /// The store is down: nothing is renewed on a guess.
    StoreDown,
    /// A person has to sign in.
    NeedsPerson,
    /// The service has ended what it granted, and nobody has used it since.
    Unnoticed,
    /// Nothing stands in the way, and new ones are being asked for: the time of a conversation.
    Asking,
    /// Nothing stands in the way, and nothing is done: a pause after a failure.
    Pausing,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 10] = [
        Standing::Idle,
        Standing::Live,
        Standing::Off,
        Standing::ServiceDown,
        Standing::Unanswered,
        Standing::StoreDown,
        Standing::NeedsPerson,
        Standing::Unnoticed,
        Standing::Asking,
        Standing::Pausing,
    ];

    /// What it is called in a report.
    pub const fn title(self) -> &'static str {
        match self {
            Standing::Idle => "nobody asks",
            Standing::Live => "valid",
            Standing::Off => "machine or process off",
            Standing::ServiceDown => "service down",
            Standing::Unanswered => "answer lost or slow",
            Standing::StoreDown => "store down",
            Standing::NeedsPerson => "a person has to sign in",
            Standing::Unnoticed => "ended, and not yet used",
            Standing::Asking => "asking",
            Standing::Pausing => "pausing",
        }
    }

    /// Whether nothing but the session stands between its callers and valid credentials.
    pub const fn is_ours(self) -> bool {
        matches!(self, Standing::Asking | Standing::Pausing)
    }
}

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

/// A share of the time that somebody wanted credentials, in millionths.
pub(super) fn share(part: Duration, whole: Duration) -> u64 {
    let millionths = part.as_micros().saturating_mul(1_000_000).checked_div(whole.as_micros());
    millionths.and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
}
