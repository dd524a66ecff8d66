//! The services, one module and cargo feature each. None knows another.
//!
//! # Add a service in one file
//!
//! A provider says how one service is spoken to, and nothing about when: the session does the rest (retries, pauses,
//! the fall from one rung to the next, sharing, saving). This is a whole one, for a service with an API key and
//! tokens that cannot be refreshed. It would be a file here and a line in the list below.
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
//! #[derive(Clone, Debug)]
//! struct Weather(BaseUrl);
//!
//! #[derive(Clone, Debug)]
//! struct Key(Secret);
//!
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
//!     fn name(&self) -> &'static str {
//!         "weather"
//!     }
//!
//!     fn namespace(&self) -> String {
//!         self.0.as_str().to_owned()
//!     }
//!
//!     fn user_id<'a>(&self, _: &'a Key) -> Option<&'a str> {
//!         None // a key does not tell whose it is
//!     }
//!
//!     fn methods(&self, lease_id: LeaseId) -> &'static [Method] {
//!         match lease_id {
//!             LeaseId::Access => &[Method::SignIn],
//!             LeaseId::Aws => &[],
//!         }
//!     }
//!
//!     fn consumes(&self, _: Method) -> Consumes {
//!         Consumes::LoginAttempt
//!     }
//!
//!     fn method_name(&self, _: Method) -> &'static str {
//!         "sign-in"
//!     }
//!
//!     fn begin(&self, _: Method, login: Option<&Key>, _: Option<&Credentials>) -> Option<SignIn> {
//!         Some(SignIn { at: self.0.clone(), key: login?.clone(), sent: Now::default() })
//!     }
//!
//!     fn sign_out(&self, _: &Credentials) -> Option<SignIn> {
//!         None
//!     }
//!
//!     fn authorize(&self, credentials: &Credentials, headers: &mut HeaderMap) {
//!         headers.insert(header::AUTHORIZATION, credentials.bearer().clone());
//!     }
//! }
//!
//! struct SignIn {
//!     at: BaseUrl,
//!     key: Key,
//!     sent: Now,
//! }
//!
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
//!         self.sent = now; // lifetimes run from here
//!         wire::json_request(self.at.join("/v1/token"), &serde_json::json!({ "key": self.key.0.expose() }))
//!     }
//!
//!     fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
//!         let status = response.status();
//!         if let Some(failure) = wire::failure(&response, now) {
//!             return Err(failure.into()); // 429, 5xx, a missing endpoint
//!         }
//!         if status == 401 {
//!             return Err(ServiceError::new(ServiceErrorKind::InvalidCredentials).with_status(status).into());
//!         }
//!         let Object(answer) = wire::parse_json::<Object<Answer<'_>>>(response.body().as_ref())?;
//!         let answer = answer.ok_or(ServiceError::malformed("no object"))?;
//!         let token = answer.token.get().ok_or(ServiceError::malformed("no token"))?;
//!         let validity = answer.expires_in.0.map_or(Validity::unknown(self.sent), |life| Validity::with_lifetime(self.sent, life));
//!         let access = AccessToken::new("Bearer", token, validity).map_err(|_| ServiceError::malformed("an odd token"))?;
//!         Ok(Step::Done(Grant { access: Some(access), account: Some(Account::default()), ..Grant::default() }))
//!     }
//! }
//!
//! // It is kept alive like any other:
//! # use perennial_core::{Input, Output, Policy, Session};
//! let weather = Weather(BaseUrl::parse("https://weather.example")?);
//! let mut session = Session::new(weather, Key(Secret::from("k-123")), Policy::default(), 7);
//! let now = Now::default();
//! session.demand(LeaseId::Access, now);
//! # loop {
//! #     match session.poll_output() {
//! #         Output::Send(request) => {
//! #             assert_eq!(request.http.uri(), "https://weather.example/v1/token");
//! #             let answer = Response::new(br#"{"token":"sunny","expires_in":"600"}"#.to_vec().into());
//! #             session.handle_input(Input::Response(request.id, answer), now);
//! #         }
//! #         Output::Sleep(_) => break,
//! #         _ => {}
//! #     }
//! # }
//! # let held = session.credentials(LeaseId::Access, now).expect("the service granted them");
//! # assert_eq!(held.access().expose(), "sunny");
//! # assert_eq!(held.time_until_expiry(now), Some(time::Duration::seconds(600)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
