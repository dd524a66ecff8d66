//! What holds for the account, whichever lease or process asks: the service wants quiet, a password was shown and
//! neither taken nor refused, a login was refused.

use std::time::Duration;

use crate::toy::ToyLogin;
use perennial_core::Now;

const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// So often a person's password may be shown without a grant or a plain refusal: in the first hour, and in any day.
const MOST_IN_HOUR: usize = 3;
const MOST_IN_DAY: usize = 8;

/// A store keeps it: the next process goes on with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// The time that has passed in all, by whichever clock went further: a clock that is set back wins nothing.
    age: Duration,
    seen: Option<Now>,
    /// Until when the service wants to be left alone, by both clocks.
    quiet: Option<Now>,
    /// The same, where a person has ended it here: a store may hold it yet.
    maybe_quiet: Option<Now>,
    /// It is in no record: what stood there was another account's.
    is_quiet_untold: bool,
    /// When a shown password was answered with something that is neither a grant nor a refusal.
    shown: Vec<Duration>,
    /// The same, with those of which it can be argued.
    maybe_shown: usize,
    /// Those of before a person signed in: a store may tell of them until a grant comes.
    left_in_store: usize,
    pub(super) refused: Option<ToyLogin>,
    /// One that a person has given again since: a store may tell of the refusal until a grant comes.
    pub(super) maybe_refused: Option<ToyLogin>,
}

impl Account {
    pub(super) fn tick(&mut self, now: Now) {
        if let Some(seen) = self.seen.replace(now) {
            let wall = Duration::try_from(now.wall.since(seen.wall)).unwrap_or_default();
            self.age += wall.max(now.monotonic.saturating_sub(seen.monotonic));
        }
        // Whoever writes or reads it now goes by what the clock says now.
        if let Some(until) = &mut self.maybe_quiet {
            let [wall, monotonic] = [wall_left(*until, now).min(DAY), monotonic_left(*until, now)];
            until.monotonic = until.monotonic.max(now.monotonic.saturating_add(wall));
            until.wall = until.wall.max(now.wall.saturating_add(monotonic));
        }
    }

    /// What the next process finds: its monotonic clock begins anew.
    pub(super) fn found_by_next_process(&self, now: Now) -> Self {
        let mut found = self.clone();
        found.quiet.take_if(|_| self.is_quiet_untold);
        let seen = self.seen.unwrap_or(now);
        if let Some(until) = &mut found.quiet {
            // A clock that was set back meanwhile may be in the record, or not.
            let left = wall_left(*until, now).min(monotonic_left(*until, seen));
            until.monotonic = now.monotonic.saturating_add(left.min(DAY));
        }
        if let Some(until) = &mut found.maybe_quiet {
            let left = wall_left(*until, now).max(monotonic_left(*until, seen));
            until.monotonic = now.monotonic.saturating_add(left.min(DAY));
        }
        found.seen = self.seen.map(|seen| Now::new(seen.wall, now.monotonic));
        found
    }

    /// A person signs in: nothing of what was stands in his way.
    pub(super) fn signed_in_by_person(&mut self) {
        let left_in_store = self.left_in_store + self.maybe_shown;
        let maybe_refused = self.refused.take().or(self.maybe_refused.take());
        let (age, seen, maybe_quiet) = (self.age, self.seen, self.maybe_quiet);
        *self = Self { age, seen, maybe_quiet, left_in_store, maybe_refused, ..Self::default() };
    }

    // ---- Quiet

    pub(super) fn asked_for_quiet(&mut self, now: Now, lasts: Duration, is_told: bool) {
        self.is_quiet_untold = !is_told;
        let until = Now::new(now.wall.saturating_add(lasts), now.monotonic.saturating_add(lasts));
        for quiet in [&mut self.quiet, &mut self.maybe_quiet] {
            if quiet.is_none_or(|before| before.monotonic < until.monotonic) {
                *quiet = Some(until);
            }
        }
    }

    /// Another account is not meant.
    pub(super) fn is_another(&mut self) {
        self.signed_in_by_person();
    }

    /// How long the service is left alone at least: both clocks say so.
    pub(super) fn quiet_left(&self, now: Now) -> Duration {
        self.quiet.map_or(Duration::ZERO, |until| wall_left(until, now).min(monotonic_left(until, now)))
    }

    /// How long at most: one of the clocks says so.
    pub(super) fn quiet_left_at_most(&self, now: Now) -> Duration {
        let left = |until| wall_left(until, now).max(monotonic_left(until, now)).min(DAY);
        self.maybe_quiet.map_or(Duration::ZERO, left)
    }

    /// It is of another account than what stands in the store.
    pub(super) fn quiet_is_not_known(&mut self) {
        self.quiet = None;
    }

    // ---- A password that was shown

    /// It was answered with something odd: what is wrong with that, if it came too often.
    pub(super) fn password_was_shown(&mut self) -> Option<String> {
        self.maybe_shown += 1;
        self.shown.push(self.age);
        let [in_hour, in_day, lately] = self.counts();
        let wrong = match () {
            () if in_hour > MOST_IN_HOUR && self.age < self.first() + HOUR => format!("{in_hour} times in an hour"),
            () if in_day > MOST_IN_DAY && self.age < self.first() + DAY => format!("{in_day} times in the first day"),
            () if lately > MOST_IN_DAY => format!("{lately} times in a day"),
            () => return None,
        };
        Some(format!("a password was shown {wrong}"))
    }

    /// Whether it was shown and not taken can be argued about.
    pub(super) fn password_may_have_been_shown(&mut self) {
        self.maybe_shown += 1;
    }

    /// The login brought a grant.
    pub(super) fn password_was_taken(&mut self) {
        self.shown.clear();
        (self.maybe_shown, self.left_in_store) = (0, 0);
        (self.refused, self.maybe_refused) = (None, None);
    }

    /// The session has written a record: what it knows is told.
    pub(super) fn quiet_was_written(&mut self) {
        self.is_quiet_untold = false;
    }

    /// Another login takes the place of the one that was shown: a store may tell of that until a grant comes.
    pub(super) fn login_was_replaced(&mut self) {
        self.left_in_store += std::mem::take(&mut self.maybe_shown);
        self.shown.clear();
    }

    /// The store tells of one login: of the one that is used now.
    pub(super) fn refusal_was_written(&mut self, refused: Option<&ToyLogin>) {
        (self.refused, self.maybe_refused) = (refused.cloned(), None);
    }

    /// Somebody has signed in on the store, in another process.
    pub(super) fn is_signed_in_elsewhere(&mut self) {
        self.shown.clear();
        (self.refused, self.maybe_refused) = (None, None);
    }

    /// Somebody brought a grant that the login had no part in.
    pub(super) fn grant_was_brought(&mut self) {
        self.shown.clear();
    }

    /// Whether the password must not be shown now.
    pub(super) fn is_login_resting(&self) -> bool {
        let [in_hour, in_day, lately] = self.counts();
        in_hour >= MOST_IN_HOUR && self.age < self.first() + HOUR
            || in_day >= MOST_IN_DAY && self.age < self.first() + DAY
            || lately >= MOST_IN_DAY
    }

    /// Whether there is a reason to let it rest: it may be spared before it was shown as often as it may be.
    pub(super) fn may_login_rest(&self) -> bool {
        self.maybe_shown + self.left_in_store >= MOST_IN_HOUR - 1
    }

    fn first(&self) -> Duration {
        self.shown.first().copied().unwrap_or_default()
    }

    /// In the first hour, in the first day, and in the last day if the first one is over.
    fn counts(&self) -> [usize; 3] {
        let first = self.first();
        let within = |length| self.shown.iter().filter(|at| **at < first + length).count();
        let later = self.shown.iter().filter(|at| **at >= first + DAY && **at + DAY > self.age).count();
        [within(HOUR), within(DAY), later]
    }
}

fn wall_left(until: Now, now: Now) -> Duration {
    Duration::try_from(until.wall.since(now.wall)).unwrap_or_default()
}

fn monotonic_left(until: Now, now: Now) -> Duration {
    until.monotonic.saturating_sub(now.monotonic)
}
