//! One holder at a time.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use super::*;

const LOCK_KEY: &str = "perennial:{navien:home}:lock";

#[test]
fn one_at_a_time_holds_the_lock() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let held = lock(&one);
    for store in [&one, &other, &other.clone()] {
        busy(store);
    }
    drop(held);
    drop(lock(&other));
    drop(lock(&one));
    assert_eq!(server.cli(&["EXISTS", LOCK_KEY]), "0", "given back");
}

#[test]
fn who_waits_gets_it_when_it_is_given_back() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut held = lock(&one);
    thread::scope(|scope| {
        let asked = tries(&server);
        let waiting = scope.spawn(|| text(lock(&other).read(LONG).unwrap()));
        until(|| tries(&server) >= asked + 3);
        held.write(&body("while the other waited"), LONG).unwrap();
        drop(held);
        assert_eq!(waiting.join().unwrap().as_deref(), Some("while the other waited"));
    });
}

/// How many scripts the server was asked to run.
pub(crate) fn tries(server: &RedisServer) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let calls = stats.split_once("cmdstat_eval:calls=").map_or("0", |(_, rest)| rest);
    calls.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_lock_ends_with_its_lease_and_the_late_write_is_refused() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut late = one.lock(LONG, Duration::from_millis(50)).unwrap();
    let mut next = lock(&other);
    fails(late.write(&body("too late"), LONG), StoreErrorKind::Lost);
    next.write(&body("in time"), LONG).unwrap();
    fails(late.write(&body("too late"), LONG), StoreErrorKind::Lost);
    fails(late.quarantine(LONG), StoreErrorKind::Lost);
    fails(late.retire(LONG), StoreErrorKind::Lost);
    fails(late.clear(&body("late"), LONG), StoreErrorKind::Lost);
    fails(late.read(LONG), StoreErrorKind::Lost);
    // Nor does giving back what is lost take it from the next.
    drop(late);
    busy(&one);
    next.write(&body("still mine"), LONG).unwrap();
    drop(next);
    assert_eq!(saved(&one).as_deref(), Some("still mine"));
}

#[test]
fn a_late_write_is_refused_when_nobody_holds_the_lock() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut late = one.lock(LONG, Duration::from_millis(50)).unwrap();
    write(&other, "in time");
    fails(late.write(&body("too late"), LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&one).as_deref(), Some("in time"));
}

#[test]
fn a_server_that_went_back_does_not_let_an_older_holder_write_over_a_newer_record() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut older = lock(&one);
    let owner = server.cli(&["GET", LOCK_KEY]);
    server.cli(&["DEL", LOCK_KEY]);
    write(&other, "newer");
    server.cli(&["SET", LOCK_KEY, &owner, "PX", "600000"]);
    fails(older.write(&body("older"), LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&one).as_deref(), Some("newer"));
}

#[test]
fn a_server_that_forgot_the_count_still_takes_writes() {
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
fn a_lock_is_never_thought_to_be_held_longer_than_it_is() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let ttl = Duration::from_secs(60);
    // Until when it is thought to be held, and until when it is, both by this machine's clock.
    let ends = |store: &RedisStore| {
        let called = since_1970();
        let lock = store.lock(LONG, ttl).unwrap();
        (
            called + lock.remaining().unwrap(),
            Duration::from_millis(server.cli(&["PEXPIRETIME", LOCK_KEY]).parse().unwrap()),
        )
    };
    let (thought, end) = ends(&one);
    assert!(thought < end, "{thought:?} {end:?}");
    // The time in which it waited for the lock counts. A busy machine may take its time for the call itself.
    let counts = [1, 4, 16].into_iter().any(|patience| {
        let _held = one.lock(LONG, Duration::from_secs(1) * patience).unwrap();
        let (thought, end) = ends(&other);
        assert!(thought < end, "{thought:?} {end:?}");
        thought >= end - ttl / 50 - Duration::from_millis(100) * patience
    });
    assert!(counts, "it is given up much too early");
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

#[test]
fn no_time_at_all_is_an_error_and_nothing_is_held() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    fails(store.lock(Duration::ZERO, LEASE), StoreErrorKind::Unavailable);
    fails(store.read(Duration::ZERO), StoreErrorKind::Unavailable);
    let mut locked = lock(&store);
    fails(locked.write(&body("unsent"), Duration::ZERO), StoreErrorKind::Unavailable);
    locked.write(&body("sent"), Duration::MAX).expect("all the time there is");
    drop(locked);
    let forever = store.lock(Duration::MAX, Duration::MAX).unwrap();
    assert!(forever.remaining().unwrap() < Duration::from_secs(86_400), "no lock is for ever");
}
