//! The server stops, hangs, loses its data, and comes back.

use std::thread;

use super::*;
use crate::locks::eval_count;
use crate::server::Port;

#[test]
fn a_refused_connection_is_reported_at_once() {
    let unused = Port::reserve();
    let store = RedisStore::new(&format!("redis://127.0.0.1:{}", unused.number()), "navien:home").unwrap();
    let shown = in_time(|| expect_error(store.read(LONG), StoreErrorKind::Unavailable));
    assert!(shown.contains("redis was not reached: "), "{shown}");
    in_time(|| expect_error(store.lock(LONG * 9, TTL), StoreErrorKind::Unavailable));
}

#[test]
fn a_server_that_restarts_empty_under_a_lock_has_lost_it() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    write(&store, "before");
    let mut locked = lock(&store);
    server.stop();
    // The write was sent on a connection that was still open, so it may have been executed.
    in_time(|| expect_error(locked.write(&body("after"), LONG), StoreErrorKind::MaybeWritten));
    // This one was not sent: nobody accepts the connection.
    in_time(|| expect_error(locked.write(&body("after"), LONG), StoreErrorKind::Unavailable));
    in_time(|| expect_error(locked.read(LONG), StoreErrorKind::Unavailable));
    server.start_again();
    expect_error(locked.write(&body("after"), LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&store), None);
    write(&store, "anew");
    assert_eq!(saved(&store).as_deref(), Some("anew"));
}

#[test]
fn releasing_a_lock_of_a_stopped_server_does_not_hang() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let locked = lock(&store(&server));
    server.stop();
    in_time(|| drop(locked));
}

#[test]
fn a_lock_survives_the_loss_of_its_connection() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let mut locked = lock(&one);
    for round in ["one", "two"] {
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        locked.write(&body(round), LONG).unwrap();
    }
    assert_eq!(saved(&other).as_deref(), Some("two"));
    server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
    drop(locked);
    drop(other.lock(LONG, TTL).expect("the lock was released"));
}

#[test]
fn a_write_under_a_lock_that_was_flushed_is_refused() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    let mut locked = lock(&store);
    locked.write(&body("gone"), LONG).unwrap();
    server.cli(&["FLUSHALL"]);
    expect_error(locked.write(&body("lost"), LONG), StoreErrorKind::Lost);
    expect_error(locked.read(LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&store), None);
}

#[test]
fn a_server_that_hangs_costs_no_more_than_the_timeout() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    write(&store, "before");
    let mut locked = lock(&store);
    server.freeze();
    in_time(|| expect_error(store.read(SHORT), StoreErrorKind::Unavailable));
    in_time(|| expect_error(store.lock(SHORT, TTL), StoreErrorKind::Unavailable));
    in_time(|| expect_error(locked.write(&body("after"), SHORT), StoreErrorKind::MaybeWritten));
    // Not sent: the server does not answer the handshake of the new connection.
    in_time(|| expect_error(locked.write(&body("unsent"), SHORT), StoreErrorKind::Unavailable));
    in_time(|| expect_error(locked.read(SHORT), StoreErrorKind::Unavailable));
    server.thaw();
    // The server then executes the write that the caller gave up: the lock was still held, and the record is whole.
    wait_until(|| saved(&store).as_deref() == Some("after"));
    locked.write(&body("later"), LONG).unwrap();
    assert_eq!(saved(&store).as_deref(), Some("later"));
    server.freeze();
    in_time(|| drop(locked));
    server.thaw();
    // The time to live is 10 minutes, but the next connection of this store releases the lock.
    assert_eq!(saved(&store).as_deref(), Some("later"));
    drop(store.lock(LONG, TTL).unwrap());
}

#[test]
fn a_server_that_hung_does_not_grant_a_lock_after_the_caller_gave_up() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    // The lock that is held expires while the server hangs. If the machine was too busy to stop the server before
    // that, the test tries again with more time.
    let outcome = [1, 4, 16].into_iter().find_map(|factor| {
        let _held = one.lock(LONG, Duration::from_millis(900) * factor).unwrap();
        let asked = eval_count(&server);
        let timeout = Duration::from_millis(1_500) * factor;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| one.lock(timeout, TTL).map(|_| ()));
            // The waiting store has its connection: its next attempt goes to a server that hangs.
            wait_until(|| eval_count(&server) >= asked + 2 || waiting.is_finished());
            server.freeze();
            let outcome = waiting.join().unwrap();
            server.thaw();
            outcome.err().filter(|error| error.kind() == StoreErrorKind::Unavailable)
        })
    });
    assert!(outcome.is_some(), "the waiting store does not give up");
    drop(other.lock(LONG, TTL).expect("nobody holds the lock"));
}
