//! What a session knows of one lease.

use std::time::Duration;

use super::schedule::{FRESH, MAX_BACKOFF_ASKED, MIN_GAP, Random};
use crate::credentials::{Generation, Now, Term};
use crate::error::Error;

/// One lease: wishes (what callers asked for), its place on the ladder, and when it may be tried again.
#[derive(Debug, Default)]
pub(super) struct Lease {
    pub(super) generation: Generation,

    /// Somebody has asked since the last attempt ended.
    pub(super) asked: bool,
    /// Somebody has asked at all: renewal goes on by itself.
    pub(super) engaged: bool,
    /// A renewal was commanded.
    pub(super) forced: bool,
    /// The service's API refused the present generation.
    pub(super) rejected: bool,
    /// The present generation was named as refused already: further refusals of it are the same news.
    pub(super) named: bool,
    /// A new login came: only it may renew.
    pub(super) login_first: bool,

    /// Rungs of the ladder, by their position, that were refused since the last success.
    ruled_out: u32,
    /// Rungs that sent a one-use token and got no answer.
    lost: u32,
    /// The last attempt is going on with its next rung.
    pub(super) falling: bool,
    /// Nothing is left to try, and what callers are told.
    pub(super) stopped: Option<Box<Error>>,

    /// What the last attempt failed with, until one succeeds.
    pub(super) error: Option<Box<Error>>,
    /// How many failures callers were told.
    pub(super) told: u64,
    failures: u32,
    rejections: u32,
    pub(super) retry: Option<Retry>,
    attempted_at: Option<Duration>,
    renewed_at: Option<Duration>,
    jitter: Duration,
    pub(super) expiry_told: bool,
}

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Duration,
    since: Duration,
    /// Not before this, whoever asks: the service's `Retry-After`.
    floor: Duration,
}

impl Lease {
    /// When an attempt may begin at the earliest.
    pub(super) fn start_at(&self) -> Duration {
        if self.falling {
            return Duration::ZERO;
        }
        let gap = self.attempted_at.map_or(Duration::ZERO, |at| at.saturating_add(MIN_GAP));
        self.retry.map_or(gap, |retry| retry.at.max(gap))
    }

    /// When renewal is due, by the monotonic clock as it goes now.
    pub(super) fn renewal_at(&self, term: &Term, now: Now) -> Option<Duration> {
        if term.is_doubtful() {
            return Some(now.monotonic);
        }
        let ahead = term.margin().saturating_add(self.jitter);
        let left = term.deadline()?.remaining(now).saturating_sub(ahead);
        Some(now.monotonic.saturating_add(left))
    }

    pub(super) fn begin(&mut self, now: Now) {
        self.falling = false;
        self.retry = None;
        self.attempted_at = Some(now.monotonic);
    }

    /// No attempt before the gap has passed, as after one.
    pub(super) fn hold(&mut self, now: Now) {
        self.falling = false;
        self.attempted_at = Some(now.monotonic);
    }

    pub(super) fn falls_to_lost(&self, position: usize) -> bool {
        self.falling && self.is_lost(position)
    }

    pub(super) fn is_ruled_out(&self, position: usize) -> bool {
        self.ruled_out & (1 << position) != 0
    }

    pub(super) fn is_lost(&self, position: usize) -> bool {
        self.lost & (1 << position) != 0
    }

    pub(super) fn rule_out(&mut self, position: usize) {
        self.ruled_out |= 1 << position;
    }

    pub(super) fn lose(&mut self, position: usize) {
        self.lost |= 1 << position;
    }

    /// A new one-use token came, without anything else that is new.
    pub(super) fn renew_token(&mut self, position: usize) {
        let bit = 1 << position;
        if (self.lost | self.ruled_out) & bit != 0 {
            self.stopped = None;
        }
        self.lost &= !bit;
        self.ruled_out &= !bit;
    }

    /// What was refused with an old access token may work with a new one.
    pub(super) fn allow_again(&mut self, position: usize) {
        if self.is_ruled_out(position) || self.stopped.is_some() {
            // Up the ladder again: not within the gap. A refusal that was given up on is taken up again.
            self.falling = false;
            self.forced |= self.named;
        }
        self.ruled_out &= !(1 << position);
        self.stopped = None;
    }

    /// New credentials: a new generation, a clean slate. Where they are past their end already, the pace stays.
    pub(super) fn renewed(&mut self, term: &Term, random: &mut Random, now: Now, issued_now: bool) {
        *self = Self {
            generation: self.generation.next(),
            told: self.told,
            rejections: self.rejections,
            attempted_at: self.attempted_at,
            engaged: true,
            // Over when it comes: the pace stays, and callers still wait.
            failures: if term.is_expired(now) { self.failures } else { 0 },
            asked: self.asked && term.is_expired(now),
            renewed_at: issued_now.then_some(now.monotonic),
            jitter: random.share_of(term.margin() / 10),
            ..Self::default()
        };
    }

    /// Forgets all but what callers count by.
    pub(super) fn reset(&mut self) {
        *self = Self { generation: self.generation, told: self.told, ..Self::default() };
    }

    /// A new login: what was refused to the old one may be granted now. Whoever waits goes on waiting. A token
    /// that was lost stays lost.
    pub(super) fn new_login(&mut self) {
        // A refusal that was given up on is taken up again.
        self.forced |= self.named;
        self.ruled_out = 0;
        self.falling = false;
        self.stopped = None;
        self.error = None;
        self.failures = 0;
        self.retry = None;
        self.attempted_at = None;
    }

    /// Ends an attempt: everybody who waits is told.
    pub(super) fn tell(&mut self, error: Error) {
        self.error = Some(Box::new(error));
        self.told = self.told.wrapping_add(1);
        self.asked = false;
    }

    /// An attempt failed and may succeed later: sets the pause, and tells.
    pub(super) fn back_off(&mut self, error: Error, holds_valid: bool, random: &mut Random, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let pace = random.backoff(self.failures);
        let pace = if self.asked && !holds_valid { pace.min(MAX_BACKOFF_ASKED) } else { pace };
        let asked_for = error.retry_after().unwrap_or_default();
        self.retry = Some(Retry {
            at: now.monotonic.saturating_add(pace.max(asked_for)),
            since: now.monotonic,
            floor: now.monotonic.saturating_add(asked_for),
        });
        // What a new login or a refusal asks for is asked for until it is done.
        self.forced &= self.login_first || self.named;
        self.tell(error);
    }

    /// Somebody asks, and nothing valid is held: our own pause need not be long. The service's stands.
    pub(super) fn hurry(&mut self) {
        if let Some(retry) = &mut self.retry {
            let soon = retry.since.saturating_add(MAX_BACKOFF_ASKED);
            retry.at = retry.at.min(soon.max(retry.floor));
        }
    }

    /// The API refused the present generation. One that is refused again and again right after its issue is not
    /// withdrawn: it is not the credentials that are at fault, and others may be served by them.
    pub(super) fn reject(&mut self, random: &mut Random, now: Now) {
        let fresh = self.renewed_at.is_some_and(|at| now.monotonic.saturating_sub(at) < FRESH);
        self.rejections = if fresh { self.rejections.saturating_add(1) } else { 0 };
        if let Some(at) = self.renewed_at.filter(|_| fresh) {
            let at = at.saturating_add(random.backoff(self.rejections));
            if self.retry.is_none_or(|retry| retry.at < at) {
                self.retry = Some(Retry {
                    at,
                    since: now.monotonic,
                    floor: self.retry.map_or(Duration::ZERO, |retry| retry.floor),
                });
            }
        }
        self.named = true;
        self.forced = true;
        self.rejected = self.rejections < 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Timestamp;
    use crate::error::{ServiceError, ServiceErrorKind, SessionError};

    fn now(seconds: u64) -> Now {
        Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(seconds))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn error() -> Error {
        SessionError::SignedOut.into()
    }

    #[test]
    fn each_rung_is_lost_and_ruled_out_by_itself() {
        let mut lease = Lease::default();
        lease.lose(1);
        lease.rule_out(2);
        let rungs = |lease: &Lease| [0, 1, 2, 3].map(|rung| (lease.is_lost(rung), lease.is_ruled_out(rung)));
        assert_eq!(rungs(&lease), [(false, false), (true, false), (false, true), (false, false)]);
        lease.lose(1);
        lease.rule_out(2);
        assert_eq!(rungs(&lease), [(false, false), (true, false), (false, true), (false, false)]);
        assert!(!lease.falls_to_lost(1), "only a fall is held");
        lease.falling = true;
        assert!(lease.falls_to_lost(1) && !lease.falls_to_lost(2));
    }

    #[test]
    fn a_new_one_use_token_clears_its_own_rung_and_what_had_stopped_for_it() {
        for (lost, position, goes_on) in [(true, 1, true), (false, 1, true), (true, 3, false)] {
            let mut lease = Lease { stopped: Some(error().into()), ..Lease::default() };
            if lost {
                lease.lose(1);
            } else {
                lease.rule_out(1);
            }
            lease.lose(2);
            lease.rule_out(0);
            lease.renew_token(position);
            assert_eq!(lease.stopped.is_none(), goes_on);
            assert_eq!((lease.is_lost(1), lease.is_ruled_out(1)), (!goes_on && lost, !goes_on && !lost));
            assert!(lease.is_lost(2) && lease.is_ruled_out(0), "others stay");
        }
        let mut lease = Lease { stopped: Some(error().into()), ..Lease::default() };
        lease.lose(1);
        lease.rule_out(1);
        lease.renew_token(1);
        assert!(lease.stopped.is_none(), "lost, then refused");
    }

    #[test]
    fn a_new_access_token_allows_what_it_may_help() {
        let mut lease = Lease { falling: true, named: true, ..Lease::default() };
        lease.rule_out(1);
        lease.rule_out(2);
        lease.allow_again(1);
        assert!(!lease.is_ruled_out(1) && lease.is_ruled_out(2));
        assert!(!lease.falling && lease.forced, "a refusal is taken up again");

        let mut stopped = Lease { falling: true, stopped: Some(error().into()), ..Lease::default() };
        stopped.allow_again(1);
        assert!(!stopped.falling && !stopped.forced && stopped.stopped.is_none());

        let mut going = Lease { falling: true, named: true, ..Lease::default() };
        going.rule_out(2);
        going.allow_again(1);
        assert!(going.falling && !going.forced, "it was not in the way");
    }

    #[test]
    fn an_attempt_and_a_hold_both_start_the_gap() {
        let mut lease = Lease { falling: true, ..Lease::default() };
        assert_eq!(lease.start_at(), Duration::ZERO);
        lease.begin(now(10));
        assert!(!lease.falling);
        assert_eq!(lease.start_at(), at(11));
        lease.falling = true;
        assert_eq!(lease.start_at(), Duration::ZERO, "down the ladder at once");
        lease.hold(now(20));
        assert_eq!(lease.start_at(), at(21));
    }

    #[test]
    fn a_pause_is_short_for_who_waits_and_never_shorter_than_the_service_asked() {
        let failed = |asked, holds_valid, after: Option<u64>| {
            let mut lease = Lease { asked, failures: 20, ..Lease::default() };
            let error = ServiceError::new(ServiceErrorKind::RateLimited { retry_after: after.map(at) });
            lease.back_off(error.into(), holds_valid, &mut Random::new(7), now(100));
            assert!(!lease.asked && lease.told == 1 && lease.error.is_some() && lease.failures == 21);
            lease
        };
        assert_eq!(failed(true, false, None).start_at(), at(105));
        for (asked, holds_valid) in [(true, true), (false, false), (false, true)] {
            assert!(failed(asked, holds_valid, None).start_at() > at(300));
        }
        assert_eq!(failed(true, false, Some(60)).start_at(), at(160));
        let mut hurried = failed(false, false, None);
        hurried.hurry();
        assert_eq!(hurried.start_at(), at(105));
        let mut floored = failed(false, false, Some(60));
        floored.hurry();
        assert_eq!(floored.start_at(), at(160));
    }

    #[test]
    fn a_failure_ends_a_wish_for_new_ones_but_not_a_login_or_a_refusal() {
        let forced = |login_first, named| {
            let mut lease = Lease { forced: true, login_first, named, ..Lease::default() };
            lease.back_off(error(), true, &mut Random::new(7), now(100));
            lease.forced
        };
        assert_eq!([forced(false, false), forced(true, false), forced(false, true)], [false, true, true]);
    }

    #[test]
    fn what_is_refused_right_after_its_issue_is_renewed_at_backoff_pace() {
        let mut lease = Lease { renewed_at: Some(at(100)), ..Lease::default() };
        lease.reject(&mut Random::new(7), now(159));
        assert!(lease.rejected && lease.named && lease.forced);
        assert_eq!((lease.rejections, lease.start_at()), (1, at(101)));
        lease.reject(&mut Random::new(7), now(159));
        assert!(!lease.rejected, "the token is not at fault");
        assert_eq!(lease.rejections, 2);
        // A longer pause stands, and the service's part of it.
        let pause = Retry { at: at(500), since: at(90), floor: at(400) };
        let mut paused = Lease { renewed_at: Some(at(100)), retry: Some(pause), ..Lease::default() };
        paused.reject(&mut Random::new(7), now(110));
        assert_eq!(paused.start_at(), at(500));
        let mut short = Lease { retry: Some(Retry { at: at(50), ..pause }), ..paused };
        short.reject(&mut Random::new(7), now(110));
        let retry = short.retry.unwrap();
        assert_eq!((retry.since, retry.floor), (at(110), at(400)));
        assert!(retry.at > at(100));
        let mut level =
            Lease { retry: Some(Retry { at: at(101), ..pause }), renewed_at: Some(at(100)), ..Lease::default() };
        level.reject(&mut Random::new(7), now(110));
        assert_eq!(level.retry.unwrap().since, at(90), "one that ends at that moment stands");

        let mut old = Lease { renewed_at: Some(at(100)), rejections: 5, ..Lease::default() };
        old.reject(&mut Random::new(7), now(160));
        assert!(old.rejected && old.retry.is_none());
        assert_eq!(old.rejections, 0);
    }

    #[test]
    fn renewal_is_due_ahead_of_the_deadline_by_margin_and_jitter() {
        let term = Term::lasting(now(100), at(1000)).with_margin(at(200));
        let lease = Lease { jitter: at(7), ..Lease::default() };
        assert_eq!(lease.renewal_at(&term, now(100)), Some(at(100 + 1000 - 207)));
        assert_eq!(lease.renewal_at(&term, now(1050)), Some(at(1050)), "not before now");
        assert_eq!(lease.renewal_at(&Term::unknown(now(100)), now(100)), None);
        assert_eq!(lease.renewal_at(&term.in_doubt(), now(300)), Some(at(300)));
    }

    #[test]
    fn a_renewal_is_a_clean_slate_unless_it_is_over_when_it_comes() {
        let before = || Lease { asked: true, failures: 3, rejections: 1, told: 5, forced: true, ..Lease::default() };
        let mut renewed = before();
        renewed.renewed(&Term::lasting(now(10), at(60)), &mut Random::new(7), now(10), true);
        assert_eq!((renewed.asked, renewed.failures, renewed.rejections, renewed.told), (false, 0, 1, 5));
        assert_eq!((renewed.renewed_at, renewed.generation.get()), (Some(at(10)), 1));
        assert!(renewed.engaged && !renewed.forced);
        let mut spread = Lease { attempted_at: Some(at(9)), generation: renewed.generation, ..before() };
        spread.renewed(&Term::lasting(now(10), at(400)).with_margin(at(100)), &mut Random::new(7), now(10), true);
        assert!(spread.jitter > Duration::ZERO && spread.jitter < at(10), "a tenth of the margin at most");
        assert_eq!((spread.attempted_at, spread.generation.get()), (Some(at(9)), 2));
        spread.reset();
        assert_eq!((spread.attempted_at, spread.generation.get(), spread.told), (None, 2, 5));
        let mut over = before();
        over.renewed(&Term::lasting(now(10), Duration::ZERO), &mut Random::new(7), now(10), false);
        assert_eq!((over.asked, over.failures, over.renewed_at), (true, 3, None));
    }
}
