use std::sync::Weak;
use std::sync::mpsc::{self, Receiver};

use super::*;
use crate::fake_server::{FakeConnection, FakeServer, LONG};

const QUICK: WatchIntervals = WatchIntervals {
    ping_after: Duration::from_millis(10),
    reply_timeout: Duration::from_secs(4),
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(20),
};

const CHANNEL: &str = "perennial:{key}:changed";
const MESSAGE: &str = "*3\r\n$7\r\nmessage\r\n$23\r\nperennial:{key}:changed\r\n$1\r\n7\r\n";

fn watch(server: &FakeServer, intervals: WatchIntervals) -> (WatchGuard, Receiver<()>, Weak<dyn Fn() + Send + Sync>) {
    let (sender, changes) = mpsc::channel();
    let changed: ChangeCallback = Arc::new(move || {
        let _ = sender.send(());
    });
    let weak = Arc::downgrade(&changed);
    (start(Arc::new(Shared::new(server.settings("", ""))), changed, intervals).unwrap(), changes, weak)
}

/// Accepts a connection that subscribes.
fn accept_subscriber(server: &FakeServer) -> FakeConnection {
    let mut connection = server.accept();
    connection.handshake();
    let reply = format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{CHANNEL}\r\n:1\r\n", CHANNEL.len());
    connection.expect(&["SUBSCRIBE", CHANNEL], &reply);
    connection
}

/// Waits until the thread has dropped the callback, which it does when it ends.
fn wait_for_end(changed: &Weak<dyn Fn() + Send + Sync>) {
    let started = Instant::now();
    while changed.strong_count() > 0 {
        assert!(started.elapsed() < LONG, "the thread does not end");
        thread::yield_now();
    }
}

#[test]
fn the_callback_is_called_after_subscribing_and_for_each_message() {
    let server = FakeServer::listen();
    let (_watch, changes, _) = watch(&server, WatchIntervals::default());
    let mut connection = accept_subscriber(&server);
    changes.recv_timeout(LONG).unwrap();
    for piece in [MESSAGE.repeat(2), MESSAGE[..9].into(), MESSAGE[9..].into()] {
        connection.reply(&piece);
    }
    for _ in 0..3 {
        changes.recv_timeout(LONG).unwrap();
    }
    assert!(changes.try_recv().is_err(), "once for each");
}

#[test]
fn a_connection_without_messages_is_pinged() {
    let server = FakeServer::listen();
    let (_watch, changes, _) = watch(&server, WatchIntervals { reply_timeout: LONG, ..QUICK });
    let mut connection = accept_subscriber(&server);
    for _ in 0..3 {
        connection.expect(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    }
    assert_eq!(changes.try_iter().count(), 1, "a reply to a ping calls nothing");
}

#[test]
fn a_server_that_does_not_answer_a_ping_is_connected_to_anew() {
    let server = FakeServer::listen();
    let (_watch, changes, _) = watch(&server, QUICK);
    let mut hanging = accept_subscriber(&server);
    assert_eq!(hanging.command().unwrap(), ["PING"]);
    let _new = accept_subscriber(&server);
    for _ in 0..2 {
        changes.recv_timeout(LONG).expect("after each subscription");
    }
    assert!(hanging.command().is_err(), "the old connection ends");
}

#[test]
fn after_any_wrong_reply_the_watch_connects_again() {
    let server = FakeServer::listen();
    let (_watch, changes, _) = watch(&server, QUICK);
    server.accept().expect(&["TIME"], "-NOAUTH Authentication required.\r\n");
    server.accept().expect(&["TIME"], "HTTP/1.1 400 Bad Request\r\n\r\n");
    drop(server.accept());
    assert!(changes.try_recv().is_err(), "no connection has subscribed yet");
    accept_subscriber(&server).reply("+surprise\r\n");
    let _peer = accept_subscriber(&server);
    for _ in 0..2 {
        changes.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn a_watch_that_is_dropped_while_it_listens_ends() {
    let server = FakeServer::listen();
    let (watch, changes, changed) = watch(&server, WatchIntervals::default());
    let mut connection = accept_subscriber(&server);
    changes.recv_timeout(LONG).unwrap();
    drop(watch);
    assert!(connection.command().is_err(), "its connection ends");
    wait_for_end(&changed);
}

#[test]
fn a_watch_that_is_dropped_during_the_handshake_or_a_pause_ends() {
    let intervals = WatchIntervals { reply_timeout: LONG * 9, first_pause: LONG * 9, ..WatchIntervals::default() };
    let server = FakeServer::listen();
    let (in_handshake, _changes, changed) = watch(&server, intervals);
    let mut connection = server.accept();
    assert_eq!(connection.command().unwrap(), ["TIME"]);
    drop(in_handshake);
    wait_for_end(&changed);

    let (pausing, _changes, changed) = watch(&server, intervals);
    server.accept().expect(&["TIME"], "-LOADING\r\n");
    drop(pausing);
    wait_for_end(&changed);
}

#[test]
fn the_callback_may_drop_its_own_watch() {
    let server = FakeServer::listen();
    let own: Arc<Mutex<Option<WatchGuard>>> = Arc::default();
    let (sender, changes) = mpsc::channel();
    let changed: ChangeCallback = Arc::new({
        let own = Arc::clone(&own);
        move || drop(sender.send(own.lock().unwrap().take()))
    });
    let mut slot = own.lock().unwrap();
    *slot = start(Arc::new(Shared::new(server.settings("", ""))), Arc::clone(&changed), WatchIntervals::default());
    drop(slot);
    let _peer = accept_subscriber(&server);
    assert!(changes.recv_timeout(LONG).unwrap().is_some());
    let weak = Arc::downgrade(&changed);
    drop(changed);
    wait_for_end(&weak);
}
