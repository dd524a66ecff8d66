//! Reading, writing, quarantining and retiring records.

use super::*;

#[test]
fn any_bytes_up_to_a_megabyte_are_read_back_and_more_than_16_are_refused() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    let mut locked = lock(&store);
    let all: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    for bytes in [all, b"\r\n\0$-1\r\n".to_vec(), Vec::new()] {
        locked.write(&Body::from(bytes.clone()), LONG).unwrap();
        assert!(store.read(LONG).unwrap().unwrap().as_ref() == bytes);
        assert!(locked.read(LONG).unwrap().unwrap().as_ref() == bytes);
    }
    let too_large = Body::from(vec![0; (16 << 20) + 1]);
    expect_error(locked.write(&too_large, LONG), StoreErrorKind::Unusable);
    assert_eq!(saved(&store).as_deref(), Some(""), "nothing was written");
}

#[test]
fn a_record_has_no_expiry() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    write(&store(&server), "for ever");
    assert_eq!(server.cli(&["TTL", "perennial:{navien:home}:record"]), "-1");
}

#[test]
fn sessions_of_different_keys_and_databases_do_not_meet() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let place = |database: &str, key: &str| RedisStore::new(&format!("{}{database}", server.url()), key).unwrap();
    let places = [place("", "a"), place("/0", "b"), place("/1", "a")];
    let locks: Vec<_> = places.iter().map(lock).collect();
    for (mut lock, text) in locks.into_iter().zip(["one", "two", "three"]) {
        lock.write(&body(text), LONG).unwrap();
    }
    assert_eq!(places.map(|place| saved(&place).unwrap()), ["one", "two", "three"]);
}

#[test]
fn each_quarantined_record_is_kept_under_a_name_of_its_own() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    let quarantined = |number: u32| format!("perennial:{{navien:home}}:aside:{number}");
    // A key of another program in the series is not replaced.
    server.cli(&["SET", &quarantined(2), "of somebody else"]);
    let mut locked = lock(&store);
    locked.quarantine(LONG).expect("there is no record");
    for text in ["first", "second"] {
        locked.write(&body(text), LONG).unwrap();
        locked.quarantine(LONG).unwrap();
        assert_eq!(locked.read(LONG).unwrap().map(|_| ()), None);
        assert_eq!(saved(&store), None);
    }
    assert_eq!(server.cli(&["HGET", &quarantined(1), "data"]), "first");
    assert_eq!(server.cli(&["GET", &quarantined(2)]), "of somebody else");
    assert_eq!(server.cli(&["HGET", &quarantined(3), "data"]), "second");
    assert_eq!(server.cli(&["TTL", &quarantined(3)]), "-1");
    locked.write(&body("third"), LONG).unwrap();
    assert_eq!(saved(&store).as_deref(), Some("third"));
}

#[test]
fn a_sign_out_removes_what_was_retired_and_nothing_else() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let store = store(&server);
    let key = |name: &str| format!("perennial:{{navien:home}}:{name}");
    let mut locked = lock(&store);
    locked.write(&body("damaged"), LONG).unwrap();
    locked.quarantine(LONG).unwrap();
    for text in ["another program's", "another program's, later"] {
        locked.write(&body(text), LONG).unwrap();
        locked.retire(LONG).unwrap();
    }
    assert_eq!(server.cli(&["HGET", &key("retired:2"), "data"]), "another program's, later");
    locked.clear(&body("signed out"), LONG).unwrap();
    assert_eq!(saved(&store).as_deref(), Some("signed out"));
    for gone in ["retired", "retired:1", "retired:2"] {
        assert_eq!(server.cli(&["EXISTS", &key(gone)]), "0", "{gone}");
    }
    assert_eq!(server.cli(&["HGET", &key("aside:1"), "data"]), "damaged");
}
