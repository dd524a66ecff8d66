//! The emulated service on loopback, and a clock that runs and can be set ahead.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_adapter::{Clock, SessionBuilder, SystemClock};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Error, Now, Timestamp};
use perennial_emulator::{Emulator, Endpoint, NavienSettings};
use tokio::runtime::{Builder, Runtime};

/// How long access tokens live.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// The service, and the time of its sessions.
pub struct Service {
    /// On loopback, over plain HTTP.
    pub emulator: Emulator,
    /// For the sessions.
    pub clock: LeapClock,
}

impl Service {
    /// Whose AWS credentials live on while access tokens come and go.
    ///
    /// # Panics
    /// Where loopback has no free port.
    #[must_use]
    pub fn start() -> Self {
        let settings = NavienSettings {
            access_lifetime: LIFETIME,
            aws_lifetime: Some(300 * LIFETIME),
            ..NavienSettings::default()
        };
        let emulator = Emulator::builder().navien(settings).start().expect("loopback has free ports");
        Self { emulator, clock: LeapClock::default() }
    }

    /// A session here, with the account's login.
    ///
    /// # Panics
    /// Never: the emulator's address is one.
    pub fn setup(&self) -> SessionBuilder<Navien> {
        let provider = Navien::new(&self.emulator.navien_url()).expect("the emulator's address is one");
        let login = Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD).expect("both halves are there");
        SessionBuilder::new(provider).login(login).clock(self.clock.clone()).seed(1)
    }

    /// Time passes at once, for the service and its sessions.
    pub fn pass(&self, time: Duration) {
        self.emulator.advance(time);
        self.clock.leap(time);
    }

    /// How many token requests it got.
    #[must_use]
    pub fn requests(&self) -> usize {
        [Endpoint::SignIn, Endpoint::Refresh].map(|endpoint| self.emulator.requests_to(endpoint).len()).iter().sum()
    }
}

/// The system's clocks, set ahead by leaps.
#[derive(Clone, Debug, Default)]
pub struct LeapClock(Arc<Leaps>);

#[derive(Debug, Default)]
struct Leaps {
    ahead_millis: AtomicU64,
    count: AtomicU64,
    sleepers: Mutex<Vec<Waker>>,
}

impl LeapClock {
    /// Sets it ahead, and wakes who sleeps by it.
    pub fn leap(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.ahead_millis.fetch_add(millis, Ordering::SeqCst);
        self.0.count.fetch_add(1, Ordering::SeqCst);
        let sleepers = std::mem::take(&mut *self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        sleepers.into_iter().for_each(Waker::wake);
    }

    fn ahead(&self) -> Duration {
        Duration::from_millis(self.0.ahead_millis.load(Ordering::SeqCst))
    }
}

impl Clock for LeapClock {
    fn now(&self) -> Now {
        let (now, ahead) = (SystemClock.now(), self.ahead());
        Now { wall: now.wall.saturating_add(ahead), monotonic: now.monotonic.saturating_add(ahead) }
    }

    fn wall(&self) -> Timestamp {
        SystemClock.wall().saturating_add(self.ahead())
    }

    fn watch(&self, sleeper: &Waker) {
        let mut sleepers = self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if !sleepers.iter().any(|known| known.will_wake(sleeper)) {
            sleepers.push(sleeper.clone());
        }
    }

    fn moves(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }
}

/// A runtime with as many threads as the machine has cores.
///
/// # Panics
/// Where there is none to be had.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime can be had")
}

/// What a future says that does not wait; `None` where it waits, or fails.
pub fn at_once<T>(future: impl Future<Output = Result<T, Error>>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    }
}
