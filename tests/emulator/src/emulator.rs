//! The front: starts everything, holds it, and lets the test turn the knobs.

use crate::auth0::{Addresses, Auth0, Auth0Handle, Auth0Settings, AuthHost, WebHost};
use crate::clock::Clock;
use crate::control::Control;
use crate::endpoint::Endpoint;
use crate::faults::{Fault, Script};
use crate::mosaia::{self, Mosaia, MosaiaHandle, MosaiaSettings};
use crate::mqtt::{Bridge, MqttHandle};
use crate::navien::{self, Navien, NavienHandle, NavienSettings};
use crate::recording::{Recorded, Recording};
use crate::server::Server;
use crate::service::{Paths, Service};
use crate::settrade::{Settrade, SettradeHandle, SettradeSettings};
use crate::site::{Site, Trap};
use crate::tls::Identity;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

/// Says what to start. Made by [`Emulator::builder`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    https: bool,
    control: bool,
    clock: Option<Clock>,
    port: u16,
    mqtt_broker: Option<SocketAddr>,
    auth0: Auth0Settings,
    mosaia: MosaiaSettings,
    navien: NavienSettings,
    settrade: SettradeSettings,
}

impl Builder {
    /// Listens on TLS too, and makes that the one that [`Emulator::url`] names.
    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    /// Offers `/_control/…`, by which programs in other languages turn the knobs.
    ///
    /// | request | body | does |
    /// | --- | --- | --- |
    /// | `POST advance`, `skew` | `{"seconds": N}` | moves or skews the server's clock |
    /// | `POST revoke_access`, `revoke_refresh`, `revoke_session` | `{"email"}` | to that account |
    /// | `POST lock`, `unlock` | `{"email"}` | to that account |
    /// | `POST change_password`, `add_account` | `{"email", "password"}` | to that account |
    /// | `POST settings` | some of the three below | from now on |
    /// | `POST fault` | `{"endpoint": "refresh", "fault": "lost answer"}` | the first of that name in [`Fault::all`] |
    /// | `POST clear_faults` | `{}` | all goes well again |
    /// | `GET requests`, `trap_requests` | | the recordings |
    /// | `GET counters` | | sign-ins, refreshes, … |
    /// | `POST mosaia_lock`, `mosaia_unlock`, `mosaia_revoke_access`, … | `{"owner"}` | Mosaia, as its handle does |
    /// | `POST mosaia_settings`, `GET mosaia_counters` | | the same for Mosaia |
    ///
    /// Settings: `{"access_lifetime": N, "aws_lifetime": N or null, "endpoint_set": "old" or "new"}`.
    ///
    /// These requests are not recorded and meet no faults, except those that strike before reading: they
    /// strike whatever connection comes next.
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// The clock that it lives by, which the program under test can live by too. Without this it has one of its own,
    /// which goes with the time of this machine.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Its clock stands still until [`Emulator::advance`] moves it, so that no token ages while a busy machine takes
    /// its time: a [`Clock::still`].
    pub fn still(self) -> Self {
        self.clock(Clock::still())
    }

    /// The port of the plain listener; 0, the default, takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The MQTT broker behind the WebSockets at `/mqtt` (Navien) and `/api/dispatcher/v3/…/mqtt` (Settrade): plain
    /// MQTT over TCP, a [`Mosquitto`](crate::Mosquitto) for one. Without it nobody is let in.
    pub fn mqtt_broker(mut self, address: SocketAddr) -> Self {
        self.mqtt_broker = Some(address);
        self
    }

    /// How the site with Auth0's sign-in pages is to behave.
    pub fn auth0(mut self, settings: Auth0Settings) -> Self {
        self.auth0 = settings;
        self
    }

    /// How Mosaia is to behave.
    pub fn mosaia(mut self, settings: MosaiaSettings) -> Self {
        self.mosaia = settings;
        self
    }

    /// How Navien is to behave.
    pub fn navien(mut self, settings: NavienSettings) -> Self {
        self.navien = settings;
        self
    }

    /// How Settrade is to behave.
    pub fn settrade(mut self, settings: SettradeSettings) -> Self {
        self.settrade = settings;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// If a port cannot be had, or (with https) no certificate be made.
    pub fn start(self) -> io::Result<Emulator> {
        let clock = self.clock.unwrap_or_default();
        let script = Arc::new(Script::default());
        let recording = Arc::new(Recording::default());
        let trapped = Arc::new(Recording::default());
        let connections = Arc::new(AtomicUsize::new(0));
        let auth0 = Arc::new(Auth0::new(self.auth0, clock.clone()));
        let mosaia = Arc::new(Mosaia::new(self.mosaia, clock.clone()));
        let navien = Arc::new(Navien::new(self.navien, clock.clone()));
        let settrade = Arc::new(Settrade::new(self.settrade, clock.clone()));

        let mqtt = Arc::new(Bridge::new(self.mqtt_broker));

        let trap = Trap { recording: trapped.clone(), clock: clock.clone() };
        let trap = Server::start(0, None, Arc::new(trap), Arc::default())?;
        let control = self.control.then(|| Control {
            clock: clock.clone(),
            script: script.clone(),
            recording: recording.clone(),
            trapped: trapped.clone(),
            mosaia: MosaiaHandle::new(mosaia.clone()),
            navien: NavienHandle::new(navien.clone()),
        });
        let services: Vec<Arc<dyn Service>> =
            vec![Arc::new(WebHost(auth0.clone())), mosaia.clone(), navien.clone(), settrade.clone()];
        let auth_host: Arc<dyn Service> = Arc::new(AuthHost(auth0.clone()));
        let paths = Paths(services.iter().chain([&auth_host]).cloned().collect());
        let site = Arc::new(Site {
            services,
            script: script.clone(),
            recording: recording.clone(),
            clock: clock.clone(),
            trap_url: format!("http://127.0.0.1:{}", trap.port()),
            control,
            mqtt: mqtt.clone(),
            mqtt_access: vec![(Endpoint::Mqtt, navien.clone()), (Endpoint::SettradeMqtt, settrade.clone())],
        });
        // The sign-in pages are on a host of their own.
        let pages = Arc::new(Site {
            services: vec![auth_host],
            script: script.clone(),
            recording: recording.clone(),
            clock: clock.clone(),
            trap_url: site.trap_url.clone(),
            control: None,
            mqtt: Arc::default(),
            mqtt_access: Vec::new(),
        });
        let mut auth_pages = vec![Server::start(0, None, pages.clone(), connections.clone())?];
        let http = Server::start(self.port, None, site.clone(), connections.clone())?;
        let https = if self.https {
            let identity = Identity::make()?;
            let server = Server::start(0, Some(identity.config.clone()), site, connections.clone())?;
            auth_pages.push(Server::start(0, Some(identity.config.clone()), pages, connections.clone())?);
            Some((server, identity))
        } else {
            None
        };
        let addresses = |scheme: &str, web: &Server, auth: &Server| Addresses {
            web: format!("{scheme}://127.0.0.1:{}", web.port()),
            auth: format!("{scheme}://localhost:{}", auth.port()),
        };
        let plain = addresses("http", &http, &auth_pages[0]);
        let secure = https.as_ref().zip(auth_pages.get(1));
        let secure = secure.map(|((web, _), auth)| addresses("https", web, auth));
        let auth0_url = secure.as_ref().unwrap_or(&plain).auth.clone();
        auth0.listens_at(plain, secure);
        Ok(Emulator {
            clock,
            script,
            recording,
            trapped,
            connections,
            auth0,
            auth0_url,
            _auth_pages: auth_pages,
            mosaia,
            mqtt,
            navien,
            settrade,
            paths,
            http,
            https,
            trap,
        })
    }
}

/// The running emulator. Dropping it ends every listener, connection and thread.
pub struct Emulator {
    clock: Clock,
    script: Arc<Script>,
    recording: Arc<Recording>,
    trapped: Arc<Recording>,
    connections: Arc<AtomicUsize>,
    auth0: Arc<Auth0>,
    auth0_url: String,
    _auth_pages: Vec<Server>,
    mosaia: Arc<Mosaia>,
    mqtt: Arc<Bridge>,
    navien: Arc<Navien>,
    settrade: Arc<Settrade>,
    paths: Paths,
    http: Server,
    https: Option<(Server, Identity)>,
    trap: Server,
}

impl Emulator {
    /// Begins with plain HTTP on a free port and the default account.
    pub fn builder() -> Builder {
        Builder::default()
    }

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

    /// The TLS listener, after [`Builder::https`].
    #[must_use]
    pub fn https_url(&self) -> Option<String> {
        self.https.as_ref().map(|(server, _)| format!("https://127.0.0.1:{}", server.port()))
    }

    /// The site with Auth0's sign-in pages: [`Emulator::url`].
    #[must_use]
    pub fn auth0_url(&self) -> String {
        self.url()
    }

    /// The host of those pages, another one: `localhost`, with a listener of its own.
    #[must_use]
    pub fn auth0_auth_url(&self) -> String {
        self.auth0_url.clone()
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

    /// Plays the fault on the next request to that endpoint; said twice, on the next two.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault) {
        self.script.once(endpoint, fault);
    }

    /// Plays the fault on every request to that endpoint for which no other is scripted.
    pub fn fault_always(&self, endpoint: Endpoint, fault: Fault) {
        self.script.always(endpoint, fault);
    }

    /// From now on all goes well.
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

    /// Waits until so many requests have arrived (not: been answered) or the time is up; the list either way.
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
