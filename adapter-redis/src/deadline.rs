//! The deadline of a call, which covers everything that the call does.

use std::io;
use std::time::{Duration, Instant};

/// The longest timeout and the longest lock: one day. Longer ones are cut to it, because `Duration::MAX` would overflow
/// the clock of the system and the expiry of a Redis key.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(86_400);

/// The moment at which a call has to return, whatever the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout.min(MAX_TIMEOUT))
    }

    /// The time that remains. Never zero, since sockets take a timeout of zero for "none": a deadline that has passed
    /// is a `TimedOut` error.
    pub(crate) fn remaining(self) -> io::Result<Duration> {
        let remaining = self.remaining_at(Instant::now());
        if remaining.is_zero() { Err(timed_out()) } else { Ok(remaining) }
    }

    /// The time that remains, or remained, at this moment. Zero if the deadline had passed.
    pub(crate) fn remaining_at(self, moment: Instant) -> Duration {
        self.0.saturating_duration_since(moment)
    }
}

/// The error of a call whose deadline passed.
pub(crate) fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}
