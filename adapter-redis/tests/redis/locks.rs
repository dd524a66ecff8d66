//! Locking: one holder at a time, within a time to live.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const LOCK_KEY: &str = "perennial:{navien:home}:lock";

#[test]
fn only_one_store_at_a_time_holds_the_lock() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let held = lock(&one);
    for store in [&one, &other, &other.clone()] {
        assert_busy(store);
    }
    drop(held);
    drop(lock(&other));
    drop(lock(&one));
    assert_eq!(server.cli(&["EXISTS", LOCK_KEY]), "0", "released");
}

#[test]
fn a_waiting_store_gets_the_lock_when_it_is_released() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut held = lock(&one);
    thread::scope(|scope| {
        let asked = eval_count(&server);
        let waiting = scope.spawn(|| text(lock(&other).read(LONG).unwrap()));
        wait_until(|| eval_count(&server) >= asked + 3);
        held.write(&body("while the other waited"), LONG).unwrap();
        drop(held);
        assert_eq!(waiting.join().unwrap().as_deref(), Some("while the other waited"));
    });
}

/// How many scripts the server has run.
pub(crate) fn eval_count(server: &RedisServer) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = stats.split_once("cmdstat_eval:calls=").map_or("0", |(_, rest)| rest);
    calls.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn an_older_lock_does_not_overwrite_a_newer_record_after_the_server_was_restored() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut older = lock(&one);
    let owner = server.cli(&["GET", LOCK_KEY]);
    server.cli(&["DEL", LOCK_KEY]);
    write(&other, "newer");
    server.cli(&["SET", LOCK_KEY, &owner, "PX", "600000"]);
    expect_error(older.write(&body("older"), LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&one).as_deref(), Some("newer"));
}

#[test]
fn a_server_that_evicted_the_fencing_counter_still_accepts_writes() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    for text in ["one", "two", "three"] {
        write(&store, text);
    }
    server.cli(&["DEL", "perennial:{navien:home}:fence"]);
    write(&store, "four");
    assert_eq!(saved(&store).as_deref(), Some("four"));
    assert_eq!(server.cli(&["HGET", "perennial:{navien:home}:record", "fence"]), "4");
}

#[test]
fn a_lock_never_claims_to_last_longer_than_redis_keeps_it() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let ttl = Duration::from_secs(60);
    // The end that the guard claims, and the end that Redis knows, both by this machine's clock.
    let ends = |store: &RedisStore| {
        let called = since_1970();
        let lock = store.lock(LONG, ttl).unwrap();
        (
            called + lock.remaining().unwrap(),
            Duration::from_millis(server.cli(&["PEXPIRETIME", LOCK_KEY]).parse().unwrap()),
        )
    };
    let (claimed, end) = ends(&one);
    assert!(claimed < end, "{claimed:?} {end:?}");
    // The claim counts from the call, so the time spent waiting for the lock must not shorten it. The bounds grow,
    // because a busy machine may take long for the call itself.
    let counts = [1, 4, 16].into_iter().any(|factor| {
        let _held = one.lock(LONG, Duration::from_secs(1) * factor).unwrap();
        let (claimed, end) = ends(&other);
        assert!(claimed < end, "{claimed:?} {end:?}");
        claimed >= end - ttl / 50 - Duration::from_millis(100) * factor
    });
    assert!(counts, "the guard claims far too little");
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn a_timeout_of_zero_is_unavailable_and_the_longest_is_accepted() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    expect_error(store.lock(Duration::ZERO, TTL), StoreErrorKind::Unavailable);
    expect_error(store.read(Duration::ZERO), StoreErrorKind::Unavailable);
    let mut locked = lock(&store);
    expect_error(locked.write(&body("unsent"), Duration::ZERO), StoreErrorKind::Unavailable);
    locked.write(&body("sent"), Duration::MAX).expect("a timeout of Duration::MAX");
    drop(locked);
    let forever = store.lock(Duration::MAX, Duration::MAX).unwrap();
    assert!(forever.remaining().unwrap() < Duration::from_secs(86_400), "no lock is longer than a day");
}
