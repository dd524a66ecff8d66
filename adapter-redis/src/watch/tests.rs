use std::sync::Weak;
use std::sync::mpsc::{self, Receiver};

use super::*;
use crate::fake::{Fake, LONG, Peer};

const QUICK: Pace = Pace {
    quiet: Duration::from_millis(10),
    patience: Duration::from_secs(4),
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(20),
};

const CHANNEL: &str = "perennial:{key}:changed";
const MESSAGE: &str = "*3\r\n$7\r\nmessage\r\n$23\r\nperennial:{key}:changed\r\n$1\r\n7\r\n";

fn watch(fake: &Fake, pace: Pace) -> (WatchGuard, Receiver<()>, Weak<dyn Fn() + Send + Sync>) {
    let (told, heard) = mpsc::channel();
    let changed: ChangeCallback = Arc::new(move || {
        let _ = told.send(());
    });
    let weak = Arc::downgrade(&changed);
    (begin(Arc::new(Shared::new(fake.settings("", ""))), changed, pace).unwrap(), heard, weak)
}

fn subscribed(fake: &Fake) -> Peer {
    let mut peer = fake.accept();
    peer.greet();
    let answer = format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{CHANNEL}\r\n:1\r\n", CHANNEL.len());
    peer.exchange(&["SUBSCRIBE", CHANNEL], &answer);
    peer
}

/// Waits until the thread has let go of what it was given, and with it of everything.
fn ended(changed: &Weak<dyn Fn() + Send + Sync>) {
    let begun = Instant::now();
    while changed.strong_count() > 0 {
        assert!(begun.elapsed() < LONG, "the thread does not end");
        thread::yield_now();
    }
}

#[test]
fn it_tells_when_it_has_subscribed_and_of_each_message() {
    let fake = Fake::listen();
    let (_watch, heard, _) = watch(&fake, Pace::default());
    let mut peer = subscribed(&fake);
    heard.recv_timeout(LONG).unwrap();
    for piece in [MESSAGE.repeat(2), MESSAGE[..9].into(), MESSAGE[9..].into()] {
        peer.answer(&piece);
    }
    for _ in 0..3 {
        heard.recv_timeout(LONG).unwrap();
    }
    assert!(heard.try_recv().is_err(), "once for each");
}

#[test]
fn a_quiet_peer_is_asked_whether_it_is_there() {
    let fake = Fake::listen();
    let (_watch, heard, _) = watch(&fake, Pace { patience: LONG, ..QUICK });
    let mut peer = subscribed(&fake);
    for _ in 0..3 {
        peer.exchange(&["PING"], "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    }
    assert_eq!(heard.try_iter().count(), 1, "an answer to that is no news");
}

#[test]
fn a_peer_that_hangs_is_left_for_a_new_connection() {
    let fake = Fake::listen();
    let (_watch, heard, _) = watch(&fake, QUICK);
    let mut hanging = subscribed(&fake);
    assert_eq!(hanging.command().unwrap(), ["PING"]);
    let _new = subscribed(&fake);
    for _ in 0..2 {
        heard.recv_timeout(LONG).expect("after each subscription");
    }
    assert!(hanging.command().is_err(), "the old connection ends");
}

#[test]
fn whatever_a_peer_says_it_is_tried_again() {
    let fake = Fake::listen();
    let (_watch, heard, _) = watch(&fake, QUICK);
    fake.accept().exchange(&["TIME"], "-NOAUTH Authentication required.\r\n");
    fake.accept().exchange(&["TIME"], "HTTP/1.1 400 Bad Request\r\n\r\n");
    drop(fake.accept());
    assert!(heard.try_recv().is_err(), "nothing was subscribed yet");
    subscribed(&fake).answer("+surprise\r\n");
    let _peer = subscribed(&fake);
    for _ in 0..2 {
        heard.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn dropped_while_it_listens_it_ends() {
    let fake = Fake::listen();
    let (watch, heard, changed) = watch(&fake, Pace::default());
    let mut peer = subscribed(&fake);
    heard.recv_timeout(LONG).unwrap();
    drop(watch);
    assert!(peer.command().is_err(), "its connection ends");
    ended(&changed);
}

#[test]
fn dropped_while_it_signs_in_or_pauses_it_ends() {
    let pace = Pace { patience: LONG * 9, first_pause: LONG * 9, ..Pace::default() };
    let fake = Fake::listen();
    let (signing_in, _heard, changed) = watch(&fake, pace);
    let mut peer = fake.accept();
    assert_eq!(peer.command().unwrap(), ["TIME"]);
    drop(signing_in);
    ended(&changed);

    let (pausing, _heard, changed) = watch(&fake, pace);
    fake.accept().exchange(&["TIME"], "-LOADING\r\n");
    drop(pausing);
    ended(&changed);
}

#[test]
fn it_can_be_dropped_by_what_it_calls() {
    let fake = Fake::listen();
    let own: Arc<Mutex<Option<WatchGuard>>> = Arc::default();
    let (told, heard) = mpsc::channel();
    let changed: ChangeCallback = Arc::new({
        let own = Arc::clone(&own);
        move || drop(told.send(own.lock().unwrap().take()))
    });
    let mut held = own.lock().unwrap();
    *held = begin(Arc::new(Shared::new(fake.settings("", ""))), Arc::clone(&changed), Pace::default());
    drop(held);
    let _peer = subscribed(&fake);
    assert!(heard.recv_timeout(LONG).unwrap().is_some());
    let weak = Arc::downgrade(&changed);
    drop(changed);
    ended(&weak);
}
