//! A fake token service for tests: sign-in, refresh, OAuth 2, AWS credentials and MQTT on loopback, with faults that are
//! scripted request by request and a clock that the test moves.
//!
//! ```
//! use perennial_emulator::Emulator;
//!
//! let service = Emulator::start()?; // real sockets, on a free port of 127.0.0.1
//! let url = service.navien_url(); //   the client under test sends its requests there
//! drop(service); //                    ends every listener, connection and thread
//! # assert!(url.starts_with("http://127.0.0.1:"));
//! # std::io::Result::Ok(())
//! ```
//!
//! It needs no async runtime and works beside any: each connection has a thread. [`Emulator::builder`] is for
//! everything but the defaults: settings of a service, TLS, a port, a clock to share, a service of your own.
//!
//! # The services
//!
//! All of them run in each emulator, on the paths that the real ones have.
//!
//! | service | its address | what it has | to change and ask it |
//! | --- | --- | --- | --- |
//! | Navien Smart Control | [`navien_url`](Emulator::navien_url) | sign-in by password, rotating refresh tokens, AWS credentials, MQTT behind pre-signed addresses (SigV4) | [`NavienHandle`], [`NavienSettings`] |
//! | Mosaia | [`mosaia_url`](Emulator::mosaia_url) | sign-in by password or client secret, OAuth 2 authorization codes with PKCE, refresh, sign-out | [`MosaiaHandle`], [`MosaiaSettings`] |
//! | Auth0's sign-in pages, as at Angel Studios | [`auth0_url`](Emulator::auth0_url), [`auth0_auth_url`](Emulator::auth0_auth_url) | HTML forms, `state` and `_csrf_token`, redirects over two hosts, a JWT in a cookie | [`Auth0Handle`], [`Auth0Settings`] |
//! | Settrade Open API | [`settrade_url`](Emulator::settrade_url) | logins signed with ECDSA, refresh, dispatcher tokens for MQTT | [`SettradeHandle`], [`SettradeSettings`] |
//!
//! The accounts that exist from the start are constants of the settings, such as [`NavienSettings::EMAIL`] and
//! [`NavienSettings::PASSWORD`]. Handles add accounts, lock them, revoke tokens, tell whether a token is valid, and count
//! what was performed.
//!
//! # Faults
//!
//! A fault is scripted for an [`Endpoint`]: for its next request, or for all of them. [`Fault`] lists some forty, from a
//! reset connection to a lifetime of `1e400`; each says whether the service performs the request before things go wrong
//! ([`Fault::executes`]), for a refresh token may have been spent although no answer came.
//!
//! ```
//! use perennial_emulator::{Emulator, Endpoint, Fault};
//! use std::time::Duration;
//!
//! let service = Emulator::start()?;
//! service.fault(Endpoint::Refresh, Fault::LostAnswer); // the next refresh: performed, and never answered
//! service.fault(Endpoint::Refresh, Fault::retry_after(503, "30")); // the one after it
//! service.fault_always(Endpoint::Any, Fault::Latency(Duration::from_millis(20))); // all that have no other
//! assert_eq!(service.faults_waiting(), 2);
//! # std::io::Result::Ok(())
//! ```
//!
//! [`Gate`] holds an answer back until the test lets it go, for what has to happen while a request is under way. The
//! delays of faults are real time: no clock that is moved makes them shorter.
//!
//! # Time
//!
//! One [`Clock`] says when tokens expire and what stands in `Date`. A test moves it, and need not wait:
//!
//! ```
//! use perennial_emulator::{Clock, Emulator};
//! use std::time::Duration;
//!
//! let clock = Clock::still(); // Clock::running(), the default, goes with the time of this machine
//! let service = Emulator::builder().clock(clock.clone()).start()?;
//! clock.advance(Duration::from_secs(3600)); // every access token has expired
//! clock.skew(-90); // the server believes that it is a minute and a half earlier, and says so
//! # assert_eq!(service.clock().elapsed(), Duration::from_secs(3600));
//! # std::io::Result::Ok(())
//! ```
//!
//! The program under test can use the same clock. [`Clock`](Clock#sharing-it-with-a-perennial-session) shows how a
//! Perennial session does that, in three lines.
//!
//! # What it saw
//!
//! [`Emulator::requests`] has every request, with its headers and its body, the fault that it met and the status that it
//! got; [`Emulator::wait_until`] waits for one. Secrets are there for assertions; `Debug` shows none of them. What a client
//! sends where a redirect led it ([`Fault::Redirect`]) is in [`Emulator::trap_requests`].
//!
//! # A service of your own
//!
//! Implement [`Service`]: which endpoint a path is, and a response to a request. Faults, recordings, TLS and the clock work
//! around it as around the built-in services.
//!
//! ```
//! use perennial_emulator::{Emulator, Endpoint, Fault, Request, Response, Service};
//! # use std::io::{Read, Write};
//!
//! struct TokenService;
//!
//! impl Service for TokenService {
//!     fn endpoint(&self, path: &str) -> Option<Endpoint> {
//!         (path == "/token").then_some(Endpoint::Custom("token"))
//!     }
//!
//!     fn respond(&self, _: Endpoint, request: &Request) -> Response {
//!         match request.method.as_str() {
//!             "POST" => Response::new(200, "application/json", r#"{"access_token": "one", "expires_in": 3600}"#),
//!             _ => Response::new(405, "text/plain", ""),
//!         }
//!     }
//! }
//!
//! let service = Emulator::builder().service(TokenService).start()?;
//! service.fault(Endpoint::Custom("token"), Fault::status(503));
//! # let post = |secret: &str| {
//! #     let mut socket = std::net::TcpStream::connect(service.url().trim_start_matches("http://"))?;
//! #     write!(socket, "POST /token HTTP/1.1\r\nHost: e\r\nConnection: close\r\nAuthorization: {secret}\r\n\r\n")?;
//! #     let mut response = String::new();
//! #     socket.read_to_string(&mut response)?;
//! #     std::io::Result::Ok(response.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).unwrap_or(0))
//! # };
//! // `post` sends a request to `{service.url()}/token` and returns the status.
//! assert_eq!([post("Basic secret")?, post("Basic secret")?], [503, 200]);
//! assert_eq!(service.requests_to(Endpoint::Custom("token"))[0].header("authorization"), Some("Basic secret"));
//! # std::io::Result::Ok(())
//! ```
//!
//! # TLS and MQTT
//!
//! [`Builder::https`] adds a TLS listener, whose root certificate is made at each start
//! ([`Emulator::root_certificate`]). It uses rustls with ring and names that provider itself. Since cargo's features add up,
//! a program whose rustls has another provider has both in its tests: a bare `ClientConfig::builder()` then needs
//! `CryptoProvider::install_default` first.
//!
//! [`Builder::mqtt_broker`] carries WebSockets to a real broker, such as [`Mosquitto`], for those who show valid
//! credentials. [`MqttHandle`] tells who was let in, and cuts connections.
//!
//! # As a program
//!
//! The same is a program for people and for tests in other languages. `perennial-emulator` starts it and prints where it
//! listens; `--control` offers `/_control/…`, by which scripts do over HTTP what a test does here (listed at
//! [`Builder::control`]); `--help` tells the rest.
//!
//! # What it is not
//!
//! It listens on loopback only, and is not safe on a network: tokens are made from a counter, and a password may be
//! guessed any number of times. Where it is not known what the real service does, a behaviour had to be chosen; the
//! settings say where.

// How it is built:
//
// | file | what |
// | --- | --- |
// | `builder`, `emulator` | the front: what to start; what runs, with its faults, clock and recordings |
// | `service`, `endpoint`, `message` | what a service is: the trait, the names of endpoints, requests and responses |
// | `navien`, `mosaia`, `auth0`, `settrade` | the services: state, endpoints, and the handle by which a test changes them |
// | `accounts`, `ledger`, `tokens` | what they have in common: accounts, sessions and tokens, and how tokens look |
// | `faults`, `mangle`, `deliver` | what can go wrong: the list, how it changes a response, how it is put on the wire |
// | `site`, `control` | between listeners and services: finds the service, takes the fault, records, answers |
// | `mqtt` | WebSockets to a real MQTT broker, for those who show valid credentials |
// | `server`, `wire`, `tls` | listeners and connections, bytes, certificates |

/// `Debug` by the name alone, for what has secrets or threads inside.
macro_rules! debug_by_name {
    ($($name:ident),+) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

mod accounts;
mod auth0;
mod builder;
mod clock;
mod control;
mod deliver;
mod emulator;
mod endpoint;
mod faults;
mod ledger;
mod mangle;
mod message;
mod mosaia;
mod mqtt;
mod navien;
mod recording;
mod server;
mod service;
mod settrade;
mod site;
mod tls;
mod tokens;
mod wire;

pub use auth0::{Auth0Handle, Auth0Settings, RefusalPage, StateIn};
pub use builder::Builder;
pub use clock::Clock;
pub use emulator::Emulator;
pub use endpoint::Endpoint;
pub use faults::{Fault, Gate};
pub use ledger::Rotation;
pub use message::{Request, Response};
pub use mosaia::{Consent, ExpType, ExpUnit, MosaiaHandle, MosaiaSettings, RefreshPaths};
pub use mqtt::{Mosquitto, MqttHandle, MqttRefusal};
pub use navien::{EndpointSet, NavienHandle, NavienSettings, Refusals};
pub use recording::Recorded;
pub use service::{Paths, Service};
pub use settrade::{ClockRefusals, SettradeHandle, SettradeSettings};

debug_by_name!(Auth0Handle, MosaiaHandle, Mosquitto, MqttHandle, NavienHandle, Paths, SettradeHandle);
