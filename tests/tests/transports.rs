//! The transports of the examples: what a reader ends up with passes the suite for transports.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../core/examples/by_hand/http.rs"]
mod by_hand;
#[path = "../examples/over_reqwest/transport.rs"]
mod over_reqwest;

use std::sync::{Arc, mpsc};

use perennial_adapter::{BoxFuture, send};
use perennial_core::{Response, TransportError};
use perennial_hyper::Connector;
use perennial_testing::conformance::transport::{Setup, TransportUnderTest};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

type Answer = Result<Response, TransportError>;

fn trusting(setup: &Setup) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(setup.root_certificate_der().to_vec().into()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The bare sockets of `by_hand`: the rules of sending stand in front of them.
mod bare_sockets {
    use super::*;

    perennial_testing::transport_conformance!(|setup| {
        let http = by_hand::Http::new(Arc::new(trusting(setup)), setup.connect_timeout());
        TransportUnderTest::new(move |request| http.send(&request))
    });
}

/// `over_reqwest`, as a session sends over it.
fn over_reqwest(
    run: impl Fn(BoxFuture<Answer>) -> Answer + Send + Sync + 'static,
    setup: &Setup,
) -> TransportUnderTest {
    let transport = over_reqwest::Reqwest::new(trusting(setup), setup.connect_timeout()).unwrap();
    let client = Connector::over(transport);
    let under_test = TransportUnderTest::that_checks(move |request| {
        let client = client.clone();
        run(Box::pin(async move { send(&client, request).await }))
    });
    under_test.over_an_http_client()
}

/// A runtime that has a thread of its own: what reqwest starts beside a request goes on after it.
fn one_thread() -> impl Fn(BoxFuture<Answer>) -> Answer {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    let (stands, falls) = oneshot::channel::<()>();
    std::thread::spawn(move || runtime.block_on(falls));
    move |task| {
        assert!(!stands.is_closed());
        let (said, heard) = mpsc::channel();
        handle.spawn(async move { said.send(task.await) });
        heard.recv().unwrap()
    }
}

fn many_threads() -> impl Fn(BoxFuture<Answer>) -> Answer {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    move |task| runtime.block_on(task)
}

mod reqwest_on_one_thread {
    use super::*;

    perennial_testing::transport_conformance!(|setup| over_reqwest(one_thread(), setup));
}

mod reqwest_on_many_threads {
    use super::*;

    perennial_testing::transport_conformance!(|setup| over_reqwest(many_threads(), setup));
}
