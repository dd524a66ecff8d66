//! What must differ between machines: the identifiers of lock owners, and the pauses before they try again.

use std::time::Duration;

/// Identifies one holder of the lock: 128 random bits as 32 hexadecimal digits, the value of the lock's key. It is not
/// secret, since whoever can send it to Redis can do anything there.
#[derive(Clone, PartialEq)]
pub(crate) struct OwnerId(String);

impl OwnerId {
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(format!("{:016x}{:016x}", getrandom::u64()?, getrandom::u64()?)))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Exponential backoff: pauses that double from `first` up to `longest`. Each is drawn between its half and its whole,
/// so that machines that were stopped by the same event do not come back at the same moment.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, next: first, longest }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.longest);
        jittered(whole)
    }

    /// Begins again with the first pause.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random duration between the half of `whole` and `whole`. Where the system gives no random number it is `whole`.
pub(crate) fn jittered(whole: Duration) -> Duration {
    let share = getrandom::u32().map_or(1.0, |drawn| f64::from(drawn) / f64::from(u32::MAX));
    whole.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_have_different_identifiers() {
        assert!(OwnerId::random().unwrap() != OwnerId::random().unwrap());
        assert_eq!(OwnerId::random().unwrap().as_bytes().len(), 32);
    }

    #[test]
    fn a_backoff_doubles_up_to_its_longest_pause_and_can_begin_again() {
        let (first, longest) = (Duration::from_millis(10), Duration::from_millis(80));
        let mut backoff = Backoff::new(first, longest);
        for whole in [10, 20, 40, 80, 80, 80] {
            let whole = Duration::from_millis(whole);
            let pause = backoff.next();
            assert!(whole / 2 <= pause && pause <= whole, "{pause:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= first);
    }
}
