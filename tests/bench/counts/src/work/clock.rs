//! The clock of the work.

use std::time::Duration;

use perennial_core::{Now, Timestamp};

/// A moment, so many seconds after the first one.
pub(crate) fn at(seconds: u64) -> Now {
    let delay = Duration::from_secs(seconds);
    Now::new(Timestamp::from_unix_seconds(1_763_542_260).saturating_add(delay), Duration::from_secs(1) + delay)
}
