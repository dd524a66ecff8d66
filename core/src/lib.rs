//! Refreshes OAuth 2 access tokens and AWS credentials for long-lived programs: the sans-IO core. It builds requests,
//! parses answers, and decides when to sign in, when to refresh, and what becomes of a refresh token that the service
//! rotated. It does no I/O and knows no clock, randomness, threads or async: you carry out what it asks for, over any
//! transport. Most programs take `perennial-hyper` or `perennial-blocking`, which do that.
//!
//! ```
//! # #[cfg(feature = "navien")] {
//! # use std::time::Duration;
//! # use perennial_core::providers::navien::{Login, Navien};
//! # use perennial_core::{Input, LeaseId, Now, Output, Policy, Request, RequestId, Response, Session, TransportError};
//! # use perennial_core::TransportSecurity;
//! # struct Transport;
//! # impl Transport {
//! #     fn send(&mut self, _: Request) -> Result<Response, TransportError> {
//! #         let answer = r#"{"code":200,"data":{"token":{"accessToken":"ey.J","authenticationExpiresIn":3600}}}"#;
//! #         Ok(http::Response::new(answer.as_bytes().to_vec().into()))
//! #     }
//! #     fn cancel(&mut self, _: RequestId) {}
//! # }
//! # struct Clock;
//! # impl Clock { fn now(&self) -> Now { Now::default() } }
//! # let (mut transport, clock, seed) = (Transport, Clock, 7);
//! # let login = Login::new("grower@example.com", "correct horse").unwrap();
//! let security = TransportSecurity::new(); // where a request may go: in front of whatever your transport does
//! let mut session = Session::new(Navien::default(), login, Policy::default(), seed);
//! session.demand(LeaseId::Access, clock.now()); // somebody wants credentials
//! let wake = loop {
//!     match session.poll_output() {
//!         Output::Send(request) => {
//!             let id = request.id;
//!             match security.guard(request, |request| transport.send(request)) {
//!                 Ok(response) => session.handle_input(Input::Response(id, response), clock.now()),
//!                 Err(failure) => session.handle_input(Input::Failed(id, failure), clock.now()),
//!             }
//!         }
//!         Output::Cancel(id) => transport.cancel(id),
//!         Output::Store(op) => unreachable!("{op:?}: this session has no store"),
//!         Output::Event(event) => println!("{event}"),
//!         Output::Sleep(wake) => break wake, // drained: wait for this moment, a reply or a caller
//!     }
//! };
//! # let wake = wake.unwrap();
//! let credentials = session.credentials(LeaseId::Access, clock.now()).expect("the service granted them");
//! # assert_eq!(wake.why, perennial_core::session::Timer::Renewal(LeaseId::Access));
//! # assert!((Duration::from_secs(3200)..=Duration::from_secs(3300)).contains(&wake.at));
//! # assert_eq!(credentials.access().expose(), "ey.J");
//! # }
//! ```
//!
//! When the monotonic clock reaches `wake.at`, call `session.handle_input(Input::Wake, now)` and go through the loop
//! again. Sleep for at most a minute at a time and make the same call then: the session notices that way if the wall
//! clock was changed. `now` holds the wall clock and the monotonic clock of this machine:
//! `Now::new(Timestamp::from_unix_millis(since_the_epoch), started.elapsed())`, where `started` is an `Instant` taken
//! when the program began.
//!
//! What your transport has to do stands at [`Request`]. The example `by_hand` has one of 300 lines, over std sockets and
//! rustls, and does it all.
//!
//! | module | |
//! | --- | --- |
//! | [`session`] | *when*: the state machine that keeps one login alive |
//! | [`store`] | where a session is saved, and shared with other processes |
//! | [`providers`] | *what*: how each service is spoken to |
//! | [`exchange`] | the traits that a service is implemented with: `Provider` and `Exchange` |
//! | `oauth2` | OAuth 2: what the standards say, shared by providers (feature `oauth2`) |
//! | [`credentials`] | the data types: tokens, deadlines, secrets |
//! | [`mqtt`] | how to open one MQTT connection now |
//! | `aws` | pre-signed addresses for MQTT on AWS IoT (feature `aws`) |
//! | [`wire`] | reading and writing HTTP messages, shared by providers |
//!
//! # Features
//!
//! | feature | |
//! | --- | --- |
//! | `oauth2` (default) | any OAuth 2 server: client credentials, code with PKCE, device, refresh |
//! | `navien`, `mosaia`, `auth0`, `settrade` | a service |
//! | `aws` | SigV4 pre-signed addresses for MQTT on AWS IoT |
//! | `es256` | clients that sign in with a P-256 key (`private_key_jwt`) |

#[cfg(feature = "aws")]
pub mod aws;
pub mod credentials;
mod error;
pub mod exchange;
mod grant;
pub mod mqtt;
#[cfg(feature = "oauth2")]
pub mod oauth2;
pub mod providers;
pub mod session;
pub mod store;
pub mod wire;

pub use self::credentials::{
    AccessToken, Account, AwsCredentials, Credentials, Deadline, Generation, LeaseId, Now, Secret, Timestamp, Validity,
};
pub use self::error::{
    Error, ImportError, Outcome, ServiceError, ServiceErrorKind, SessionError, StoreError, StoreErrorKind,
    TransportError, TransportErrorKind,
};
pub use self::exchange::{
    Call, Consumes, Exchange, FromEnv, InvalidEnv, Judgement, LoginOwner, Polled, PollingExchange, Provider, Request,
    RequestId, Response, Step,
};
pub use self::grant::Grant;
pub use self::session::{Event, Input, Output, Policy, Session, SignOut, State, Unfinished, Wake};
pub use self::store::SavedSession;
pub use self::wire::TransportSecurity;
