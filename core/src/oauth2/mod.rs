//! OAuth 2 without I/O: authorization code with PKCE, device flow, refresh tokens, client credentials, revocation and
//! discovery, as functions and exchanges that any provider can use.
//!
//! A [`Profile`] states what a server and a client have agreed on: addresses, the client's id, how it authenticates,
//! and where the server departs from the standard. Nothing is probed. The profile makes the exchanges:
//!
//! | grant or request | method | result |
//! | --- | --- | --- |
//! | authorization code with PKCE | [`Profile::authorize`], then [`PendingAuthorization::exchange_code`] | a grant |
//! | device flow (RFC 8628) | [`Profile::device`], then [`DeviceAuthorization::poll`] | a grant |
//! | refresh token | [`Profile::refresh`] | a grant |
//! | client credentials | [`Profile::client_credentials`] | a grant |
//! | password (legacy; RFC 9700 §2.4 advises against it) | [`Profile::legacy_password`] | a grant |
//! | revocation (RFC 7009) | [`Profile::revoke`] | nothing |
//! | discovery (RFC 8414, OpenID Connect) | [`Discovery::new`] | [`Metadata`], which makes a profile |
//!
//! A sign-in in a browser has two halves. The person opens the address that the first one makes; the second takes the
//! redirect that comes back:
//!
//! ```
//! use perennial_core::oauth2::{Profile, AuthorizationRequest};
//! # use perennial_core::{Exchange, Now};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (entropy, now) = ([7; 64], Now::default());
//! let profile = Profile::new("https://auth.example/token", "my-app")?
//!     .with_authorization_endpoint("https://auth.example/authorize")?;
//! let wanted = AuthorizationRequest::new("http://127.0.0.1:8123/done").scopes(["openid", "offline_access"]);
//! let authorization = profile.authorize(entropy, &wanted, now)?;
//! println!("open {}", authorization.url());
//!
//! // The browser comes back with this:
//! # let state = authorization.url().split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
//! let redirect = format!("/done?code=4711&state={state}");
//! let mut exchange = authorization.into_pending().exchange_code(&redirect, now)?;
//! let request = exchange.start(now); // an adapter runs the exchange: it sends this and hands back the answer
//! # assert_eq!(format!("{request:?}"), "POST auth.example/token");
//! # Ok(())
//! # }
//! ```

mod answer;
mod authorize;
mod challenge;
mod client;
mod device;
mod discovery;
mod endpoint;
#[cfg(feature = "es256")]
mod es256;
mod exchange;
mod fields;
mod grant_type;
mod pending;
mod pkce;
mod profile;
mod redirect;
mod refusal;
mod request;
mod revoke;
mod words;

pub use self::answer::{parse_token, scopes};
pub use self::authorize::{AuthorizationRequest, AuthorizationUrl, AuthorizeError};
pub(crate) use self::challenge::judge;
pub use self::client::{Assertions, ClientAuth, Signer};
pub use self::device::{DeviceAuthorization, DevicePoll, DeviceRequest, POLL_INTERVAL, parse_device};
pub use self::discovery::{Discovery, Metadata, parse_metadata, parse_metadata_under};
pub use self::endpoint::Endpoint;
#[cfg(feature = "es256")]
pub use self::es256::{Es256, InvalidKey};
pub use self::exchange::TokenRequest;
pub use self::grant_type::GrantType;
pub use self::pending::{InvalidPending, PendingAuthorization};
pub use self::pkce::{InvalidVerifier, Verifier};
pub use self::profile::{
    FieldCase, InvalidProfile, IssuerInRedirect, PENDING_LIFETIME, ParameterTarget, Profile, ResponseEncoding,
    Rotation, ScopeSeparator,
};
pub use self::redirect::{AuthorizationError, ErrorResponse};
pub use self::refusal::ErrorCode;
pub use self::revoke::{Revocation, parse_revocation};
