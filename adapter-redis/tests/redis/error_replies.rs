//! Error replies of Redis: authentication, permissions, memory, clients.

use super::*;

const PASSWORD: &str = "correct-horse-battery";

#[test]
fn the_password_may_be_in_the_url_or_beside_it() {
    let Some(server) = RedisServer::for_test(&["--requirepass", PASSWORD]) else { return };
    let in_the_address = server.url().replace("redis://", &format!("redis://:{PASSWORD}@"));
    write(&RedisStore::new(&in_the_address, "navien:home").unwrap(), "by one");
    let beside_it = RedisStore::builder(&server.url(), "navien:home").password(PASSWORD).build().unwrap();
    assert_eq!(saved(&beside_it).as_deref(), Some("by one"));
}

#[test]
fn a_wrong_or_missing_password_is_unusable_and_not_shown() {
    let Some(server) = RedisServer::for_test(&["--requirepass", PASSWORD]) else { return };
    let wrong = RedisStore::builder(&server.url(), "navien:home").password("hunter2").build().unwrap();
    let stranger = RedisStore::builder(&server.url(), "navien:home").user("hunter2").password("hunter2");
    let none = store(&server);
    for (store, code) in [(wrong, "WRONGPASS"), (stranger.build().unwrap(), "WRONGPASS"), (none, "NOAUTH")] {
        for shown in [
            expect_error(store.read(LONG), StoreErrorKind::Unusable),
            expect_error(store.lock(LONG, TTL), StoreErrorKind::Unusable),
        ] {
            assert!(shown.contains(code), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains(PASSWORD), "{shown}");
        }
    }
}

#[test]
fn a_password_for_a_server_without_one_is_unusable() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = RedisStore::builder(&server.url(), "navien:home").password("hunter2").build().unwrap();
    let shown = expect_error(store.read(LONG), StoreErrorKind::Unusable);
    assert!(shown.contains("ERR to AUTH") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_database_that_does_not_exist_is_unusable() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = RedisStore::new(&format!("{}/99", server.url()), "navien:home").unwrap();
    let shown = expect_error(store.lock(LONG, TTL), StoreErrorKind::Unusable);
    assert!(shown.contains("ERR to SELECT"), "{shown}");
}

/// The permissions that the crate's documentation names.
fn documented_permissions() -> Vec<String> {
    let lib = include_str!("../../src/lib.rs").replace("//!", " ");
    let (_, rights) = lib.split_once("ACL SETUSER perennial on >PASSWORD ").unwrap();
    let (rights, _) = rights.split_once('`').unwrap();
    rights.split_whitespace().map(str::to_owned).collect()
}

/// A server with a user who has these permissions.
fn server_with_user(rights: &[&str]) -> Option<RedisServer> {
    let server = RedisServer::for_test(&[])?;
    let user = ["ACL", "SETUSER", "perennial", "on", ">correct-horse-battery"];
    assert_eq!(server.cli(&[&user, rights].concat()), "OK");
    Some(server)
}

fn as_user(server: &RedisServer) -> RedisStore {
    // Another database than 0, so that `SELECT` has to be allowed.
    let url = format!("{}/1", server.url());
    RedisStore::builder(&url, "navien:home").user("perennial").password(PASSWORD).build().unwrap()
}

#[test]
fn the_documented_rights_are_enough() {
    let rights = documented_permissions();
    let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
    let Some(server) = server_with_user(&rights) else { return };
    let store = as_user(&server);
    let (sender, changes) = std::sync::mpsc::channel();
    let watch = store.watch(std::sync::Arc::new(move || {
        let _ = sender.send(());
    }));
    changes.recv_timeout(LONG).expect("it subscribes");
    let mut locked = lock(&store);
    locked.write(&body("one"), LONG).unwrap();
    changes.recv_timeout(LONG).expect("it reports the write");
    assert_eq!(text(locked.read(LONG).unwrap()).as_deref(), Some("one"));
    locked.quarantine(LONG).unwrap();
    locked.write(&body("another program's"), LONG).unwrap();
    locked.retire(LONG).unwrap();
    locked.clear(&body("signed out"), LONG).unwrap();
    server.cli(&["-n", "1", "DEL", "perennial:{navien:home}:fence"]);
    drop(locked);
    write(&store, "two");
    server.cli(&["-n", "1", "DEL", "perennial:{navien:home}:fence"]);
    write(&store, "three");
    assert_eq!(saved(&store).as_deref(), Some("three"));
    drop(watch);
    let confirmed = RedisStore::builder(&format!("{}/1", server.url()), "navien:home");
    let confirmed = confirmed.user("perennial").password(PASSWORD).replicas(1).build().unwrap();
    let shown = expect_error(lock(&confirmed).write(&body("four"), REPLICA_TIMEOUT), StoreErrorKind::MaybeWritten);
    assert!(shown.contains("0 of 1 replicas"), "{shown}");
}

#[test]
fn a_missing_right_is_unusable_and_nothing_is_written() {
    for missing in ["~other:*", "-get", "-publish", "resetchannels"] {
        let rights = documented_permissions();
        let mut rights: Vec<&str> = rights.iter().map(String::as_str).collect();
        if missing.starts_with('~') {
            rights.push("resetkeys");
        }
        rights.push(missing);
        let Some(server) = server_with_user(&rights) else { return };
        let store = as_user(&server);
        let wrote = store.lock(LONG, TTL).and_then(|mut lock| lock.write(&body("unwritten"), LONG));
        let shown = expect_error(wrote, StoreErrorKind::Unusable);
        assert!(shown.contains("NOPERM to EVAL"), "{missing}: {shown}");
        assert_eq!(server.cli(&["-n", "1", "EXISTS", "perennial:{navien:home}:record"]), "0", "{missing}");
    }
}

#[test]
fn a_key_of_another_type_is_unusable_and_not_changed() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    server.cli(&["SET", "perennial:{navien:home}:record", "of another program"]);
    let store = store(&server);
    for shown in [
        expect_error(store.read(LONG), StoreErrorKind::Unusable),
        expect_error(store.lock(LONG, TTL), StoreErrorKind::Unusable),
    ] {
        assert!(shown.contains("WRONGTYPE"), "{shown}");
    }
    assert_eq!(server.cli(&["GET", "perennial:{navien:home}:record"]), "of another program");
    assert_eq!(server.cli(&["EXISTS", "perennial:{navien:home}:lock"]), "0", "no lock is left behind");
}

#[test]
fn a_server_out_of_memory_is_unusable_and_nothing_is_written() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    write(&store, "old");
    let mut locked = lock(&store);
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let shown = expect_error(locked.write(&body("new"), LONG), StoreErrorKind::Unusable);
    assert!(shown.contains("OOM to EVAL"), "{shown}");
    assert_eq!(saved(&store).as_deref(), Some("old"));
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    locked.write(&body("new"), LONG).expect("there is room again");
}

#[test]
fn a_server_with_too_many_clients_is_unavailable() {
    let Some(server) = RedisServer::for_test(&["--maxclients", "1"]) else { return };
    let locked = lock(&store(&server));
    let shown = expect_error(store(&server).read(LONG), StoreErrorKind::Unavailable);
    assert!(shown.contains("max number of clients"), "{shown}");
    drop(locked);
    wait_until(|| store(&server).read(LONG).is_ok());
}
