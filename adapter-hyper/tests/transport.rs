//! The hyper transport against a peer that misbehaves.
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

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use perennial_core::{Request, Response, TransportError, TransportErrorKind};
use perennial_hyper::{HttpTransport, Transport};
use tokio::runtime::{Builder, Runtime};

use crate::evil::{Act, Authority, Peer, Script};
use crate::suite::{Built, LONG};

/// All on the thread of whoever calls.
fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Sockets are watched on another thread than that of whoever calls.
fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A transport that trusts the peers, on a runtime of its own.
fn transport(
    runtime: Runtime,
    root: &[u8],
    connect_timeout: Duration,
) -> impl Fn(Request) -> Result<Response, TransportError> + use<> {
    let transport =
        HttpTransport::builder().root_certificate_der(root).connect_timeout(connect_timeout).build().unwrap();
    move |request| runtime.block_on(transport.send(request))
}

transport_suite!(over_one_thread, Built::UponSockets, |root, patience| transport(one_thread(), root, patience));
transport_suite!(over_many_threads, Built::UponSockets, |root, patience| transport(many_threads(), root, patience));

#[test]
fn a_request_says_who_sends_it_and_no_more() {
    let authority = Authority::new();
    suite::it_says_who_sends_it_and_no_more(&authority, transport(one_thread(), &authority.root(), LONG));
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
    let authority = Authority::new();
    let peer = Peer::start(&authority, Script::Answer(Act::SayAndStall(b"")), None);
    let mut send = HttpTransport::new().send(peer.request(LONG));
    let runtime = one_thread();
    runtime.block_on(async {
        while !peer.has_a_request() {
            let answer = tokio::time::timeout(Duration::from_millis(1), &mut send).await;
            assert!(answer.is_err(), "{answer:?}");
        }
    });
    drop(send);
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
