//! OAuth 2 access tokens and AWS credentials, refreshed before they expire, for threaded programs and command-line tools.
//!
//! A session signs in to one account, hands out access tokens that work, and renews them ahead of time: exactly once,
//! however many threads or processes ask. A refresh token that the service rotated is saved before anybody hears of it.
//!
//! ```no_run
//! # #[cfg(feature = "navien")] {
//! use perennial_blocking::Session;
//! use perennial_blocking::providers::navien::{Login, Navien};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new("grower@example.com", "correct horse battery")?;
//! let session = Session::builder(Navien::default()).login(login).connect()?;
//!
//! let mut request = http::Request::post("https://nlus.naviensmartcontrol.com/api/v2.1/device/list")
//!     .body(r#"{"offset":0,"count":20,"userId":"grower@example.com"}"#)?;
//! session.authorize_request(&mut request)?; // never waits while a valid token is held
//! # Ok(()) }
//! # }
//! ```
//!
//! The most important types are [`Session`], which your program keeps and asks for credentials; its [`SessionBuilder`];
//! [`CredentialSource`], a session without its provider's type; and [`Connector`], which opens sessions over a
//! transport of yours. `perennial-hyper` has the same names for async programs.
//!
//! # Features
//!
//! | feature | |
//! | --- | --- |
//! | `oauth2` (default) | any OAuth 2 server: client credentials, code with PKCE, device, refresh |
//! | `navien`, `mosaia`, `auth0`, `settrade` | the service of that name: see [`providers`] |
//! | `aws` | pre-signed addresses for MQTT on AWS IoT |
//! | `es256` | clients that sign in with a P-256 key (`private_key_jwt`) |
//! | `file`, `file-encrypted`, `redis` | stores, which keep a session over restarts and share it with other processes |
//! | `test-util` | `ManualClock`, `Session::settle`: for tests that move the clock themselves |
//!
//! # TLS
//!
//! TLS is rustls. If the process has installed a default `CryptoProvider` of rustls, that is used; else a cargo feature
//! says which cryptography is. This crate installs no default.
//!
//! | feature | |
//! | --- | --- |
//! | `tls-aws-lc` (default) | aws-lc-rs, as rustls itself has by default. If `tls-ring` is on too, aws-lc-rs is used |
//! | `tls-ring` | ring: smaller, and faster to build |
//! | `tls` | no cryptography: install a `CryptoProvider`, or call `HttpTransportBuilder::tls_config` |
//! | `tls-none` | none of these: a name for `default-features = false` alone. Without TLS, https fails as `NotSent` |
//! | `platform-roots` | `HttpTransportBuilder::platform_roots`: trust what the operating system trusts |
//!
//! Cargo adds up the features of a crate over a whole program. If rustls has both aws-lc-rs and ring, a bare
//! `rustls::ClientConfig::builder()` anywhere in the program panics until a default is installed. So choose what the
//! program has already: with rustls' own defaults, nothing; if its rustls has ring alone,
//! `default-features = false, features = ["tls-ring"]`; in a library that leaves the choice to programs, `["tls"]`.

mod connector;
mod park;
mod session;
mod source;
mod sync;
mod transport;

pub use connector::Connector;
#[cfg(feature = "test-util")]
pub use perennial_adapter::ManualClock;
pub use perennial_adapter::{Clock, CredentialsRef, MemoryStore, SessionBuilder, SystemClock};
/// All of `perennial-core`, for types that are not re-exported here by name.
pub use perennial_core as core;
#[cfg(feature = "oauth2")]
#[doc(inline)]
pub use perennial_core::oauth2;
#[doc(inline)]
pub use perennial_core::providers;
pub use perennial_core::{
    AccessToken, Account, AwsCredentials, Credentials, Error, Event, Generation, Grant, Judgement, LeaseId, Policy,
    Provider, SavedSession, Secret, ServiceErrorKind, SessionError, SignOut, State, TransportSecurity, Unfinished,
};
/// Sessions in files.
#[cfg(feature = "file")]
#[doc(inline)]
pub use perennial_file as file;
/// Sessions in Redis, shared by machines.
#[cfg(feature = "redis")]
#[doc(inline)]
pub use perennial_redis as redis;
/// The version of rustls whose `ClientConfig` `HttpTransportBuilder::tls_config` takes.
#[cfg(feature = "tls")]
pub use rustls;
pub use session::{Session, Updates};
pub use source::{CredentialSource, SourceUpdates};
pub use transport::{HttpTransport, HttpTransportBuilder, InvalidRoots, Transport};
