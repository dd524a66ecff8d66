//! OAuth 2 access tokens and AWS credentials, refreshed before they expire, for async services over tokio and hyper.
//!
//! A session signs in to one account, hands out access tokens that work, and renews them ahead of time: exactly once,
//! however many tasks or processes ask. A refresh token that the service rotated is saved before anybody hears of it.
//!
//! ```no_run
//! # #[cfg(feature = "navien")] {
//! use perennial_hyper::Session;
//! use perennial_hyper::providers::navien::{Login, Navien};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let login = Login::new("grower@example.com", "correct horse battery")?;
//! let session = Session::builder(Navien::default()).login(login).connect().await?;
//!
//! let mut request = http::Request::post("https://nlus.naviensmartcontrol.com/api/v2.1/device/list")
//!     .body(r#"{"offset":0,"count":20,"userId":"grower@example.com"}"#)?;
//! session.authorize_request(&mut request).await?; // never waits while a valid token is held
//! # Ok(()) }
//! # }
//! ```
//!
//! The most important types are [`Session`], what callers hold; its [`SessionBuilder`]; [`CredentialSource`], a session
//! without its provider's type; and [`Connector`], which opens sessions over a transport of yours. `perennial-blocking`
//! has the same names for threads.
//!
//! # Features
//!
//! | feature | |
//! | --- | --- |
//! | `oauth2` (default) | any OAuth 2 server: client credentials, code with PKCE, device, refresh |
//! | `navien`, `mosaia`, `auth0`, `settrade` | a service |
//! | `aws` | pre-signed addresses for MQTT on AWS IoT |
//! | `es256` | clients that sign in with a P-256 key (`private_key_jwt`) |
//! | `file`, `file-encrypted`, `redis` | where a session is kept, and shared with other processes |
//! | `test-util` | `ManualClock`, `Session::settle`: tests in which time passes only when they say so |
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
pub use session::Session;
/// The rustls whose `ClientConfig` is meant here.
#[cfg(feature = "tls")]
pub use tokio_rustls::rustls;
pub use transport::{HttpTransport, HttpTransportBuilder, InvalidRoots, Transport};
