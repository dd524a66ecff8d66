//! The transports of the examples against a peer that misbehaves: what a reader ends up with.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../../core/examples/by_hand/http.rs"]
mod by_hand;
#[path = "../support/evil.rs"]
mod evil;
#[path = "../support/oddities.rs"]
mod oddities;
#[path = "../examples/over_reqwest/transport.rs"]
mod over_reqwest;
#[macro_use]
#[path = "../support/suite.rs"]
mod suite;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use perennial_adapter::{BoxFuture, send};
use perennial_core::{Request, Response, TransportError, TransportSecurity};
use perennial_hyper::Connector;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::suite::Built;

type Answer = Result<Response, TransportError>;

fn trusting(root: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.to_vec().into()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The bare sockets of `by_hand`, with the rules of sending in front.
fn by_hand(root: &[u8], connect_timeout: Duration) -> impl Fn(Request) -> Answer + use<> {
    let http = by_hand::Http::new(Arc::new(trusting(root)), connect_timeout);
    move |request| TransportSecurity::new().guard(request, |request| http.send(&request))
}

transport_suite!(bare_sockets, Built::UponSockets, by_hand);

/// `over_reqwest`, as a session sends over it.
fn over_reqwest<R: Fn(BoxFuture<Answer>) -> Answer>(
    run: R,
    root: &[u8],
    connect_timeout: Duration,
) -> impl Fn(Request) -> Answer + use<R> {
    let client = Connector::over(over_reqwest::Reqwest::new(trusting(root), connect_timeout).unwrap());
    move |request| {
        let client = client.clone();
        run(Box::pin(async move { send(&client, request).await }))
    }
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

transport_suite!(reqwest_on_one_thread, Built::UponAClient, |root, patience| over_reqwest(
    one_thread(),
    root,
    patience
));
transport_suite!(reqwest_on_many_threads, Built::UponAClient, |root, patience| over_reqwest(
    many_threads(),
    root,
    patience
));
