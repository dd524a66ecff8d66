//! Keeps a sign-in alive in async services, over tokio and hyper.
//!
//! ```no_run
//! use perennial_core::providers::navien::{Login, Navien};
//! use perennial_hyper::{Client, Setup};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new("grower@example.com", "correct horse battery")?;
//! let session = Client::new().connect(Setup::new(Navien::default()).login(login)).await?;
//!
//! let mut headers = http::HeaderMap::new();
//! session.authorize(&mut headers).await?; // never waits while valid credentials are held
//! # Ok(()) }
//! ```
//!
//! A [`Client`] carries out what sessions ask for; a [`Setup`] says what a session is made of; a [`Handle`] is
//! what callers hold, and a [`Reader`] what one of them keeps. `perennial-blocking` has the same nouns and verbs for threads.

mod client;
mod transport;

pub use client::Client;
pub use perennial_core::adapter::{Changes, Current, Handle, Reader, Setup};
pub use transport::{HttpTransport, HttpTransportBuilder, InvalidRoots, Transport};
