//! Writes that count as saved when replicas have confirmed them.

use super::*;

fn confirmed(server: &RedisServer) -> RedisStore {
    RedisStore::builder(&server.url(), "navien:home").replicas(1).build().unwrap()
}

#[test]
fn a_write_that_no_replica_confirms_is_maybe_written() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = confirmed(&server);
    let mut locked = lock(&store);
    let shown = in_time(|| expect_error(locked.write(&body("alone"), REPLICA_TIMEOUT), StoreErrorKind::MaybeWritten));
    assert!(shown.contains("0 of 1 replicas confirmed in time"), "{shown}");
    assert_eq!(saved(&store).as_deref(), Some("alone"));
}

#[test]
fn a_confirmed_write_is_on_the_replica_and_a_replica_grants_no_lock() {
    let Some(primary) = RedisServer::for_test(&["--repl-diskless-sync-delay", "0"]) else { return };
    let port = primary.port().to_string();
    let Some(replica) = RedisServer::for_test(&["--replicaof", "127.0.0.1", &port]) else { return };
    let mut locked = lock(&confirmed(&primary));
    // Until the replica has synchronised.
    wait_until(|| locked.write(&body("twice"), REPLICA_TIMEOUT).is_ok());
    assert_eq!(saved(&store(&replica)).as_deref(), Some("twice"));
    drop(locked);
    // A replica grants no lock. Before it knows that the lock was released it would answer that it is held.
    wait_until(|| replica.cli(&["EXISTS", "perennial:{navien:home}:lock"]) == "0");
    let shown = expect_error(store(&replica).lock(LONG, TTL), StoreErrorKind::Unavailable);
    assert!(shown.contains("READONLY to EVAL"), "{shown}");
}
