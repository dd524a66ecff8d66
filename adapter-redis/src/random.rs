//! What has to differ between machines: the names of lock owners, and pauses.

use std::time::Duration;

/// Names one holder of the lock, among all there ever were. Not secret: whoever can use it can do all anyway.
#[derive(Clone, PartialEq)]
pub(crate) struct Owner(String);

impl Owner {
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Pauses that double up to a longest one. Each is drawn between its half and its whole, so that machines that were
/// stopped by the same event do not come back at the same moment.
#[derive(Debug)]
pub(crate) struct Pauses {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Pauses {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, next: first, longest }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        jittered(whole)
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// Between the half of it and the whole.
pub(crate) fn jittered(whole: Duration) -> Duration {
    // Without randomness all wait the longest.
    let share = getrandom::u32().map_or(1.0, |drawn| f64::from(drawn) / f64::from(u32::MAX));
    whole.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_differ() {
        assert!(Owner::random().unwrap() != Owner::random().unwrap());
        assert_eq!(Owner::random().unwrap().as_bytes().len(), 32);
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew() {
        let (first, longest) = (Duration::from_millis(10), Duration::from_millis(80));
        let mut pauses = Pauses::new(first, longest);
        for whole in [10, 20, 40, 80, 80, 80] {
            let whole = Duration::from_millis(whole);
            let pause = pauses.next();
            assert!(whole / 2 <= pause && pause <= whole, "{pause:?} of {whole:?}");
        }
        pauses.reset();
        assert!(pauses.next() <= first);
    }
}
