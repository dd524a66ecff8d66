//! The clocks of this machine.

use std::any::TypeId;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Instant, SystemTime};

use perennial_core::credentials::{Now, Timestamp};

/// Where a session takes the time from. The default is [`SystemClock`]; implement it to share the clock of a test.
pub trait Clock: Send + Sync + 'static {
    /// Both clocks at this moment.
    fn now(&self) -> Now;

    /// The wall clock alone. It is looked at each time that credentials are read, so make it fast; it may be some
    /// milliseconds late.
    fn wall(&self) -> Timestamp {
        self.now().wall
    }

    /// Called by a session that is about to sleep. A clock that is moved by hand has to wake the sleeper when it moves;
    /// one that goes by itself does nothing here, which is the default.
    fn watch(&self, sleeper: &Waker) {
        let _ = sleeper;
    }

    /// How often it was moved by hand: a sleeper that sees another number than before looks at the time again.
    fn moves(&self) -> u64 {
        0
    }
}

/// The system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        static START: OnceLock<Instant> = OnceLock::new();
        let start = *START.get_or_init(Instant::now);
        Now { wall: system_wall(), monotonic: start.elapsed() }
    }

    /// The kernel's cached reading: a tenth of the price of an exact one.
    #[cfg(target_os = "linux")]
    #[inline]
    fn wall(&self) -> Timestamp {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        Timestamp::from_unix_millis(now.tv_sec.saturating_mul(1000).saturating_add(now.tv_nsec / 1_000_000))
    }

    #[cfg(not(target_os = "linux"))]
    fn wall(&self) -> Timestamp {
        system_wall()
    }
}

/// The clock of a session. The system's is asked directly: readers look at it in every read, and a call through a
/// table of functions would be a good part of the price.
#[derive(Clone)]
pub(crate) enum SessionClock {
    System,
    Other(Arc<dyn Clock>),
}

impl SessionClock {
    pub(crate) fn of<C: Clock>(clock: C) -> Self {
        if TypeId::of::<C>() == TypeId::of::<SystemClock>() { Self::System } else { Self::Other(Arc::new(clock)) }
    }
}

impl Clock for SessionClock {
    fn now(&self) -> Now {
        match self {
            Self::System => SystemClock.now(),
            Self::Other(clock) => clock.now(),
        }
    }

    #[inline]
    fn wall(&self) -> Timestamp {
        match self {
            Self::System => SystemClock.wall(),
            Self::Other(clock) => clock.wall(),
        }
    }

    fn watch(&self, sleeper: &Waker) {
        match self {
            Self::System => SystemClock.watch(sleeper),
            Self::Other(clock) => clock.watch(sleeper),
        }
    }

    fn moves(&self) -> u64 {
        match self {
            Self::System => SystemClock.moves(),
            Self::Other(clock) => clock.moves(),
        }
    }
}

fn system_wall() -> Timestamp {
    let millis = |since: std::time::Duration| i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    })
}

#[cfg(feature = "test-util")]
pub use manual::ManualClock;

#[cfg(feature = "test-util")]
mod manual {
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::Duration;

    use super::super::sync::Mutex;
    use super::super::wait::lock;
    use super::Clock;
    use perennial_core::credentials::{Now, Timestamp};

    /// A clock for tests: it stands still until it is moved, and wakes whoever sleeps by it then.
    #[derive(Clone, Debug, Default)]
    pub struct ManualClock(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        now: Now,
        moves: u64,
        sleepers: Vec<Waker>,
    }

    impl ManualClock {
        /// A clock that stands still at this time.
        pub fn at(wall: Timestamp) -> Self {
            let now = Now::new(wall, Duration::from_secs(1));
            Self(Arc::new(Mutex::new(State { now, ..State::default() })))
        }

        /// Time passes, on both clocks.
        pub fn advance(&self, by: Duration) {
            self.set(|now| Now { wall: now.wall.saturating_add(by), monotonic: now.monotonic + by });
        }

        /// The machine was suspended: only the wall clock went on.
        pub fn suspend(&self, by: Duration) {
            self.set(|now| Now { wall: now.wall.saturating_add(by), ..now });
        }

        /// Somebody set the wall clock.
        pub fn set_wall(&self, wall: Timestamp) {
            self.set(|now| Now { wall, ..now });
        }

        fn set(&self, change: impl FnOnce(Now) -> Now) {
            let sleepers = {
                let mut state = lock(&self.0);
                state.now = change(state.now);
                state.moves += 1;
                std::mem::take(&mut state.sleepers)
            };
            sleepers.into_iter().for_each(Waker::wake);
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Now {
            lock(&self.0).now
        }

        fn watch(&self, sleeper: &Waker) {
            let mut state = lock(&self.0);
            if !state.sleepers.iter().any(|known| known.will_wake(sleeper)) {
                state.sleepers.push(sleeper.clone());
            }
        }

        fn moves(&self) -> u64 {
            lock(&self.0).moves
        }
    }
}
