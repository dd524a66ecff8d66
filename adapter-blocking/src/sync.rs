//! Threads, and the clock by which they sleep: the standard library's. Under `--cfg shuttle` those of a checker that
//! tries out schedules.

#[cfg(not(shuttle))]
mod chosen {
    pub(crate) use std::time::Instant;
    pub(crate) use std::{thread, thread_local};
}

#[cfg(shuttle)]
mod chosen {
    use std::time::Duration;

    pub(crate) use perennial_adapter::shuttle::{thread, thread_local};

    /// Stands still: no sleep ends by itself, only when the session's clock is moved.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Instant(Duration);

    impl Instant {
        pub(crate) fn now() -> Self {
            Self(Duration::ZERO)
        }

        pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
            self.0.checked_add(duration).map(Self)
        }

        pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
            self.0.saturating_sub(earlier.0)
        }
    }
}

pub(crate) use self::chosen::{Instant, thread, thread_local};
