//! The services that are built in, and a guide to adding one. Each has a module and a cargo feature of its own; none
//! depends on another.
//!
//! # Write a provider
//!
//! A provider describes how access tokens are obtained from one service. The session decides when: it retries, pauses,
//! goes on to the next method, saves, and shares the result with other processes. A provider never waits and does no
//! I/O; it makes requests and reads answers. It has four parts:
//!
//! 1. **A login**: what signs in. It holds [`Secret`](crate::Secret)s, so that it hides in `Debug` and is wiped.
//! 2. **The renewal methods**: a plain enum, in [`Provider::methods`](crate::Provider::methods) for each lease,
//!    cheapest first: a refresh, then a sign-in. [`Provider::consumes`](crate::Provider::consumes) says what an attempt
//!    uses up. From that the session knows what it may repeat.
//! 3. **An exchange**: the conversation that carries out one method. [`start`](crate::Exchange::start) makes the first
//!    request, [`receive`](crate::Exchange::receive) reads each answer and returns the next request, a
//!    [`Grant`](crate::Grant) or an error.
//! 4. **`authorize` and `judge`**: how the token goes into an API call, and which answers say that it is refused. Where
//!    it is a bearer token and that is a 401, there is nothing to write.
//!
//! Where the service speaks OAuth 2, you may need no code at all: use the provider `providers::oauth2`. If you do write
//! one, the exchanges of the crate's module `oauth2` do the work of part 3.
//!
//! # Choose the errors
//!
//! The kind of an error decides what the session does next, so take the one that is true:
//!
//! - [`InvalidCredentials`](crate::ServiceErrorKind::InvalidCredentials): the service said that the login is wrong. The
//!   session never sends it again, so return this only where the service says so, not for any odd answer.
//! - [`RefreshRefused`](crate::ServiceErrorKind::RefreshRefused): the refresh token is rejected. The session signs in.
//! - [`Malformed`](crate::ServiceErrorKind::Malformed) and [`Service`](crate::ServiceErrorKind::Service): it may pass,
//!   and the session tries again after a pause. Any other status than 2xx that says nothing of the login is `Service`.
//! - [`wire::failure`](crate::wire::failure) answers for what the HTTP status decides: 429, 5xx, redirects, a missing
//!   endpoint. Call it first.
//!
//! # Refresh tokens
//!
//! Where the service gives refresh tokens, put a refresh method first in the list of methods. Its `consumes` is
//! [`RefreshToken`](crate::Consumes::RefreshToken) if the service may rotate them. A new refresh token must be kept
//! even if the rest of the answer is unusable, because the old one may be spent: so return an unusable access token as
//! the grant's flaw, not as an error.
//!
//! ```
//! use perennial_core::credentials::check_token;
//! use perennial_core::{AccessToken, Grant, Secret, ServiceError, Validity};
//!
//! fn grant(access: &str, refresh: Option<&str>, validity: Validity) -> Result<Grant, ServiceError> {
//!     // Tokens become headers and forms: one that cannot is none.
//!     let refresh_token = refresh.filter(|token| check_token(token).is_ok()).map(Secret::from);
//!     let access = AccessToken::new("Bearer", access, validity).map_err(|_| ServiceError::malformed("an odd token"));
//!     Grant { refresh_token, ..Grant::default() }.with_access(access)
//! }
//! ```
//!
//! # A whole provider
//!
//! This service takes an API key at `POST /v1/token` and answers `{"token": "…", "expires_in": 600}`. Its tokens cannot
//! be refreshed, so signing in is the only method. It would be one file in this folder and one line in the list of
//! modules below it; a crate of your own works just as well.
//!
//! ```
//! use std::time::Duration;
//!
//! use http::{HeaderMap, header};
//! use perennial_core::wire::{self, BaseUrl, Lifetime, Object, Text};
//! use perennial_core::{
//!     AccessToken, Account, Credentials, Error, Exchange, Grant, LeaseId, Now, Provider, Request, Response, Secret,
//!     ServiceError, ServiceErrorKind, Consumes, Step, Validity,
//! };
//!
//! // The provider: where the service is. `BaseUrl` takes https, and http to this machine only.
//! #[derive(Clone, Debug)]
//! struct Weather(BaseUrl);
//!
//! // The login. A `Secret` prints as `Secret(***)`.
//! #[derive(Clone, Debug)]
//! struct Key(Secret);
//!
//! // The renewal methods.
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! enum Method {
//!     SignIn,
//! }
//!
//! impl Provider for Weather {
//!     type Login = Key;
//!     type Method = Method;
//!     type Exchange = SignIn;
//!
//!     // For logs, and for saved sessions.
//!     fn name(&self) -> &'static str {
//!         "weather"
//!     }
//!
//!     // A saved session is imported only by a provider with the same name and namespace.
//!     fn namespace(&self) -> String {
//!         self.0.as_str().to_owned()
//!     }
//!
//!     fn account_id<'a>(&self, _: &'a Key) -> Option<&'a str> {
//!         None // a key does not tell which account it belongs to
//!     }
//!
//!     fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
//!         match lease_id {
//!             LeaseId::Access => &[Method::SignIn],
//!             LeaseId::Aws => &[], // this service has no AWS credentials
//!         }
//!     }
//!
//!     // A wrong key may lock the account: the session does not send it again once it was rejected.
//!     fn consumes(&self, _: Method) -> Consumes {
//!         Consumes::LoginAttempt
//!     }
//!
//!     fn method_name(&self, _: Method) -> &'static str {
//!         "sign-in"
//!     }
//!
//!     // `None` where what the method needs is missing: here, a session without a login.
//!     fn begin(&self, _: Method, login: Option<&Key>, _: Option<&Credentials>) -> Option<SignIn> {
//!         Some(SignIn { at: self.0.clone(), key: login?.clone(), sent: Now::default() })
//!     }
//!
//!     fn sign_out(&self, _: &Credentials) -> Option<SignIn> {
//!         None // the service cannot revoke tokens: a sign-out forgets them locally
//!     }
//!
//!     // `authorize` and `judge` are as in most: a bearer token, and a 401 says that it is refused.
//! }
//!
//! // The exchange. It owns all that it needs.
//! struct SignIn {
//!     at: BaseUrl,
//!     key: Key,
//!     sent: Now,
//! }
//!
//! // `Text`, `Lifetime` and `Object` accept any JSON: a value of another type counts as absent. They leave no copies
//! // of secrets behind, which a `String` would.
//! #[derive(serde::Deserialize)]
//! struct Answer<'a> {
//!     #[serde(borrow, default)]
//!     token: Text<'a>,
//!     #[serde(default)]
//!     expires_in: Lifetime,
//! }
//!
//! impl Exchange for SignIn {
//!     type Output = Grant;
//!
//!     fn start(&mut self, now: Now) -> Request {
//!         self.sent = now; // the token's lifetime runs from here: counted from the answer it would be too long
//!         wire::json_request(self.at.join("/v1/token"), &serde_json::json!({ "key": self.key.0.expose() }))
//!     }
//!
//!     fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
//!         let status = response.status();
//!         if let Some(failure) = wire::failure(&response, now) {
//!             return Err(failure.into()); // 429, 5xx, a redirect, a missing endpoint
//!         }
//!         if status == 401 {
//!             return Err(ServiceError::new(ServiceErrorKind::InvalidCredentials).with_status(status).into());
//!         }
//!         if !status.is_success() {
//!             return Err(ServiceError::new(ServiceErrorKind::Service).with_status(status).into());
//!         }
//!         // An answer that cannot be read says nothing about the key: `malformed` is tried again.
//!         let Object(answer) = wire::parse_json::<Object<Answer<'_>>>(response.body().as_ref())?;
//!         let answer = answer.ok_or(ServiceError::malformed("no object"))?;
//!         let token = answer.token.get().ok_or(ServiceError::malformed("no token"))?;
//!         // A token of unknown lifetime is used until the API rejects it.
//!         let validity = answer
//!             .expires_in
//!             .0
//!             .map_or(Validity::unknown(self.sent), |life| Validity::with_lifetime(self.sent, life));
//!         let access =
//!             AccessToken::new("Bearer", token, validity).map_err(|_| ServiceError::malformed("an odd token"))?;
//!         Ok(Step::Done(Grant { access: Some(access), account: Some(Account::default()), ..Grant::default() }))
//!     }
//! }
//!
//! // A session keeps its tokens alive like those of any other provider. The loop below stands for an adapter.
//! use perennial_core::{Input, Output, Policy, Session};
//!
//! let weather = Weather(BaseUrl::parse("https://weather.example")?);
//! let mut session = Session::new(weather, Key(Secret::from("k-123")), Policy::default(), 7);
//! let now = Now::default();
//! session.demand(LeaseId::Access, now);
//! loop {
//!     match session.poll_output() {
//!         Output::Send(request) => {
//!             assert_eq!(request.http.uri(), "https://weather.example/v1/token");
//!             let answer = Response::new(br#"{"token":"sunny","expires_in":"600"}"#.to_vec().into());
//!             session.handle_input(Input::Response(request.id, answer), now);
//!         }
//!         Output::Sleep(_) => break,
//!         _ => {}
//!     }
//! }
//! let held = session.credentials(LeaseId::Access, now).expect("the service granted them");
//! assert_eq!(held.access().expose(), "sunny");
//! # assert_eq!(held.time_until_expiry(now), Some(time::Duration::seconds(600)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Before you publish it
//!
//! - Run `perennial_testing::conformance::provider` on it: give it a function that answers as the service would, and
//!   `cargo test` names each rule that it breaks, with the reason.
//! - Override [`login_owner`](crate::Provider::login_owner) where the login is a program's own: nobody is locked out
//!   then, and the session may try for longer.
//! - Override [`write_login`](crate::Provider::write_login) and [`read_login`](crate::Provider::read_login) where a
//!   login may be kept in a store. [`wire::write_login`](crate::wire::write_login) writes one without leaving copies
//!   behind.
//! - Remove secrets that the service repeats in its errors: [`without_echo`](crate::ServiceError::without_echo).
//! - Where an answer carries a new refresh token but nothing else that can be used, return a [`Grant`](crate::Grant)
//!   with a [`flaw`](crate::Grant::flaw), not an error: the old refresh token may be spent.

#[cfg(feature = "auth0")]
pub mod auth0;
#[cfg(feature = "mosaia")]
pub mod mosaia;
#[cfg(feature = "navien")]
pub mod navien;
#[cfg(feature = "oauth2")]
pub mod oauth2;
#[cfg(feature = "settrade")]
pub mod settrade;
