//! How long a call may take in all.

use std::io;
use std::time::{Duration, Instant};

/// Longer than anybody waits, and short enough for every clock and for Redis.
pub(crate) const LONGEST: Duration = Duration::from_secs(86_400);

/// The moment at which a call has to return, whatever its peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout.min(LONGEST))
    }

    /// What is left; never nothing.
    pub(crate) fn left(self) -> io::Result<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(left) }
    }

    /// What would be left at that moment.
    pub(crate) fn left_at(self, moment: Instant) -> Duration {
        self.0.saturating_duration_since(moment)
    }
}

/// No answer in time.
pub(crate) fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
