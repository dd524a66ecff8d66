//! The running emulator: where it is, what it does, what it saw.

use crate::auth0::{Auth0, Auth0Handle};
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::faults::{Fault, Script};
use crate::mosaia::{self, Mosaia, MosaiaHandle};
use crate::mqtt::{Bridge, MqttHandle};
use crate::navien::{self, Navien, NavienHandle};
use crate::recording::{Recorded, Recording};
use crate::server::Server;
use crate::service::Paths;
use crate::settrade::{Settrade, SettradeHandle};
use crate::tls::Identity;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// The running emulator. Dropping it ends every listener, connection and thread.
pub struct Emulator {
    pub(crate) clock: Clock,
    pub(crate) script: Arc<Script>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) trapped: Arc<Recording>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) auth0: Arc<Auth0>,
    pub(crate) auth0_auth_url: String,
    pub(crate) _auth0_pages: Vec<Server>,
    pub(crate) mosaia: Arc<Mosaia>,
    pub(crate) mqtt: Arc<Bridge>,
    pub(crate) navien: Arc<Navien>,
    pub(crate) settrade: Arc<Settrade>,
    pub(crate) paths: Paths,
    pub(crate) http: Server,
    pub(crate) https: Option<(Server, Identity)>,
    pub(crate) trap: Server,
}

impl Emulator {
    // -- Where it is.

    /// `http://127.0.0.1:PORT`, or the https one if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        self.https_url().unwrap_or_else(|| self.http_url())
    }

    /// The plain listener, which is always there.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http.port())
    }

    /// The TLS listener, after [`Builder::https`](crate::Builder::https).
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.https.as_ref().map(|(server, _)| format!("https://127.0.0.1:{}", server.port()))
    }

    /// The site with Auth0's sign-in pages: [`Emulator::url`].
    #[must_use]
    pub fn auth0_url(&self) -> String {
        self.url()
    }

    /// The address of the sign-in pages themselves, which are on another host than the site: `localhost`, with a
    /// listener of its own.
    #[must_use]
    pub fn auth0_auth_url(&self) -> String {
        self.auth0_auth_url.clone()
    }

    /// Mosaia's API, without its version, and its app: [`Emulator::url`] and `/mosaia`.
    #[must_use]
    pub fn mosaia_url(&self) -> String {
        self.url() + mosaia::BASE
    }

    /// Navien's base: [`Emulator::url`] and `/api/v2.1`.
    #[must_use]
    pub fn navien_url(&self) -> String {
        self.url() + navien::BASE
    }

    /// Settrade's base: [`Emulator::url`].
    #[must_use]
    pub fn settrade_url(&self) -> String {
        self.url()
    }

    /// The listener that redirects point at. Nothing should ever be sent there.
    #[must_use]
    pub fn trap_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.trap.port())
    }

    /// The root certificate to trust, DER; empty without https. Made anew at every start.
    #[must_use]
    pub fn root_certificate(&self) -> &[u8] {
        self.https.as_ref().map_or(&[], |(_, identity)| &identity.root_der)
    }

    /// The root certificate to trust, PEM; empty without https.
    #[must_use]
    pub fn root_certificate_pem(&self) -> &str {
        self.https.as_ref().map_or("", |(_, identity)| &identity.root_pem)
    }

    /// Which endpoint a path belongs to, on whichever of its hosts.
    #[must_use]
    pub fn paths(&self) -> Paths {
        self.paths.clone()
    }

    // -- What it does.

    /// The site with Auth0's sign-in pages: accounts, tokens, counters.
    #[must_use]
    pub fn auth0(&self) -> Auth0Handle {
        Auth0Handle::new(self.auth0.clone())
    }

    /// The Mosaia service: accounts, clients, tokens, counters.
    #[must_use]
    pub fn mosaia(&self) -> MosaiaHandle {
        MosaiaHandle::new(self.mosaia.clone())
    }

    /// The MQTT endpoints of all services: who was let in and who was not.
    #[must_use]
    pub fn mqtt(&self) -> MqttHandle {
        MqttHandle::new(self.mqtt.clone())
    }

    /// The Navien service: accounts, tokens, counters.
    #[must_use]
    pub fn navien(&self) -> NavienHandle {
        NavienHandle::new(self.navien.clone())
    }

    /// The Settrade service: apps, tokens, counters.
    #[must_use]
    pub fn settrade(&self) -> SettradeHandle {
        SettradeHandle::new(self.settrade.clone())
    }

    /// The clock that its services live by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Moves the clock ahead: tokens age, and `Date` goes with it. [`Clock::advance`].
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The true time, before any skew. [`Clock::now`].
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// From now on the server believes it is so many seconds later (earlier, if negative) than it is. Changes
    /// `Date` and the claims in tokens, not their age. [`Clock::skew`].
    pub fn skew(&self, seconds: i64) {
        self.clock.skew(seconds);
    }

    /// Plays the fault on the next request to that endpoint. Called several times, it plays the faults one after the
    /// other, one on each request.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.script.once(endpoint, fault);
    }

    /// Plays the fault on every request to that endpoint for which no other is scripted.
    pub fn fault_always(&self, endpoint: Endpoint, fault: Fault) {
        self.script.always(endpoint, fault);
    }

    /// Removes all faults, those of [`fault`](Self::fault) and of [`fault_always`](Self::fault_always).
    pub fn clear_faults(&self) {
        self.script.clear();
    }

    /// How many faults are scripted and not played yet (standing ones not counted).
    #[must_use]
    pub fn faults_waiting(&self) -> usize {
        self.script.waiting()
    }

    // -- What it saw.

    /// How many connections were opened, those without a request too.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.recording.all()
    }

    /// Every request so far to that endpoint.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| endpoint == Endpoint::Any || request.endpoint == Some(endpoint));
        requests
    }

    /// Waits until this many requests have arrived, answered or not, or the timeout is over. Returns all requests so
    /// far in both cases.
    #[must_use]
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> Vec<Recorded> {
        self.wait_until(timeout, |requests| requests.len() >= count);
        self.requests()
    }

    /// Waits until the list fulfils the condition; false if the time is up first.
    pub fn wait_until(&self, timeout: Duration, condition: impl Fn(&[Recorded]) -> bool) -> bool {
        self.recording.wait_until(timeout, &condition)
    }

    /// Everything that was sent to the trap.
    #[must_use]
    pub fn trap_requests(&self) -> Vec<Recorded> {
        self.trapped.all()
    }
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("url", &self.url()).field("clock", &self.clock).finish_non_exhaustive()
    }
}
