//! The store on a real Redis server.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../server/mod.rs"]
mod server;

mod crowds;
mod locks;
mod lost_answers;
mod outages;
mod proxy;
mod records;
mod refusals;
mod replicas;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
mod watches;

use std::time::{Duration, Instant};

use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
use perennial_core::wire::Body;
use perennial_redis::RedisStore;

use crate::server::RedisServer;

/// Longer than anything here takes, unless something is wrong.
const LONG: Duration = Duration::from_secs(120);

/// Until a call that must not succeed is to give up.
const SHORT: Duration = Duration::from_secs(1);

/// Until replicas that do not confirm are given up.
const CONFIRMING: Duration = Duration::from_secs(1);

/// A lease that never ends within a test.
const LEASE: Duration = Duration::from_secs(600);

/// One of several stores for the same session, as another machine would have it.
fn store(server: &RedisServer) -> RedisStore {
    RedisStore::new(&server.url(), "navien:home").unwrap()
}

fn body(text: &str) -> Body {
    Body::from(text.as_bytes().to_vec())
}

fn lock(store: &RedisStore) -> Box<dyn LockGuard> {
    store.lock(LONG, LEASE).unwrap()
}

fn write(store: &RedisStore, text: &str) {
    lock(store).write(&body(text), LONG).unwrap();
}

/// What is saved.
fn saved(store: &RedisStore) -> Option<String> {
    text(store.read(LONG).unwrap())
}

fn text(record: Option<Body>) -> Option<String> {
    record.map(|record| String::from_utf8(record.as_ref().to_vec()).unwrap())
}

/// The lock is held by another. On a busy machine it may take longer to find out.
#[track_caller]
fn busy(store: &RedisStore) {
    let kinds = [SHORT / 4, SHORT * 4, LONG].into_iter().map(|timeout| match store.lock(timeout, LEASE) {
        Ok(_) => panic!("it is free"),
        Err(error) => error.kind(),
    });
    let first = kinds.into_iter().find(|kind| *kind != StoreErrorKind::Unavailable);
    assert_eq!(first, Some(StoreErrorKind::Busy));
}

#[track_caller]
fn fails<T>(outcome: Result<T, StoreError>, kind: StoreErrorKind) -> String {
    let Err(error) = outcome else { panic!("it succeeds, and {kind:?} was expected") };
    assert_eq!(error.kind(), kind, "{error:?}");
    chain(&error)
}

/// The error with what caused it, as a program would log it.
fn chain(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Runs it, and checks that it does not go on and on: the bounds here are well below a second, what must not be
/// waited for is far above this, and the machine may be busy.
#[track_caller]
fn soon<T>(command: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let outcome = command();
    let took = begun.elapsed();
    assert!(took < LONG / 4, "it took {took:?}");
    outcome
}

/// Waits until it is so.
#[track_caller]
fn until(mut it_is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !it_is_so() {
        assert!(begun.elapsed() < LONG, "it never is");
        std::thread::yield_now();
    }
}
