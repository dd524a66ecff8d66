//! How long to wait: gaps, backoff, jitter. The only place with their figures.

use std::time::Duration;

/// The least time between two attempts at one lease, whatever a server says.
pub const MIN_GAP: Duration = Duration::from_secs(1);

/// The longest backoff while nobody waits.
pub const MAX_BACKOFF: Duration = Duration::from_secs(300);

/// The longest backoff while somebody asks and nothing valid is held.
pub const MAX_BACKOFF_ASKED: Duration = Duration::from_secs(5);

/// Credentials that are refused sooner than this after their issue are renewed at backoff pace.
pub const FRESH: Duration = Duration::from_secs(60);

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
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let share = (z ^ (z >> 31)) >> 32;
        let nanos = whole.as_nanos().saturating_mul(u128::from(share)) >> 32;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The wait before attempt `failures + 1`: doubling, a quarter of it jitter, never under the minimum gap.
    pub(super) fn backoff(&mut self, failures: u32) -> Duration {
        let full = MIN_GAP.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(MAX_BACKOFF);
        (full - self.share_of(full / 4)).max(MIN_GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_from_the_gap_to_minutes() {
        let mut random = Random::new(7);
        let waits: Vec<_> = (1..40).map(|failures| random.backoff(failures)).collect();
        assert_eq!(waits[0], MIN_GAP);
        assert!(waits.iter().all(|wait| (MIN_GAP..=MAX_BACKOFF).contains(wait)));
        assert!(waits[12] >= MAX_BACKOFF * 3 / 4);
        assert_eq!(random.backoff(0), MIN_GAP);
        assert!(random.backoff(u32::MAX) >= MAX_BACKOFF * 3 / 4);
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
            let waits: Vec<_> = (0..100).map(|_| random.backoff(failures)).collect();
            let least = (full * 3 / 4).max(MIN_GAP);
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
