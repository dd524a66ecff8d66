//! Keeps a sign-in alive in threaded programs, over std sockets.
//!
//! ```no_run
//! use perennial_blocking::{Client, Setup};
//! use perennial_core::providers::navien::{Login, Navien};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new("grower@example.com", "correct horse battery")?;
//! let session = Client::new().connect(Setup::new(Navien::default()).login(login))?;
//!
//! let mut headers = http::HeaderMap::new();
//! session.authorize(&mut headers)?; // never waits while valid credentials are held
//! # Ok(()) }
//! ```
//!
//! A [`Client`] carries out what sessions ask for; a [`Setup`] says what a session is made of; a [`Handle`] is
//! what callers hold, and a [`Reader`] what one of them keeps. `perennial-hyper` has the same nouns and verbs for tasks.

mod client;
mod handle;
mod park;
mod reader;
mod sync;
mod transport;

pub use client::Client;
pub use handle::{Changes, Handle};
pub use perennial_core::adapter::{Current, Setup};
pub use reader::Reader;
pub use transport::{HttpTransport, HttpTransportBuilder, InvalidRoots, Transport};
