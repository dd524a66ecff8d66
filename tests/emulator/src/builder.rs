//! Says what to start, and starts it.

use crate::auth0::{Addresses, Auth0, Auth0Settings, AuthHost, WebHost};
use crate::clock::Clock;
use crate::control::Control;
use crate::emulator::Emulator;
use crate::endpoint::Endpoint;
use crate::faults::Script;
use crate::mosaia::{Mosaia, MosaiaHandle, MosaiaSettings};
use crate::mqtt::Bridge;
use crate::navien::{Navien, NavienHandle, NavienSettings};
use crate::recording::Recording;
use crate::server::Server;
use crate::service::{Paths, Service};
use crate::settrade::{Settrade, SettradeSettings};
use crate::site::{Site, Trap};
use crate::tls::Identity;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::{fmt, io};

/// Starting one.
impl Emulator {
    /// Starts all services with their usual settings, over plain HTTP, on a free port of loopback.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// The same with other settings, a clock to share, a service of your own, TLS.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// Says what to start. Made by [`Emulator::builder`].
#[derive(Clone, Default)]
#[must_use]
pub struct Builder {
    https: bool,
    control: bool,
    clock: Option<Clock>,
    port: u16,
    mqtt_broker: Option<SocketAddr>,
    custom: Vec<Arc<dyn Service>>,
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

    /// Offers `/_control/…`, by which a program in another language changes the emulator and reads what it recorded.
    ///
    /// | request | body | does |
    /// | --- | --- | --- |
    /// | `POST advance`, `skew` | `{"seconds": N}` | moves or skews the server's clock |
    /// | `POST revoke_access`, `revoke_refresh`, `revoke_session` | `{"email"}` | to that account |
    /// | `POST lock`, `unlock` | `{"email"}` | to that account |
    /// | `POST change_password`, `add_account` | `{"email", "password"}` | to that account |
    /// | `POST settings` | some of the three below | from now on |
    /// | `POST fault` | `{"endpoint": "refresh", "fault": "lost answer"}` | the first of that name in [`Fault::all`](crate::Fault::all) |
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

    /// Serves this service too. Its paths are asked first, those of the built-in services after them.
    pub fn service(mut self, service: impl Service) -> Self {
        self.custom.push(Arc::new(service));
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
        let mut services = self.custom;
        services.push(Arc::new(WebHost(auth0.clone())));
        services.extend([mosaia.clone() as Arc<dyn Service>, navien.clone(), settrade.clone()]);
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
        let auth0_auth_url = secure.as_ref().unwrap_or(&plain).auth.clone();
        auth0.listens_at(plain, secure);
        Ok(Emulator {
            clock,
            script,
            recording,
            trapped,
            connections,
            auth0,
            auth0_auth_url,
            _auth0_pages: auth_pages,
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

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("https", &self.https).field("port", &self.port).finish_non_exhaustive()
    }
}
