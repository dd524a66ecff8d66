//! A session under test: a toy provider with its service, everything that can happen as a list of steps, and a
//! small reference model that knows the rules and names the one that is broken.
//!
//! The harness runs on a virtual clock: a year passes in a moment, and the same steps with the same seed give the
//! same outputs, bit for bit. Write the steps yourself, or let `proptest` or a fuzzer find them:
//!
//! ```
//! use perennial_testing::{Harness, Lives, ScriptedReply, Step, Who};
//! use perennial_core::LeaseId;
//!
//! let mut harness = Harness::new(7);
//! harness.run_steps(&[
//!     Step::SignIn(Who::Ann),
//!     Step::Answer(ScriptedReply::Works(Lives::HOUR)),
//!     Step::NextWake,                            // the margin of the access token
//!     Step::Answer(ScriptedReply::ServerError),        // a failure displaces nothing
//! ])?;
//! assert!(harness.session().credentials(LeaseId::Access, harness.now()).is_some());
//! # Ok::<(), perennial_testing::Violation>(())
//! ```
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Toy`], [`ToyLogin`], [`ToyMethod`] | a provider with both leases, one-use refresh tokens and long exchanges |
//! | [`Service`], [`ScriptedReply`], [`Lives`] | the service behind it: rotates tokens, notices reuse, fails as told |
//! | [`FakeService`] | a service whose answers a test writes down, for a provider of your own |
//! | [`fuzz`] | bodies of fuzz targets for a provider of your own, and a corpus to begin with |
//! | [`Step`], [`steps`] | what can happen, as data: `Arbitrary` for fuzzing, a strategy for `proptest` |
//! | [`Model`], [`Rule`], [`Violation`] | the rules, each by its name |
//! | [`Harness`], [`run`], [`Subject`] | clock, service, session and model together |
//! | [`conformance::store`] | what every [`Store`](perennial_core::store::Store) has to do, as tests for one of your own |
//! | [`conformance::provider`] | the same for a [`Provider`](perennial_core::Provider) |
//! | [`conformance::transport`] | the same for what carries a session's requests: `reqwest`, `ureq`, sockets of your own |

pub mod conformance;
mod fake_service;
pub mod fuzz;
mod harness;
mod model;
mod rule;
mod said;
mod service;
mod step;
mod store;
mod subject;
mod toy;

pub use self::fake_service::{FakeAnswer, FakeRequest, FakeService};
pub use self::harness::{Harness, Report, run};
pub use self::model::{Model, Told, View};
pub use self::rule::{Rule, Violation};
pub use self::said::{Facts, Said};
pub use self::service::{Answered, Asked, Delivery, Granted, Service};
pub use self::step::{After, Life, Lives, Often, ScriptedReply, Span, Step, Stray, Which, Who, steps};
pub use self::store::FakeStore;
pub use self::subject::Subject;
pub use self::toy::{Answer as ToyAnswer, CANARY, Toy, ToyExchange, ToyLogin, ToyMethod};
