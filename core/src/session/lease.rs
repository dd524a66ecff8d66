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
