//! Hearing of what others write.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use perennial_core::store::WatchGuard;

use super::*;

fn watch(store: &RedisStore) -> (WatchGuard, Receiver<()>) {
    let (told, heard) = mpsc::channel();
    let changed = Arc::new(move || {
        let _ = told.send(());
    });
    (store.watch(changed).unwrap(), heard)
}

#[track_caller]
fn hears(heard: &Receiver<()>) {
    heard.recv_timeout(LONG).expect("it hears of it");
}

#[test]
fn each_write_of_another_is_told() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let (_watch, heard) = watch(&one);
    // From when it listens.
    hears(&heard);
    for text in ["first", "second"] {
        write(&other, text);
        hears(&heard);
        assert_eq!(saved(&one).as_deref(), Some(text), "what is told can be read");
    }
    lock(&other).quarantine(LONG).unwrap();
    hears(&heard);
    assert_eq!(saved(&one), None);
    assert!(heard.try_recv().is_err(), "locking and reading are not told");
}

#[test]
fn it_goes_on_when_the_server_comes_back() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    let (one, other) = (store(&server), store(&server));
    let (_watch, heard) = watch(&one);
    hears(&heard);
    server.stop();
    server.start_again();
    // Something may have been missed.
    hears(&heard);
    write(&other, "anew");
    hears(&heard);
}

#[test]
fn it_may_begin_before_the_server_is_there() {
    let Some(mut server) = RedisServer::for_test(&[]) else { return };
    server.stop();
    let (_watch, heard) = soon(|| watch(&store(&server)));
    server.start_again();
    hears(&heard);
}

#[test]
fn dropped_it_says_no_more_and_leaves_nothing_at_the_server() {
    let Some(server) = RedisServer::for_test(&[]) else { return };
    let (watch, heard) = watch(&store(&server));
    hears(&heard);
    let listeners = || server.cli(&["PUBSUB", "NUMSUB", "perennial:{navien:home}:changed"]);
    assert!(listeners().ends_with('1'));
    server.freeze();
    soon(|| drop(watch));
    server.thaw();
    until(|| listeners().ends_with('0'));
    // The thread has let go of what it calls: nobody can send any more.
    assert_eq!(heard.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected));
}
