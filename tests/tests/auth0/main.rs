//! What a session does at a site with Auth0's sign-in pages, over both adapters, at the emulated site.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod keeping;
mod operations;
mod redirects;
mod refusals;
mod sides;
mod times;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use perennial_adapter::{ManualClock, SessionBuilder};
use perennial_core::providers::auth0::{Auth0, Builder, Login};
use perennial_core::wire::Body;
use perennial_core::{Credentials, Error, Event, Generation, LeaseId, Request, ServiceErrorKind};
use perennial_emulator::{Auth0Settings, Emulator, Endpoint};
use perennial_tests::{Heard, Link, TIMEOUT, clock_of};

use sides::Side;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WALK: [Endpoint; 5] = [
    Endpoint::Auth0LoginPage,
    Endpoint::Auth0PasswordPage,
    Endpoint::Auth0Submit,
    Endpoint::Auth0Resume,
    Endpoint::Auth0Landing,
];

/// A site and a clock.
struct World {
    emulator: Emulator,
    clock: ManualClock,
    heard: Heard,
}

fn login() -> Login {
    Login::new(Auth0Settings::EMAIL, Auth0Settings::PASSWORD).unwrap()
}

fn wrong_login() -> Login {
    Login::new(Auth0Settings::EMAIL, "wrong").unwrap()
}

impl World {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Auth0Settings)) -> Self {
        Self::start(change, Emulator::builder())
    }

    fn start(change: impl FnOnce(&mut Auth0Settings), builder: perennial_emulator::Builder) -> Self {
        let mut settings = Auth0Settings::default();
        change(&mut settings);
        let emulator = builder.auth0(settings).still().start().unwrap();
        Self { clock: clock_of(&emulator), emulator, heard: Heard::default() }
    }

    fn site(&self) -> Builder {
        Auth0::builder(&self.emulator.auth0_url()).auth_url(&self.emulator.auth0_auth_url()).timeout(TIMEOUT)
    }

    fn provider(&self) -> Auth0 {
        self.site().build().unwrap()
    }

    fn setup_at(&self, provider: Auth0) -> SessionBuilder<Auth0> {
        SessionBuilder::new(provider).clock(self.clock.clone()).on_event(self.heard.listener()).seed(1)
    }

    fn stranger(&self) -> SessionBuilder<Auth0> {
        self.setup_at(self.provider())
    }

    fn link(&self) -> Link {
        Link { root: self.emulator.root_certificate().to_vec(), before: Arc::new(|_| ()) }
    }

    fn build<S: Side>(&self) -> S {
        S::build(self.link(), self.stranger().login(login())).unwrap()
    }

    fn connect<S: Side>(&self) -> S {
        let session: S = self.build();
        session.credentials().unwrap();
        session
    }

    fn pass(&self, time: Duration) {
        self.emulator.advance(time);
        self.clock.advance(time);
    }

    /// The same, and the session does all that it does then.
    fn pass_for<S: Side>(&self, session: &S, time: Duration) {
        self.pass(time);
        session.settle();
    }

    fn requests(&self) -> usize {
        self.emulator.requests().len()
    }

    fn accepts(&self, credentials: &Credentials) -> bool {
        self.emulator.auth0().is_token_valid(credentials.access().expose())
    }

    /// An API call with these headers.
    fn call(&self, headers: &HeaderMap) -> u16 {
        let mut http = http::Request::new(Body::empty());
        *http.uri_mut() = format!("{}/api/me", self.emulator.auth0_url()).parse().unwrap();
        *http.headers_mut() = headers.clone();
        let transport = perennial_blocking::HttpTransport::new();
        perennial_blocking::Transport::send(&transport, Request::new(http)).unwrap().status().as_u16()
    }

    fn has_heard(&self, event: impl Fn(&Event) -> bool) -> bool {
        self.heard.count(event) > 0
    }
}

fn generation(credentials: &Credentials) -> u64 {
    let generation: Generation = credentials.generation(LeaseId::Access);
    generation.get()
}

fn kind(error: &Error) -> Option<ServiceErrorKind> {
    match error {
        Error::Service(error) => Some(error.kind()),
        _ => None,
    }
}

fn is_malformed(error: &Error) -> bool {
    matches!(kind(error), Some(ServiceErrorKind::Malformed { .. }))
}
