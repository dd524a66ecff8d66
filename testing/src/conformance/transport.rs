//! What everything that carries a session's requests has to do, as cases that have a name and a reason: run them on a
//! transport of your own.
//!
//! [`transport_conformance!`](crate::transport_conformance) makes a `#[test]` of each case, so that `cargo test` names
//! those that fail. It takes what makes the transport; here it is `perennial-blocking`'s:
//!
//! ```
//! # mod conformance {
//! use perennial_blocking::{HttpTransport, Transport};
//! use perennial_testing::conformance::transport::TransportUnderTest;
//!
//! perennial_testing::transport_conformance!(|setup| {
//!     let transport = HttpTransport::builder().connect_timeout(setup.connect_timeout()).build().unwrap();
//!     TransportUnderTest::new(move |request| transport.send(request))
//! });
//! # }
//! # fn main() {
//! #     use perennial_blocking::{HttpTransport, Transport};
//! #     use perennial_testing::conformance::transport::{self, TransportUnderTest};
//! #     let transport = HttpTransport::new();
//! #     transport::run("a_redirect_is_an_answer", move |_| {
//! #         let transport = transport.clone();
//! #         TransportUnderTest::new(move |request| transport.send(request))
//! #     });
//! # }
//! ```
//!
//! An async transport is sent over on a runtime of the test. This one is an HTTP client's, over tokio:
//!
//! ```ignore
//! perennial_testing::transport_conformance!(|setup| {
//!     let runtime = tokio::runtime::Runtime::new().unwrap();
//!     let transport = MyReqwest::new(setup.connect_timeout());
//!     TransportUnderTest::new(move |request| runtime.block_on(transport.send(request))).over_an_http_client()
//! });
//! ```
//!
//! [`check`] runs all cases in one test and panics with every one that failed, [`failures`] returns them, and [`run`]
//! runs one. The cases are in [`CASES`]. An HTTP client that is used as it comes fails many of them: it follows
//! redirects, keeps connections, takes its proxy from the environment.
//!
//! # How it tests
//!
//! - The peer is a server of the suite's own on 127.0.0.1, over plain HTTP. With the feature `tls` it speaks TLS too:
//!   then let the transport trust `Setup::root_certificate_der`, and it alone.
//! - [`TransportSecurity`](perennial_core::TransportSecurity) stands in front of the transport, as in the adapters. For
//!   a transport that does those checks itself take [`TransportUnderTest::that_checks`].
//! - No case sleeps or depends on how fast a thread runs. What has to happen is awaited for as long as
//!   [`TransportUnderTest::patience`], which is the timeout of its requests. A deadline that has to be missed is 300 ms,
//!   before a peer that says nothing more. A case that hangs fails after ten times the patience.
//! - Nothing is tested of HTTP/2, of name look-ups that hang, of proxies that were given on purpose.

#[macro_use]
mod list;
mod answers;
mod environment;
mod failures;
mod odd;
mod peer;
mod requests;
mod rig;
mod subject;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::rig::Rig;
use self::subject::Make;
pub use self::subject::{Setup, TransportUnderTest};
pub use super::case::{Case, Failure};
use super::case::{expect_passed, report};

transport_cases!(@all table);

/// Runs all cases, and panics with those that failed.
///
/// # Panics
///
/// With the name of each case that failed, what the transport did, and why it matters.
#[track_caller]
pub fn check(make: impl Fn(&Setup) -> TransportUnderTest + Send + Sync + 'static) {
    report(&failures(make), CASES.len());
}

/// Runs all cases, and returns those that failed.
pub fn failures(make: impl Fn(&Setup) -> TransportUnderTest + Send + Sync + 'static) -> Vec<Failure> {
    let make: Arc<Make> = Arc::new(make);
    // A process that was started by one case runs that case alone.
    let cases = CASES.iter().filter(|case| environment::is_to_run(case.name));
    cases.filter_map(|case| outcome(*case, Arc::clone(&make), this_test()).err()).collect()
}

/// Runs the case of this name. [`transport_conformance!`](crate::transport_conformance) makes a test of each.
///
/// # Panics
///
/// With what the transport did and why it matters, if the case fails; or if none has this name.
#[track_caller]
pub fn run(name: &str, make: impl Fn(&Setup) -> TransportUnderTest + Send + Sync + 'static) {
    expect_passed(outcome(Case::named(name, CASES), Arc::new(make), this_test()));
}

/// The same as [`run`], in the test of this path.
#[doc(hidden)]
#[track_caller]
pub fn run_in(module: &str, name: &str, make: impl Fn(&Setup) -> TransportUnderTest + Send + Sync + 'static) {
    let module = module.split_once("::").map_or("", |(_, module)| module);
    let test = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
    expect_passed(outcome(Case::named(name, CASES), Arc::new(make), Some(test)));
}

/// The test that runs on this thread: the harness names threads after them, where it has several.
fn this_test() -> Option<String> {
    thread::current().name().filter(|name| *name != "main").map(Into::into)
}

fn outcome(case: Case, make: Arc<Make>, test: Option<String>) -> Result<(), Failure> {
    let play = test_of(case.name).ok_or_else(|| case.failure("it has no test"))?;
    #[cfg(feature = "tls")]
    let authority = tls::Authority::new();
    // Longer than any request takes.
    let transport = make(&Setup {
        connect_timeout: Duration::from_secs(3600),
        #[cfg(feature = "tls")]
        root: authority.root().to_vec(),
    });
    case.outcome(10 * transport.patience, move || {
        play(&Rig {
            make: &*make,
            transport,
            #[cfg(feature = "tls")]
            authority,
            test,
        });
    })
}
