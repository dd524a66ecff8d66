//! Redis executes a command, and its reply is lost.

use super::*;
use crate::proxy::Proxy;

fn through(proxy: &Proxy) -> RedisStore {
    RedisStore::new(&proxy.url(), "navien:home").unwrap()
}

#[test]
fn a_lock_whose_reply_was_lost_is_acquired_again_by_the_same_owner() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_replies(&server, "PTTL", 1);
    let mut locked = in_time(|| through(&proxy).lock(LONG, TTL)).unwrap();
    assert_eq!(proxy.left(), 0);
    locked.write(&body("ours"), LONG).unwrap();
    assert_eq!(saved(&store(&server)).as_deref(), Some("ours"));
}

#[test]
fn a_lock_whose_replies_were_all_lost_is_released_by_the_next_connection() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_replies(&server, "PTTL", 2);
    let store = through(&proxy);
    in_time(|| expect_error(store.lock(LONG, TTL), StoreErrorKind::Unavailable));
    assert_busy(&self::store(&server));
    assert_eq!(saved(&store), None, "the next connection, of any call, releases it");
    drop(lock(&self::store(&server)));
}

#[test]
fn a_write_whose_reply_was_lost_is_repeated() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_replies(&server, "HSET", 1);
    let mut locked = lock(&through(&proxy));
    locked.write(&body("once or twice"), LONG).unwrap();
    assert_eq!((proxy.left(), saved(&store(&server)).as_deref()), (0, Some("once or twice")));
}

#[test]
fn a_write_whose_replies_were_all_lost_is_maybe_written() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_replies(&server, "HSET", 2);
    let mut locked = lock(&through(&proxy));
    in_time(|| expect_error(locked.write(&body("perhaps"), LONG), StoreErrorKind::MaybeWritten));
    assert_eq!(saved(&store(&server)).as_deref(), Some("perhaps"), "this one was executed");
    locked.write(&body("surely"), LONG).unwrap();
    assert_eq!(saved(&store(&server)).as_deref(), Some("surely"));
}

#[test]
fn a_quarantine_whose_reply_was_lost_is_not_done_twice() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_replies(&server, "RENAMENX", 1);
    let mut locked = lock(&through(&proxy));
    locked.write(&body("strange"), LONG).unwrap();
    locked.quarantine(LONG).unwrap();
    assert_eq!(server.cli(&["GET", "perennial:{navien:home}:aside"]), "1");
    assert_eq!(server.cli(&["HGET", "perennial:{navien:home}:aside:1", "data"]), "strange");
}

#[test]
fn a_lock_whose_release_was_lost_is_released_by_the_next_connection() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let proxy = Proxy::losing_requests(&server, "return redis.call('DEL'", 2);
    let store = through(&proxy);
    drop(lock(&store));
    assert_eq!(proxy.left(), 0);
    assert_busy(&self::store(&server));
    assert_eq!(saved(&store), None, "the next connection, of any call, releases it");
    drop(lock(&self::store(&server)));
}
