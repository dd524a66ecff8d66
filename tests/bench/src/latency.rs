//! How long each of many calls took.

use std::time::Duration;

/// Buckets: each holds twice the times of the one before.
const BUCKETS: usize = 40;

/// Counts of times, by their order of magnitude, and the longest.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; BUCKETS],
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one call.
    #[inline]
    pub fn count(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - nanos.leading_zeros()) as usize;
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.longest = self.longest.max(time);
    }

    /// Counts all that another counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.longest = self.longest.max(other.longest);
    }

    /// How many calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest of them.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// How many took less than each limit: the bucket's upper end, and its count. Empty ones at both ends are left out.
    #[must_use]
    pub fn buckets(&self) -> Vec<Bucket> {
        let full = |count: &u64| *count > 0;
        let first = self.counts.iter().position(full).unwrap_or(0);
        let last = self.counts.iter().rposition(full).map_or(0, |last| last + 1);
        (first..last).map(|bucket| Bucket { below: upper_end(bucket), calls: self.counts[bucket] }).collect()
    }

    /// A time that all but a share of the calls stayed under: the upper end of its bucket.
    #[must_use]
    pub fn all_but(&self, share: f64) -> Duration {
        let mut left = (self.calls() as f64 * share) as u64;
        for bucket in (0..BUCKETS).rev() {
            match left.checked_sub(self.counts[bucket]) {
                Some(rest) => left = rest,
                None => return upper_end(bucket).min(self.longest),
            }
        }
        Duration::ZERO
    }
}

/// Calls that took about as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Less than this.
    pub below: Duration,
    /// How many.
    pub calls: u64,
}

fn upper_end(bucket: usize) -> Duration {
    Duration::from_nanos(1 << bucket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(nanos: u64) -> Duration {
        Duration::from_nanos(nanos)
    }

    #[test]
    fn times_are_counted_by_their_order_of_magnitude() {
        let mut histogram = Histogram::default();
        for time in [3, 2, 5, 900] {
            histogram.count(nanos(time));
        }
        let buckets = histogram.buckets();
        assert_eq!(buckets.first(), Some(&Bucket { below: nanos(4), calls: 2 }));
        assert_eq!(buckets.last(), Some(&Bucket { below: nanos(1024), calls: 1 }));
        assert_eq!((histogram.calls(), histogram.longest()), (4, nanos(900)));
    }

    #[test]
    fn a_share_of_the_slowest_is_left_out() {
        let mut histogram = Histogram::default();
        (0..99).for_each(|_| histogram.count(nanos(100)));
        histogram.count(nanos(1_000_000));
        assert_eq!(histogram.all_but(0.01), nanos(128));
        assert_eq!(histogram.all_but(0.0), nanos(1_000_000));
        let mut both = histogram.clone();
        both.add(&histogram);
        assert_eq!(both.calls(), 200);
    }
}
