//! A record counts as saved when replicas have it.

use super::*;

fn confirmed(server: &RedisServer) -> RedisStore {
    RedisStore::builder(&server.url(), "navien:home").replicas(1).build().unwrap()
}

#[test]
fn without_the_replica_a_write_may_be_lost_and_says_so() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = confirmed(&server);
    let mut locked = lock(&store);
    let shown = soon(|| fails(locked.write(&body("alone"), CONFIRMING), StoreErrorKind::MaybeWritten));
    assert!(shown.contains("0 of 1 replicas confirmed in time"), "{shown}");
    assert_eq!(saved(&store).as_deref(), Some("alone"));
}

#[test]
fn with_the_replica_a_write_is_there_when_it_returns() {
    let Some(primary) = RedisServer::for_test(&["--repl-diskless-sync-delay", "0"]) else { return };
    let port = primary.port().to_string();
    let Some(replica) = RedisServer::for_test(&["--replicaof", "127.0.0.1", &port]) else { return };
    let mut locked = lock(&confirmed(&primary));
    // Until the replica has caught up.
    until(|| locked.write(&body("twice"), CONFIRMING).is_ok());
    assert_eq!(saved(&store(&replica)).as_deref(), Some("twice"));
    drop(locked);
    // A replica takes no lock, when it has heard that it is free.
    until(|| replica.cli(&["EXISTS", "perennial:{navien:home}:lock"]) == "0");
    let shown = fails(store(&replica).lock(LONG, LEASE), StoreErrorKind::Unavailable);
    assert!(shown.contains("READONLY to EVAL"), "{shown}");
}
