//! The one clock of an emulator, which its services live by and the test moves.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The latest time that an HTTP date can express: its year has four digits.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// The time of an emulator: what its tokens expire by, and what stands in the `Date` of its answers.
///
/// A test moves it with [`advance`](Clock::advance); nothing has to wait for real time. Clones are the same clock, so
/// the program under test can live by it too:
///
/// ```
/// use perennial_emulator::{Clock, Emulator};
/// use std::time::Duration;
///
/// let clock = Clock::still();
/// let service = Emulator::builder().clock(clock.clone()).start()?;
/// clock.advance(Duration::from_secs(3600)); // an hour later: access tokens have expired
/// assert_eq!(service.now(), clock.now());
/// # std::io::Result::Ok(())
/// ```
///
/// # Sharing it with a Perennial session
///
/// A session takes a `Clock` of `perennial-adapter`, which `perennial-hyper` and `perennial-blocking` re-export. This
/// crate does not depend on them; the bridge is three methods of one line each, in your test:
///
/// ```
/// # // Stands in for the crate, which this one does not depend on.
/// # mod perennial_hyper {
/// #     pub mod core {
/// #         use std::time::Duration;
/// #         #[derive(Debug, PartialEq)]
/// #         pub struct Timestamp(i64);
/// #         impl Timestamp { pub fn from_unix_millis(millis: i64) -> Self { Self(millis) } }
/// #         #[derive(Debug, PartialEq)]
/// #         pub struct Now { wall: Timestamp, monotonic: Duration }
/// #         impl Now { pub fn new(wall: Timestamp, monotonic: Duration) -> Self { Self { wall, monotonic } } }
/// #     }
/// #     pub trait Clock: Send + Sync + 'static {
/// #         fn now(&self) -> core::Now;
/// #         fn watch(&self, sleeper: &std::task::Waker) { let _ = sleeper; }
/// #         fn moves(&self) -> u64 { 0 }
/// #     }
/// # }
/// use perennial_hyper::Clock;
/// use perennial_hyper::core::{Now, Timestamp};
/// use std::task::Waker;
///
/// struct SharedClock(perennial_emulator::Clock);
///
/// impl Clock for SharedClock {
///     fn now(&self) -> Now { Now::new(Timestamp::from_unix_millis(self.0.unix_millis()), self.0.elapsed()) }
///     fn watch(&self, sleeper: &Waker) { self.0.watch(sleeper) }
///     fn moves(&self) -> u64 { self.0.moves() }
/// }
/// # let clock = perennial_emulator::Clock::still();
/// # let shared = SharedClock(clock.clone());
/// # let before = Clock::now(&shared);
/// # Clock::watch(&shared, Waker::noop());
/// # clock.advance(std::time::Duration::from_secs(1));
/// # assert!(Clock::now(&shared) != before && Clock::moves(&shared) == 1);
/// ```
///
/// Then `Session::builder(provider).clock(SharedClock(service.clock()))`: one `advance` ages the tokens at the
/// service and wakes the session that wants to renew them.
#[derive(Clone)]
pub struct Clock(Arc<Shared>);

struct Shared {
    pace: Pace,
    started: SystemTime,
    state: Mutex<State>,
}

/// How the clock goes by itself.
enum Pace {
    /// With the time of this machine, from this moment on.
    Real(Instant),
    /// Not at all.
    Still,
}

#[derive(Default)]
struct State {
    advanced: Duration,
    moves: u64,
    sleepers: Vec<Waker>,
    skew_seconds: i64,
}

impl Clock {
    /// A clock that goes with the time of this machine, and can be moved ahead of it.
    #[must_use]
    pub fn running() -> Self {
        Self::new(Pace::Real(Instant::now()), SystemTime::now())
    }

    /// A clock that starts now and stands still until it is moved: no token ages while a busy machine takes its time.
    #[must_use]
    pub fn still() -> Self {
        Self::still_at(SystemTime::now())
    }

    /// A clock that stands still at this time until it is moved.
    #[must_use]
    pub fn still_at(start: SystemTime) -> Self {
        Self::new(Pace::Still, start)
    }

    fn new(pace: Pace, started: SystemTime) -> Self {
        Self(Arc::new(Shared { pace, started, state: Mutex::default() }))
    }

    // -- Reading it.

    /// The true time. The server may believe in another one: [`Clock::server_time`].
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.0.started.checked_add(self.elapsed()).unwrap_or(self.0.started)
    }

    /// The true time in milliseconds since 1970.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        match self.now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since),
            Err(before) => -millis(before.duration()),
        }
    }

    /// The time since the clock was made, advances included. It only grows, and skew does not change it: tokens expire
    /// by it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let advanced = self.lock().advanced;
        match self.0.pace {
            Pace::Real(since) => since.elapsed().saturating_add(advanced),
            Pace::Still => advanced,
        }
    }

    /// What the server believes the time to be: the true time and the skew.
    #[must_use]
    pub fn server_time(&self) -> SystemTime {
        let skew = self.lock().skew_seconds;
        let size = Duration::from_secs(skew.unsigned_abs());
        let true_time = self.now();
        let skewed = if skew < 0 { true_time.checked_sub(size) } else { true_time.checked_add(size) };
        let (earliest, latest) = (UNIX_EPOCH, UNIX_EPOCH + LATEST);
        skewed.unwrap_or(if skew < 0 { earliest } else { latest }).clamp(earliest, latest)
    }

    /// [`Clock::server_time`] in seconds since 1970, for `iat` and `exp`.
    #[must_use]
    pub fn server_unix_seconds(&self) -> u64 {
        self.server_time().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// The `Date` header.
    pub(crate) fn date(&self) -> String {
        httpdate::fmt_http_date(self.server_time())
    }

    // -- Moving it.

    /// Moves the clock ahead: tokens age, `Date` goes with it, and whoever sleeps by this clock wakes up.
    pub fn advance(&self, by: Duration) {
        let sleepers = {
            let mut state = self.lock();
            state.advanced = state.advanced.saturating_add(by);
            state.moves += 1;
            std::mem::take(&mut state.sleepers)
        };
        sleepers.into_iter().for_each(Waker::wake);
    }

    /// From now on the server believes it is so many seconds later (earlier, if negative) than it is. This changes
    /// `Date` and the claims in tokens, not how fast they age.
    pub fn skew(&self, seconds: i64) {
        self.lock().skew_seconds = seconds;
    }

    // -- Sleeping by it.

    /// Wakes this sleeper once, when [`advance`](Clock::advance) moves the clock next.
    pub fn watch(&self, sleeper: &Waker) {
        let mut state = self.lock();
        if !state.sleepers.iter().any(|known| known.will_wake(sleeper)) {
            state.sleepers.push(sleeper.clone());
        }
    }

    /// How often it was moved. A sleeper that finds another number than before looks at the time again.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.lock().moves
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// [`Clock::running`].
impl Default for Clock {
    fn default() -> Self {
        Self::running()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).field("elapsed", &self.elapsed()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const HOUR: Duration = Duration::from_secs(3600);

    #[derive(Default)]
    struct Sleeper(AtomicUsize);

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_clock_is_moved_through_any_of_its_clones() {
        let clock = Clock::still_at(UNIX_EPOCH + HOUR);
        clock.clone().advance(HOUR);
        assert_eq!((clock.now(), clock.elapsed(), clock.unix_millis()), (UNIX_EPOCH + 2 * HOUR, HOUR, 7_200_000));
        let running = Clock::running();
        running.advance(HOUR);
        assert!(running.elapsed() >= HOUR);
    }

    #[test]
    fn a_skew_changes_what_the_server_says_and_not_how_fast_it_ages() {
        let clock = Clock::still_at(UNIX_EPOCH + HOUR);
        for (skew, seconds) in [(60, 3660), (-60, 3540), (-4000, 0), (i64::MIN, 0), (i64::MAX, LATEST.as_secs())] {
            clock.skew(skew);
            assert_eq!(clock.server_unix_seconds(), seconds, "{skew}");
            assert_eq!((clock.now(), clock.elapsed()), (UNIX_EPOCH + HOUR, Duration::ZERO));
        }
    }

    #[test]
    fn a_sleeper_is_woken_once_for_each_time_it_watches() {
        let (clock, sleeper) = (Clock::still(), Arc::new(Sleeper::default()));
        let waker = Waker::from(sleeper.clone());
        clock.watch(&waker);
        clock.watch(&waker);
        for moves in 1..=3 {
            clock.advance(HOUR);
            assert_eq!((sleeper.0.load(Ordering::Relaxed), clock.moves()), (1, moves));
        }
    }
}
