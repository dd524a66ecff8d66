//! The server's clock: it goes on, or stands, and is moved ahead and skewed by the test.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How the clock goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// With the time of this machine.
    #[default]
    Real,
    /// Not at all.
    Still,
}

/// Two readings: an age that only grows (tokens live by it), and a wall time (the `Date` header).
pub(crate) struct Clock {
    pace: Pace,
    started: Instant,
    started_wall: SystemTime,
    advanced: Mutex<Duration>,
    skew_seconds: AtomicI64,
}

impl Clock {
    pub(crate) fn start(pace: Pace) -> Self {
        Self {
            pace,
            started: Instant::now(),
            started_wall: SystemTime::now(),
            advanced: Mutex::new(Duration::ZERO),
            skew_seconds: AtomicI64::new(0),
        }
    }

    /// Time since the start, advances included, skew not: skew changes what the server says, not how fast it
    /// ages.
    pub(crate) fn age(&self) -> Duration {
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        match self.pace {
            Pace::Real => self.started.elapsed().saturating_add(advanced),
            Pace::Still => advanced,
        }
    }

    /// The true time by this clock.
    pub(crate) fn now(&self) -> SystemTime {
        self.started_wall.checked_add(self.age()).unwrap_or(self.started_wall)
    }

    /// What the server believes the time to be.
    pub(crate) fn wall(&self) -> SystemTime {
        let skew = self.skew_seconds.load(Ordering::Relaxed);
        let size = Duration::from_secs(skew.unsigned_abs());
        let true_time = self.now();
        let skewed = if skew < 0 { true_time.checked_sub(size) } else { true_time.checked_add(size) };
        // An HTTP date has four digits for the year and begins in 1970.
        let earliest = UNIX_EPOCH;
        let latest = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        skewed.unwrap_or(if skew < 0 { earliest } else { latest }).clamp(earliest, latest)
    }

    /// Seconds since 1970 by the server's wall clock.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// The `Date` header.
    pub(crate) fn date(&self) -> String {
        httpdate::fmt_http_date(self.wall())
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        *advanced = advanced.saturating_add(by);
    }

    pub(crate) fn skew(&self, seconds: i64) {
        self.skew_seconds.store(seconds, Ordering::Relaxed);
    }
}
