//! The blocking transport: the suite for transports, and what is its own.
#![cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../tests/support/listener.rs"]
mod listener;
#[path = "../../tests/support/own_tls.rs"]
mod own_tls;

use perennial_blocking::{HttpTransport, Transport};
use perennial_testing::conformance::transport::{Setup, TransportUnderTest};

/// A transport that trusts the peers.
fn transport(setup: &Setup) -> TransportUnderTest {
    let transport = HttpTransport::builder()
        .root_certificate_der(setup.root_certificate_der())
        .connect_timeout(setup.connect_timeout())
        .build()
        .unwrap();
    TransportUnderTest::that_checks(move |request| transport.send(request))
}

mod over_threads {
    perennial_testing::transport_conformance!(super::transport);
}

#[test]
fn a_request_says_who_sends_it_and_no_more() {
    listener::it_says_who_sends_it_and_no_more(|request| drop(HttpTransport::new().send(request).unwrap()));
}

#[test]
fn a_tls_config_of_ones_own_is_taken() {
    own_tls::a_tls_config_of_ones_own_is_taken(|config, request| {
        HttpTransport::builder().tls_config(config).build().unwrap().send(request)
    });
}

#[test]
fn roots_that_are_none_are_refused() {
    assert!(HttpTransport::builder().root_certificate_der("no certificate").build().is_err());
}
