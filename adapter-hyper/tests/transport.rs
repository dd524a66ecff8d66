//! The hyper transport: the suite for transports, and what is its own.
#![cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../tests/support/listener.rs"]
mod listener;
#[path = "../../tests/support/own_tls.rs"]
mod own_tls;

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_core::TransportErrorKind;
use perennial_hyper::{HttpTransport, Transport};
use perennial_testing::conformance::transport::{Setup, TransportUnderTest};
use tokio::runtime::{Builder, Runtime};

use crate::listener::{LONG, Listener};

/// All on the thread of whoever calls.
fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sockets are watched on another thread than that of whoever calls.
fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A transport that trusts the peers, on a runtime of its own.
fn transport(runtime: Runtime, setup: &Setup) -> TransportUnderTest {
    let transport = HttpTransport::builder()
        .root_certificate_der(setup.root_certificate_der())
        .connect_timeout(setup.connect_timeout())
        .build()
        .unwrap();
    TransportUnderTest::that_checks(move |request| runtime.block_on(transport.send(request)))
}

mod on_one_thread {
    perennial_testing::transport_conformance!(|setup| super::transport(super::one_thread(), setup));
}

mod on_many_threads {
    perennial_testing::transport_conformance!(|setup| super::transport(super::many_threads(), setup));
}

#[test]
fn a_request_says_who_sends_it_and_no_more() {
    listener::it_says_who_sends_it_and_no_more(|request| {
        one_thread().block_on(HttpTransport::new().send(request)).unwrap();
    });
}

#[test]
fn a_tls_config_of_ones_own_is_taken() {
    own_tls::a_tls_config_of_ones_own_is_taken(|config, request| {
        let transport = HttpTransport::builder().tls_config(config).build().unwrap();
        one_thread().block_on(transport.send(request))
    });
}

#[test]
fn roots_that_are_none_are_refused() {
    assert!(HttpTransport::builder().root_certificate_der("no certificate").build().is_err());
}

#[test]
fn dropping_the_future_closes_the_connection() {
    let listener = Listener::start("");
    let mut send = HttpTransport::new().send(listener.request("a=b"));
    let runtime = one_thread();
    runtime.block_on(async {
        while listener.heads.try_recv().is_err() {
            let answer = tokio::time::timeout(Duration::from_millis(1), &mut send).await;
            assert!(answer.is_err(), "{answer:?}");
        }
    });
    drop(send);
    // The runtime still stands: nothing of the request may live on in it.
    listener.ends.recv_timeout(LONG).unwrap();
    drop(runtime);
}

#[test]
fn without_a_runtime_nothing_is_sent() {
    let listener = Listener::start("");
    let mut send = HttpTransport::new().send(listener.request("a=b"));
    let Poll::Ready(result) = send.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it must not wait");
    };
    assert_eq!(result.unwrap_err().kind(), TransportErrorKind::NotSent);
    assert!(listener.heads.try_recv().is_err());
}
