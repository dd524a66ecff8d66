//! What every [`Provider`] has to do, as cases that have a name and a reason: run them on one of your own.
//!
//! Give the provider, a login, and a service that answers as the real one would, a function from a request to an
//! answer. No socket is opened, and time is virtual. [`provider_conformance!`](crate::provider_conformance) makes a
//! `#[test]` of each case, so that `cargo test` names those that fail:
//!
//! ```
//! use perennial_core::oauth2::Profile;
//! use perennial_core::providers::oauth2::{Login, OAuth2};
//! use perennial_core::wire::Body;
//! use perennial_core::{Now, Request, Response};
//! use perennial_testing::conformance::provider::{self, ProviderUnderTest};
//!
//! fn under_test() -> ProviderUnderTest<OAuth2> {
//!     let provider = OAuth2::new(Profile::new("https://auth.example/token", "my-app").unwrap());
//!     let login = Login::legacy_password("ann@example.com", "correct horse").unwrap();
//!     let mut issued = 0;
//!     let service = move |_: &Request, _: Now| {
//!         issued += 1; // this service rotates its refresh tokens
//!         let tokens = format!(
//!             r#"{{"access_token":"access-{issued}","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-{issued}"}}"#
//!         );
//!         Response::new(Body::from(tokens.into_bytes()))
//!     };
//!     ProviderUnderTest::new(provider, login, service).secrets(["correct horse"])
//! }
//!
//! # mod conformance {
//! perennial_testing::provider_conformance!(super::under_test);
//! # }
//! # fn main() {
//!
//! // Or all in one test:
//! provider::check(under_test);
//! # }
//! ```
//!
//! [`check`] runs all cases and panics with every one that failed, [`failures`] returns them, and [`run`] runs one. The
//! cases are in [`CASES`]. For a service whose answers you only want to write down there is
//! [`FakeService`](crate::FakeService).
//!
//! # How it tests
//!
//! - Each case has a fresh provider with a fresh service. The clock begins at [`START`] and is turned by hand.
//! - An exchange of each method is carried out at the service, those that sign in first, and then repeated with what was
//!   answered, but for one answer that is odd. So an exchange must ask for the same where it is told the same: a
//!   provider draws no random numbers.
//! - What no service can be asked for is left out: a method for which `begin` is `None` with this login, and with what
//!   the others brought.
//! - A case of what a provider does not have (refresh tokens, logins that are kept) passes, and prints that it does not
//!   apply.

#[macro_use]
mod list;
mod answers;
mod logins;
mod methods;
mod odd;
mod requests;
mod rig;
mod secrecy;
mod sessions;
mod subject;

use std::time::Duration;

use perennial_core::Provider;

pub use self::subject::{ProviderUnderTest, START};
pub use super::case::{Case, Failure};
use super::case::{expect_passed, report};

/// No case waits for anything, so one that takes this long hangs.
const LONGEST: Duration = Duration::from_secs(600);

provider_cases!(@all table);

/// Runs all cases, and panics with those that failed.
///
/// # Panics
///
/// With the name of each case that failed, what the provider did, and why it matters.
#[track_caller]
pub fn check<P: Provider>(make: impl Fn() -> ProviderUnderTest<P>) {
    report(&failures(make), CASES.len());
}

/// Runs all cases, and returns those that failed.
pub fn failures<P: Provider>(make: impl Fn() -> ProviderUnderTest<P>) -> Vec<Failure> {
    CASES.iter().filter_map(|case| outcome(*case, make()).err()).collect()
}

/// Runs the case of this name. [`provider_conformance!`](crate::provider_conformance) makes a test of each.
///
/// # Panics
///
/// With what the provider did and why it matters, if the case fails; or if none has this name.
#[track_caller]
pub fn run<P: Provider>(name: &str, make: impl FnOnce() -> ProviderUnderTest<P>) {
    expect_passed(outcome(Case::named(name, CASES), make()));
}

fn outcome<P: Provider>(case: Case, mut under_test: ProviderUnderTest<P>) -> Result<(), Failure> {
    let test = test_of::<P>(case.name).ok_or_else(|| case.failure("it has no test"))?;
    case.outcome(LONGEST, move || test(&mut under_test))
}
