//! The service, in the same process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use perennial_adapter::ManualClock;
use perennial_blocking::{SessionBuilder, Transport};
use perennial_core::{LeaseId, Request, Response, Timestamp, TransportError};
use perennial_testing::{Asked, Life, Lives, Said, ScriptedReply, Service, Toy, Who};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;

use crate::explore::is_replay;

/// What the service grants: an access token for an hour, and nothing else that would have to be renewed.
const LIVES: Lives = Lives { access: Life::Hour, aws: None };

/// Where requests arrive: the toy's service, what it is to do next, and what it was asked. Clones are one desk.
#[derive(Clone, Default)]
pub struct Desk {
    /// The clock of the sessions. It stands until somebody moves it.
    pub clock: ManualClock,
    inner: Arc<Mutex<Inner>>,
    arrived: Arc<Condvar>,
}

#[derive(Default)]
struct Inner {
    service: Service,
    script: VecDeque<ScriptedReply>,
    asked: Vec<Asked>,
    last_serial: u64,
}

impl Desk {
    /// A service that does what it is asked.
    pub fn new() -> Self {
        Self { clock: ManualClock::at(Timestamp::from_unix_millis(1_700_000_000_000)), ..Self::default() }
    }

    /// A session of Ann's.
    pub fn setup(&self) -> SessionBuilder<Toy> {
        self.stranger().login(Who::Ann.login())
    }

    /// A session without a login.
    pub fn stranger(&self) -> SessionBuilder<Toy> {
        let setup = SessionBuilder::new(Toy).clock(self.clock.clone()).seed(1);
        // Of one schedule one wants to know what happened.
        if is_replay() { setup.on_event(|event| println!("{event}")) } else { setup }
    }

    /// What becomes of the next requests; after these the service works again.
    pub fn will(&self, outcomes: impl IntoIterator<Item = ScriptedReply>) {
        self.inner.lock().unwrap().script.extend(outcomes);
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// How many requests came that renew or sign in.
    pub fn renewals(&self) -> usize {
        let inner = self.inner.lock().unwrap();
        inner.asked.iter().filter(|asked| !matches!(asked, Asked::SignOut { .. })).count()
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, requests: usize) {
        let inner = self.inner.lock().unwrap();
        drop(self.arrived.wait_while(inner, |inner| inner.asked.len() < requests).unwrap());
    }

    /// How often a refresh token came a second time.
    pub fn reuses(&self) -> u64 {
        self.inner.lock().unwrap().service.reuses()
    }

    /// The number of the last grant: its tokens end in it.
    pub fn last_serial(&self) -> u64 {
        self.inner.lock().unwrap().last_serial
    }

    /// Whether the last access token that was granted has been signed out.
    pub fn is_last_signed_out(&self) -> bool {
        let inner = self.inner.lock().unwrap();
        let end = format!("-access-{}", inner.last_serial);
        inner.service.signed_out().iter().any(|token| token.ends_with(&end))
    }

    /// Answers one request, as one step.
    fn answer(&self, request: &Request) -> Result<Response, TransportError> {
        let asked = Service::read(request).expect("a request of the toy's");
        let mut inner = self.inner.lock().unwrap();
        let outcome = inner.script.pop_front().unwrap_or(ScriptedReply::Works(LIVES));
        inner.asked.push(asked.clone());
        let answered = inner.service.answer(&asked, outcome);
        if let Said::Granted(facts) = &answered.said {
            inner.last_serial = facts.serial;
        }
        self.arrived.notify_all();
        answered.delivery
    }

    /// As [`answer`](Self::answer), for tasks: there and back take time.
    pub(crate) async fn reply(&self, request: Request) -> Result<Response, TransportError> {
        shuttle::future::yield_now().await;
        let answer = self.answer(&request);
        shuttle::future::yield_now().await;
        answer
    }
}

/// For threads: there and back take time.
impl Transport for Desk {
    fn send(&self, request: Request) -> Result<Response, TransportError> {
        thread::yield_now();
        let answer = self.answer(&request);
        thread::yield_now();
        answer
    }
}

/// The number of the grant that a token is of.
pub(crate) fn serial_of(credentials: &perennial_core::Credentials) -> u64 {
    let token = credentials.access().expose();
    token.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a token of the toy's")
}

/// The only need that these stories look at.
pub(crate) const NEED: LeaseId = LeaseId::Access;
