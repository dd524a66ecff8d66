//! The blocking transport against a peer that misbehaves.
#![cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../tests/support/evil.rs"]
mod evil;
#[path = "../../tests/support/oddities.rs"]
mod oddities;
#[path = "../../tests/support/own_tls.rs"]
mod own_tls;
#[path = "../../tests/support/suite.rs"]
mod suite;

use std::time::Duration;

use perennial_blocking::{HttpTransport, Transport};
use perennial_core::{Request, Response, TransportError};

use crate::evil::Authority;
use crate::suite::{LONG, SHORT};

/// A transport that trusts the peers.
fn transport(authority: &Authority, connect_timeout: Duration) -> impl Fn(Request) -> Result<Response, TransportError> {
    let transport = HttpTransport::builder()
        .root_certificate_der(authority.root())
        .connect_timeout(connect_timeout)
        .build()
        .unwrap();
    move |request| transport.send(request)
}

#[test]
fn every_fault_has_its_outcome() {
    let authority = Authority::new();
    suite::run_table(&authority, transport(&authority, LONG));
}

#[test]
fn a_redirect_is_an_answer() {
    let authority = Authority::new();
    suite::a_redirect_is_an_answer(&authority, transport(&authority, LONG));
}

#[test]
fn no_connection_is_used_twice() {
    let authority = Authority::new();
    suite::no_connection_is_used_twice(&authority, transport(&authority, LONG));
}

#[test]
fn only_https_leaves_this_machine() {
    suite::only_https_leaves_this_machine(transport(&Authority::new(), LONG));
}

#[test]
fn an_unknown_name_is_not_sent() {
    suite::an_unknown_name_is_not_sent(transport(&Authority::new(), LONG));
}

#[test]
fn a_connection_that_hangs_is_not_sent() {
    let authority = Authority::new();
    suite::a_connection_that_hangs_is_not_sent(&authority, transport(&authority, SHORT));
}

#[test]
fn a_request_is_sent_as_it_should_be() {
    let authority = Authority::new();
    suite::a_request_is_sent_as_it_should_be(&authority, transport(&authority, LONG));
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
