//! The blocking transport against a peer that misbehaves.
#![cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../tests/support/evil.rs"]
mod evil;
#[path = "../../tests/support/oddities.rs"]
mod oddities;
#[path = "../../tests/support/own_tls.rs"]
mod own_tls;
#[macro_use]
#[path = "../../tests/support/suite.rs"]
mod suite;

use std::time::Duration;

use perennial_blocking::{HttpTransport, Transport};
use perennial_core::{Request, Response, TransportError};

use crate::evil::Authority;
use crate::suite::{Built, LONG};

/// A transport that trusts the peers.
fn transport(root: &[u8], connect_timeout: Duration) -> impl Fn(Request) -> Result<Response, TransportError> + use<> {
    let transport =
        HttpTransport::builder().root_certificate_der(root).connect_timeout(connect_timeout).build().unwrap();
    move |request| transport.send(request)
}

transport_suite!(over_threads, Built::UponSockets, transport);

#[test]
fn a_request_says_who_sends_it_and_no_more() {
    let authority = Authority::new();
    suite::it_says_who_sends_it_and_no_more(&authority, transport(&authority.root(), LONG));
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
