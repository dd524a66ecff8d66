//! The server goes, hangs, forgets, and comes back.

use std::thread;

use super::*;
use crate::locks::tries;
use crate::server::Port;

#[test]
fn a_server_that_is_not_there_is_said_at_once() {
    let nobodys = Port::of_ours();
    let store = RedisStore::new(&format!("redis://127.0.0.1:{}", nobodys.number()), "navien:home").unwrap();
    let shown = soon(|| fails(store.read(LONG), StoreErrorKind::Unavailable));
    assert!(shown.contains("redis was not reached: "), "{shown}");
    soon(|| fails(store.lock(LONG * 9, LEASE), StoreErrorKind::Unavailable));
}

#[test]
fn a_server_that_goes_while_a_lock_is_held_is_said_and_comes_back_empty() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    write(&store, "before");
    let mut locked = lock(&store);
    server.stop();
    // Whether the write got there before the end of the connection cannot be known.
    soon(|| fails(locked.write(&body("after"), LONG), StoreErrorKind::MaybeWritten));
    // This one cannot: there is nobody to send it to.
    soon(|| fails(locked.write(&body("after"), LONG), StoreErrorKind::Unavailable));
    soon(|| fails(locked.read(LONG), StoreErrorKind::Unavailable));
    server.start_again();
    fails(locked.write(&body("after"), LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&store), None);
    write(&store, "anew");
    assert_eq!(saved(&store).as_deref(), Some("anew"));
}

#[test]
fn giving_back_a_lock_of_a_server_that_is_gone_does_not_hang() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let locked = lock(&store(&server));
    server.stop();
    soon(|| drop(locked));
}

#[test]
fn a_lock_outlasts_its_connection() {
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
    drop(other.lock(LONG, LEASE).expect("it was given back"));
}

#[test]
fn a_server_that_was_emptied_refuses_the_write() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    let mut locked = lock(&store);
    locked.write(&body("gone"), LONG).unwrap();
    server.cli(&["FLUSHALL"]);
    fails(locked.write(&body("lost"), LONG), StoreErrorKind::Lost);
    fails(locked.read(LONG), StoreErrorKind::Lost);
    assert_eq!(saved(&store), None);
}

#[test]
fn a_server_that_hangs_costs_no_more_than_was_allowed() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    write(&store, "before");
    let mut locked = lock(&store);
    server.freeze();
    soon(|| fails(store.read(SHORT), StoreErrorKind::Unavailable));
    soon(|| fails(store.lock(SHORT, LEASE), StoreErrorKind::Unavailable));
    soon(|| fails(locked.write(&body("after"), SHORT), StoreErrorKind::MaybeWritten));
    // Not sent: nobody answers the new connection.
    soon(|| fails(locked.write(&body("unsent"), SHORT), StoreErrorKind::Unavailable));
    soon(|| fails(locked.read(SHORT), StoreErrorKind::Unavailable));
    server.thaw();
    // It comes to the write that was given up, which was allowed and is whole.
    until(|| saved(&store).as_deref() == Some("after"));
    locked.write(&body("later"), LONG).unwrap();
    assert_eq!(saved(&store).as_deref(), Some("later"));
    server.freeze();
    soon(|| drop(locked));
    server.thaw();
    // The lease is long, but whoever comes back first gives back what was owed.
    assert_eq!(saved(&store).as_deref(), Some("later"));
    drop(store.lock(LONG, LEASE).unwrap());
}

#[test]
fn a_server_that_hung_does_not_lock_for_somebody_who_has_given_up() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    // The lock that is held ends by itself while the server hangs. Where the machine was too busy to stop the server
    // before that, once more with more time.
    let outcome = [1, 4, 16].into_iter().find_map(|patience| {
        let _held = one.lock(LONG, Duration::from_millis(900) * patience).unwrap();
        let asked = tries(&server);
        let timeout = Duration::from_millis(1_500) * patience;
        thread::scope(|scope| {
            let waiting = scope.spawn(|| one.lock(timeout, LEASE).map(|_| ()));
            // It waits on a connection of its own: what it asks next goes to a server that hangs.
            until(|| tries(&server) >= asked + 2 || waiting.is_finished());
            server.freeze();
            let outcome = waiting.join().unwrap();
            server.thaw();
            outcome.err().filter(|error| error.kind() == StoreErrorKind::Unavailable)
        })
    });
    assert!(outcome.is_some(), "it does not give up");
    drop(other.lock(LONG, LEASE).expect("nobody holds it"));
}
