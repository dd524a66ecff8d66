//! Everything that is left to chance, from one seed.

use std::time::Duration;

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`, which is not zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn per_mille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// Evenly between two lengths.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let width = u64::try_from(most.saturating_sub(least).as_micros()).unwrap_or(u64::MAX);
        least.saturating_add(Duration::from_micros(self.below(width.saturating_add(1))))
    }

    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        self.between(Duration::from_millis(least), Duration::from_millis(most))
    }

    /// Around a length: mostly shorter, sometimes several times as long.
    pub(crate) fn about(&mut self, mean: Duration) -> Duration {
        let most = match self.below(8) {
            0..4 => mean,
            4..7 => mean * 2,
            _ => mean * 6,
        };
        self.between(Duration::from_millis(1), most)
    }

    pub(crate) fn pick<T: Copy>(&mut self, one: T, others: &[T]) -> T {
        let chosen = self.below(others.len() as u64 + 1);
        usize::try_from(chosen).ok().and_then(|chosen| others.get(chosen)).copied().unwrap_or(one)
    }
}
