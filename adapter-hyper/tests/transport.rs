//! The hyper transport against a peer that misbehaves.
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

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_core::{Request, Response, TransportError, TransportErrorKind};
use perennial_hyper::{HttpTransport, Transport};
use tokio::runtime::{Builder, Runtime};

use crate::evil::{Act, Authority, Peer, Script};
use crate::suite::{LONG, SHORT};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A transport that trusts the peers, on a runtime of its own.
fn transport(authority: &Authority, connect_timeout: Duration) -> impl Fn(Request) -> Result<Response, TransportError> {
    let transport = HttpTransport::builder()
        .root_certificate_der(authority.root())
        .connect_timeout(connect_timeout)
        .build()
        .unwrap();
    let runtime = runtime();
    move |request| runtime.block_on(transport.send(request))
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
        let transport = HttpTransport::builder().tls_config(config).build().unwrap();
        runtime().block_on(transport.send(request))
    });
}

#[test]
fn roots_that_are_none_are_refused() {
    assert!(HttpTransport::builder().root_certificate_der("no certificate").build().is_err());
}

#[test]
fn dropping_the_future_closes_the_connection() {
    let authority = Authority::new();
    let peer = Peer::start(&authority, Script::Answer(Act::SayAndStall(b"")), None);
    let send = HttpTransport::new().send(peer.request(LONG));
    let runtime = runtime();
    let waited = runtime.block_on(async { tokio::time::timeout(SHORT, send).await });
    assert!(waited.is_err());
    // The runtime still stands: nothing of the request may live on in it.
    let seen = peer.finish();
    assert!(seen.requests == 1 && seen.hung_up, "{seen:?}");
    drop(runtime);
}

#[test]
fn without_a_runtime_nothing_is_sent() {
    let peer = Peer::start(&Authority::new(), Script::Stall, None);
    let mut send = HttpTransport::new().send(peer.request(LONG));
    let Poll::Ready(result) = send.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it must not wait");
    };
    assert_eq!(result.unwrap_err().kind(), TransportErrorKind::NotSent);
    assert_eq!(peer.finish().connections, 0);
}
