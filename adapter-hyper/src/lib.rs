//! Keeps a sign-in alive in async services, over tokio and hyper.
//!
//! ```no_run
//! use perennial_core::providers::navien::{Login, Navien};
//! use perennial_hyper::{Connector, SessionBuilder};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new("grower@example.com", "correct horse battery")?;
//! let session = Connector::new().connect(SessionBuilder::new(Navien::default()).login(login)).await?;
//!
//! let mut headers = http::HeaderMap::new();
//! session.authorize(&mut headers).await?; // never waits while valid credentials are held
//! # Ok(()) }
//! ```
//!
//! A [`Connector`] carries out what sessions ask for; a [`SessionBuilder`] says what a session is made of; a [`Session`] is
//! what callers hold. `perennial-blocking` has the same nouns and verbs for threads.
//!
//! # TLS
//!
//! TLS is rustls. Whose cryptography it uses is a cargo feature, unless the process has installed a default
//! `CryptoProvider` of rustls': that goes before. Nothing is installed here.
//!
//! | feature | |
//! | --- | --- |
//! | `tls-aws-lc` (default) | aws-lc-rs, rustls' own default. Where `tls-ring` is on too, this one is taken |
//! | `tls-ring` | ring: smaller, quicker to build |
//! | `tls` | neither: the program installs a `CryptoProvider`, or gives a whole `ClientConfig` by `HttpTransportBuilder::tls_config` |
//! | `tls-none` | a name for none of these, beside `default-features = false`: no TLS is compiled in, https fails as `NotSent` |
//! | `platform-roots` | `HttpTransportBuilder::platform_roots`: trust what the operating system trusts |
//!
//! rustls' features add up over all that a program is built of, and with both aws-lc-rs and ring a bare
//! `rustls::ClientConfig::builder()`, anywhere in the program, panics until somebody installs a default. So take what
//! the program has. Beside rustls' defaults nothing needs to be said; a program whose rustls has ring alone takes
//! `default-features = false, features = ["tls-ring"]`, and a library that leaves the choice to programs `["tls"]`.

mod connector;
mod session;
mod transport;

pub use connector::Connector;
#[cfg(feature = "test-util")]
pub use perennial_adapter::ManualClock;
pub use perennial_adapter::{
    Clock, CredentialSource, CredentialsRef, MemoryStore, SessionBuilder, SystemClock, Updates,
};
/// All of the core: whatever is not named here.
pub use perennial_core as core;
#[cfg(feature = "oauth2")]
#[doc(inline)]
pub use perennial_core::oauth2;
#[doc(inline)]
pub use perennial_core::providers;
pub use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Error, Event, Generation, Grant, LeaseId, Policy, Provider,
    SavedSession, Secret, ServiceErrorKind, SessionError, SignOut, State, TransportSecurity, Unfinished,
};
/// Sessions in files.
#[cfg(feature = "file")]
#[doc(inline)]
pub use perennial_file as file;
/// Sessions in Redis, shared by machines.
#[cfg(feature = "redis")]
#[doc(inline)]
pub use perennial_redis as redis;
pub use session::Session;
/// The rustls whose `ClientConfig` is meant here.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use transport::{HttpTransport, HttpTransportBuilder, InvalidRoots, Transport};
