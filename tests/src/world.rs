//! A service and a clock.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use perennial_adapter::{ManualClock, SessionBuilder};
use perennial_core::providers::navien::{Login, Navien};
use perennial_core::{Credentials, Error, LeaseId, Timestamp};
use perennial_emulator::{Emulator, Endpoint, NavienSettings};

use crate::heard::Heard;
use crate::leaks::Secrets;
use crate::subject::{Link, Subject};

/// The deadline of every request: long enough for a busy machine. No test waits for it.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A clock for sessions that shows what the emulator's does, and stands until the test moves it.
pub fn clock_of(emulator: &Emulator) -> ManualClock {
    let now = emulator.now().duration_since(UNIX_EPOCH).expect("these are later days");
    ManualClock::at(Timestamp::from_unix_millis(now.as_millis().try_into().expect("a date")))
}

/// An emulator, a clock that stands still, and what sessions made here have said.
pub struct World {
    /// The service.
    pub emulator: Emulator,
    /// The clock of the sessions.
    pub clock: ManualClock,
    /// Their events.
    pub heard: Heard,
}

/// The login of the emulator's account.
pub fn login() -> Login {
    Login::new(NavienSettings::EMAIL, NavienSettings::PASSWORD).expect("both halves are there")
}

impl World {
    /// Over plain HTTP, with the emulator's usual settings.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// Over plain HTTP, with other settings.
    pub fn with(change: impl FnOnce(&mut NavienSettings)) -> Self {
        Self::start(change, Emulator::builder())
    }

    /// Over TLS, with other settings.
    pub fn https(change: impl FnOnce(&mut NavienSettings)) -> Self {
        Self::start(change, Emulator::builder().https())
    }

    /// Over plain HTTP, with other settings, for programs that turn the emulator's knobs over HTTP.
    pub fn controlled(change: impl FnOnce(&mut NavienSettings)) -> Self {
        Self::start(change, Emulator::builder().control())
    }

    fn start(change: impl FnOnce(&mut NavienSettings), builder: perennial_emulator::Builder) -> Self {
        let mut settings = NavienSettings::default();
        change(&mut settings);
        let emulator = builder.navien(settings).still().start().expect("loopback has free ports");
        Self { clock: clock_of(&emulator), emulator, heard: Heard::default() }
    }

    // -- Making sessions

    /// The provider, at the emulator.
    pub fn provider(&self) -> Navien {
        Navien::new(&self.emulator.navien_url()).expect("the emulator's address is one")
    }

    /// A session of this world, without a login.
    pub fn stranger(&self) -> SessionBuilder<Navien> {
        SessionBuilder::new(self.provider())
            .request_timeout(TIMEOUT)
            .clock(self.clock.clone())
            .on_event(self.heard.listener())
            .seed(1)
    }

    /// A session of this world, with the account's login.
    pub fn setup(&self) -> SessionBuilder<Navien> {
        self.stranger().login(login())
    }

    /// The adapter's own HTTP to the emulator.
    pub fn link(&self) -> Link {
        Link { root: self.emulator.root_certificate().to_vec(), before: Arc::new(|_| ()) }
    }

    /// A session of the usual kind, not yet asked for anything.
    pub fn build<S: Subject>(&self) -> S {
        self.try_build(self.setup()).expect("nothing is restored")
    }

    /// A session of any kind, not yet asked for anything.
    pub fn try_build<S: Subject>(&self, setup: SessionBuilder<Navien>) -> Result<S, Error> {
        S::build(self.link(), setup)
    }

    /// A session of the usual kind that is signed in.
    pub fn connect<S: Subject>(&self) -> S {
        self.connect_with(self.setup())
    }

    /// A session of any kind that is signed in.
    pub fn connect_with<S: Subject>(&self, setup: SessionBuilder<Navien>) -> S {
        S::connect(self.link(), setup).expect("the emulator signs in")
    }

    // -- Time

    /// Time passes for the service and for the sessions.
    pub fn pass(&self, time: Duration) {
        // The service first: whoever wakes up finds it as late as it is.
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    /// The same, and the session does all that it does then.
    pub fn pass_for<S: Subject>(&self, session: &S, time: Duration) {
        self.pass(time);
        session.settle();
    }

    /// Time passes, in seconds.
    pub fn pass_seconds(&self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    // -- Looking

    /// Whether the service takes these credentials.
    pub fn accepts(&self, lease_id: LeaseId, credentials: &Credentials) -> bool {
        let navien = self.emulator.navien();
        match (lease_id, credentials.aws()) {
            (LeaseId::Access, _) => navien.is_access_valid(credentials.access().expose()),
            (LeaseId::Aws, None) => false,
            (LeaseId::Aws, Some(aws)) => navien.is_aws_valid(
                aws.access_key_id().expose(),
                aws.secret_access_key().expose(),
                aws.session_token().expose(),
            ),
        }
    }

    /// How many requests the service got, at one endpoint.
    pub fn requests_to(&self, endpoint: Endpoint) -> usize {
        self.emulator.requests_to(endpoint).len()
    }

    /// How many requests the service got.
    pub fn requests(&self) -> usize {
        self.emulator.requests().len()
    }

    /// Waits until the service got so many requests at one endpoint (answered or not).
    pub fn wait_for(&self, endpoint: Endpoint, count: usize) -> bool {
        self.emulator.wait_until(crate::LONG, |requests| {
            requests.iter().filter(|request| request.endpoint == Some(endpoint)).count() >= count
        })
    }

    /// All secrets that were sent here.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add(NavienSettings::PASSWORD);
        let navien = self.emulator.navien();
        let newest = [navien.newest_access(NavienSettings::EMAIL), navien.newest_refresh(NavienSettings::EMAIL)];
        newest.into_iter().flatten().for_each(|token| secrets.add(&token));
        for request in self.emulator.requests() {
            if let Some(token) = request.header("authorization") {
                secrets.add(token);
            }
            if let Some(token) = request.json().and_then(|body| body["refreshToken"].as_str().map(str::to_owned)) {
                secrets.add(&token);
            }
        }
        secrets
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
