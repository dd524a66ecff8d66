//! Watching for writes of others.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use perennial_core::store::WatchGuard;

use super::*;

fn watch(store: &RedisStore) -> (WatchGuard, Receiver<()>) {
    let (sender, changes) = mpsc::channel();
    let changed = Arc::new(move || {
        let _ = sender.send(());
    });
    (store.watch(changed).unwrap(), changes)
}

#[track_caller]
fn expect_change(changes: &Receiver<()>) {
    changes.recv_timeout(LONG).expect("a change is reported");
}

#[test]
fn a_watch_reports_every_write_of_another_store() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let (_watch, changes) = watch(&one);
    // The first report comes when the subscription begins.
    expect_change(&changes);
    for text in ["first", "second"] {
        write(&other, text);
        expect_change(&changes);
        assert_eq!(saved(&one).as_deref(), Some(text), "a change that is reported can be read");
    }
    lock(&other).quarantine(LONG).unwrap();
    expect_change(&changes);
    assert_eq!(saved(&one), None);
    assert!(changes.try_recv().is_err(), "locking and reading are not reported");
}

#[test]
fn a_watch_goes_on_after_the_server_restarts() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let (_watch, changes) = watch(&one);
    expect_change(&changes);
    server.stop();
    server.start_again();
    // It reports once when it subscribes again, since it may have missed a write.
    expect_change(&changes);
    write(&other, "anew");
    expect_change(&changes);
}

#[test]
fn a_watch_may_start_before_the_server_does() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    server.stop();
    let (_watch, changes) = in_time(|| watch(&store(&server)));
    server.start_again();
    expect_change(&changes);
}

#[test]
fn a_dropped_watch_reports_nothing_more_and_ends_its_subscription() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (watch, changes) = watch(&store(&server));
    expect_change(&changes);
    let subscribers = || server.cli(&["PUBSUB", "NUMSUB", "perennial:{navien:home}:changed"]);
    assert!(subscribers().ends_with('1'));
    server.freeze();
    in_time(|| drop(watch));
    server.thaw();
    wait_until(|| subscribers().ends_with('0'));
    // The thread has dropped the callback, and with it the sender.
    assert_eq!(changes.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
}
