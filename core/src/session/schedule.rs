//! How long to wait: gaps, backoff, jitter. The only place with their figures.

use std::time::Duration;

/// The least time between two attempts at one lease, whatever a server says: 1 second.
pub const MIN_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The longest backoff between attempts while nobody waits, and after an answer that is neither a grant nor a 5xx: 5
/// minutes.
pub const MAX_BACKOFF: Duration = Duration::from_secs(300);

/// The longest backoff between attempts while somebody waits, no valid credentials are held, and the service cannot be
/// reached or answers with 5xx: 5 seconds.
pub const MAX_BACKOFF_FOREGROUND: Duration = Duration::from_secs(5);

/// The longest backoff between sign-ins of a program (with a client secret, for instance) after answers that are
/// neither a grant, a refusal nor a 5xx: 1 hour.
pub const MAX_BACKOFF_PROGRAM: Duration = Duration::from_secs(3600);

/// How long no renewal or sign-in is tried after a 429 (too many requests) without `Retry-After`: 60 seconds.
pub const MIN_QUIET: Duration = Duration::from_secs(60);

/// If the API rejects credentials that are younger than this (60 seconds), their renewal is delayed by a backoff: new
/// ones are likely to be rejected as well.
pub const REJECTION_GRACE: Duration = Duration::from_secs(60);

/// How the pauses after failures grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    /// Nothing was heard of the service, or only that it has failed (5xx): to minutes, and to some seconds while
    /// somebody waits.
    #[default]
    Outage,
    /// It answered, and that was no grant: to minutes, whoever asks.
    Answered,
    /// The same, where a program's own credentials were shown, which locks nobody out: to an hour.
    ProgramAnswered,
}

/// For how long a method whose endpoint does not exist is left out, the first time and at most: doubling.
pub(super) const MISSING_FOR: Duration = Duration::from_secs(300);
pub(super) const MISSING_FOR_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// The least request deadline that is kept, so that a zero in a configuration cannot spin.
pub(super) const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Jitter: SplitMix64, seeded once. It spreads load and keeps no secret.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A share of `whole`, evenly spread.
    pub(super) fn share_of(&mut self, whole: Duration) -> Duration {
        let share = self.next() >> 32;
        let nanos = whole.as_nanos().saturating_mul(u128::from(share)) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Any number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The wait before attempt `failures + 1`: doubling, a quarter of it jitter, never under the minimum gap.
    pub(super) fn backoff(&mut self, failures: u32, longest: Duration) -> Duration {
        let full = MIN_RETRY_INTERVAL.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest);
        (full - self.share_of(full / 4)).max(MIN_RETRY_INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_from_the_gap_to_minutes() {
        let mut random = Random::new(7);
        let waits: Vec<_> = (1..40).map(|failures| random.backoff(failures, MAX_BACKOFF)).collect();
        assert_eq!(waits[0], MIN_RETRY_INTERVAL);
        assert!(waits.iter().all(|wait| (MIN_RETRY_INTERVAL..=MAX_BACKOFF).contains(wait)));
        assert!(waits[12] >= MAX_BACKOFF * 3 / 4);
        assert_eq!(random.backoff(0, MAX_BACKOFF), MIN_RETRY_INTERVAL);
        assert!(random.backoff(u32::MAX, MAX_BACKOFF) >= MAX_BACKOFF * 3 / 4);
    }

    /// SplitMix64 from zero, as its author published it, in the upper half of each number.
    #[test]
    fn jitter_is_splitmix64() {
        let mut random = Random::new(0);
        let whole = Duration::from_nanos(1 << 32);
        let shares: Vec<_> = (0..4).map(|_| random.share_of(whole).as_nanos()).collect();
        assert_eq!(shares, [0xe220_a839, 0x6e78_9e6a, 0x06c4_5d18, 0xf88b_b8a8]);
    }

    #[test]
    fn a_wait_doubles_less_a_quarter_at_most() {
        let mut random = Random::new(7);
        for (failures, full) in [(1, 1), (2, 2), (3, 4), (5, 16), (9, 256), (10, 300), (40, 300)] {
            let full = Duration::from_secs(full);
            let waits: Vec<_> = (0..100).map(|_| random.backoff(failures, MAX_BACKOFF)).collect();
            let least = (full * 3 / 4).max(MIN_RETRY_INTERVAL);
            assert!(waits.iter().all(|wait| (least..=full).contains(wait)), "{failures}");
            assert!(failures == 1 || waits.iter().any(|wait| *wait < full * 13 / 16), "{failures}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_jitter() {
        let shares = |seed| {
            let mut random = Random::new(seed);
            (0..50).map(|_| random.share_of(Duration::from_secs(10))).collect::<Vec<_>>()
        };
        assert_eq!(shares(3), shares(3));
        assert_ne!(shares(3), shares(4));
        assert!(shares(3).iter().all(|share| *share < Duration::from_secs(10)));
    }
}
