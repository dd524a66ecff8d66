//! Something was done, and the answer got lost.

use super::*;
use crate::proxy::Proxy;

fn through(proxy: &Proxy) -> RedisStore {
    RedisStore::new(&proxy.url(), "navien:home").unwrap()
}

#[test]
fn a_lock_whose_answer_was_lost_is_asked_for_again_as_the_same_owner() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing(&server, "PTTL", 1);
    let mut locked = soon(|| through(&proxy).lock(LONG, LEASE)).unwrap();
    assert_eq!(proxy.left(), 0);
    locked.write(&body("ours"), LONG).unwrap();
    assert_eq!(saved(&store(&server)).as_deref(), Some("ours"));
}

#[test]
fn a_lock_that_may_be_ours_is_given_back_with_the_next_connection() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing(&server, "PTTL", 2);
    let store = through(&proxy);
    soon(|| fails(store.lock(LONG, LEASE), StoreErrorKind::Unavailable));
    busy(&self::store(&server));
    assert_eq!(saved(&store), None, "any call will do");
    drop(lock(&self::store(&server)));
}

#[test]
fn a_write_whose_answer_was_lost_is_repeated_under_the_lock() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing(&server, "HSET", 1);
    let mut locked = lock(&through(&proxy));
    locked.write(&body("once or twice"), LONG).unwrap();
    assert_eq!((proxy.left(), saved(&store(&server)).as_deref()), (0, Some("once or twice")));
}

#[test]
fn a_write_whose_answers_were_lost_may_have_been_written() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing(&server, "HSET", 2);
    let mut locked = lock(&through(&proxy));
    soon(|| fails(locked.write(&body("perhaps"), LONG), StoreErrorKind::MaybeWritten));
    assert_eq!(saved(&store(&server)).as_deref(), Some("perhaps"), "here it was");
    locked.write(&body("surely"), LONG).unwrap();
    assert_eq!(saved(&store(&server)).as_deref(), Some("surely"));
}

#[test]
fn a_record_is_set_aside_once_although_it_is_asked_for_twice() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing(&server, "RENAMENX", 1);
    let mut locked = lock(&through(&proxy));
    locked.write(&body("strange"), LONG).unwrap();
    locked.quarantine(LONG).unwrap();
    assert_eq!(server.cli(&["GET", "perennial:{navien:home}:aside"]), "1");
    assert_eq!(server.cli(&["HGET", "perennial:{navien:home}:aside:1", "data"]), "strange");
}

#[test]
fn a_lock_that_could_not_be_given_back_is_given_back_with_the_next_connection() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::swallowing(&server, "return redis.call('DEL'", 2);
    let store = through(&proxy);
    drop(lock(&store));
    assert_eq!(proxy.left(), 0);
    busy(&self::store(&server));
    assert_eq!(saved(&store), None, "any call will do");
    drop(lock(&self::store(&server)));
}
