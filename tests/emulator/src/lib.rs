//! The services that Perennial speaks to, emulated over real sockets, with scripted faults.
//!
//! A test starts an [`Emulator`], points a client at [`Emulator::navien_url`], says what should go wrong
//! ([`Emulator::fault`]), moves the server's clock ([`Emulator::advance`]) and looks at what the client sent
//! ([`Emulator::requests`]). People start the same thing as a program: `cargo run -p perennial-emulator`.
//!
//! ```
//! use perennial_emulator::{Emulator, Endpoint, Fault};
//! use std::time::Duration;
//!
//! # fn main() -> std::io::Result<()> {
//! let emulator = Emulator::builder().start()?;
//! emulator.fault(Endpoint::Refresh, Fault::LostAnswer); // the next refresh only
//! emulator.advance(Duration::from_secs(3600)); // every access token is dead now
//! assert!(emulator.navien_url().starts_with("http://127.0.0.1:"));
//! assert!(emulator.requests().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Only loopback is listened on. Nothing here is safe to show to a network: the tokens are made by a counter.
//!
//! # How it is built
//!
//! | file | what |
//! | --- | --- |
//! | `emulator` | the front: builder, clock, faults, recordings, the listeners |
//! | `navien` | one service: its state and its endpoints. A further service is a further file like it |
//! | `faults`, `mangle`, `deliver` | what can go wrong: the list, how it changes an answer, how it is put on the wire |
//! | `site` | between the two: finds the service, takes the fault, records, answers |
//! | `mqtt` | WebSockets to a real MQTT broker, for those who show working credentials |
//! | `server`, `wire`, `message`, `tls` | listeners and connections, bytes and TLS, requests and answers |

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
