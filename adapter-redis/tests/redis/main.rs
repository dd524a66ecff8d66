//! The store at a real Redis server.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../server/mod.rs"]
mod server;

mod concurrency;
mod conformance;
mod error_replies;
mod locks;
mod lost_replies;
mod outages;
mod proxy;
mod records;
mod replicas;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
mod watches;

use std::time::{Duration, Instant};

use perennial_core::store::{LockGuard, Store, StoreError, StoreErrorKind};
use perennial_core::wire::Body;
use perennial_redis::RedisStore;

use crate::server::RedisServer;

/// A timeout that nothing here reaches, unless something is wrong: 2 minutes.
const LONG: Duration = Duration::from_secs(120);

/// The timeout of a call that must not succeed.
const SHORT: Duration = Duration::from_secs(1);

/// The timeout of a write that waits for replicas.
const REPLICA_TIMEOUT: Duration = Duration::from_secs(1);

/// A time to live that no lock reaches within a test.
const TTL: Duration = Duration::from_secs(600);

/// A store of the same session, as every machine has one of its own.
fn store(server: &RedisServer) -> RedisStore {
    RedisStore::new(&server.url(), "navien:home").unwrap()
}

fn body(text: &str) -> Body {
    Body::from(text.as_bytes().to_vec())
}

fn lock(store: &RedisStore) -> Box<dyn LockGuard> {
    store.lock(LONG, TTL).unwrap()
}

fn write(store: &RedisStore, text: &str) {
    lock(store).write(&body(text), LONG).unwrap();
}

/// The record, read without the lock.
fn saved(store: &RedisStore) -> Option<String> {
    text(store.read(LONG).unwrap())
}

fn text(record: Option<Body>) -> Option<String> {
    record.map(|record| String::from_utf8(record.as_ref().to_vec()).unwrap())
}

/// Asserts that another store holds the lock. The timeouts grow, because on a busy machine a short one may end before
/// Redis answers.
#[track_caller]
fn assert_busy(store: &RedisStore) {
    let kinds = [SHORT / 4, SHORT * 4, LONG].into_iter().map(|timeout| match store.lock(timeout, TTL) {
        Ok(_) => panic!("the lock is free"),
        Err(error) => error.kind(),
    });
    let first = kinds.into_iter().find(|kind| *kind != StoreErrorKind::Unavailable);
    assert_eq!(first, Some(StoreErrorKind::Busy));
}

/// Asserts that the call failed with this kind of error. Returns the error's whole text.
#[track_caller]
fn expect_error<T>(outcome: Result<T, StoreError>, kind: StoreErrorKind) -> String {
    let Err(error) = outcome else { panic!("it succeeds, and {kind:?} was expected") };
    assert_eq!(error.kind(), kind, "{error:?}");
    chain(&error)
}

/// The error and its sources, as a program would log them.
fn chain(error: &StoreError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Runs the call and asserts that it ends within 30 s. The timeouts under test are a second or less, what must not be
/// waited for takes 2 minutes, and the machine may be busy.
#[track_caller]
fn in_time<T>(call: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let outcome = call();
    let took = started.elapsed();
    assert!(took < LONG / 4, "it took {took:?}");
    outcome
}

/// Waits until the condition holds.
#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG, "the condition never holds");
        std::thread::yield_now();
    }
}
