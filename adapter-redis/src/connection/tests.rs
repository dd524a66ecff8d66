use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::fake::{Fake, LONG, TIME};

const SHORT: Duration = Duration::from_secs(1);

/// What opening came to, while the peer does this.
fn opening(settings: &Settings, timeout: Duration, peer: impl FnOnce()) -> Result<Connection, Failure> {
    thread::scope(|scope| {
        let opening = scope.spawn(|| Connection::open(settings, Deadline::after(timeout)));
        peer();
        opening.join().unwrap()
    })
}

#[test]
fn it_signs_in_chooses_the_database_and_asks_for_the_time() {
    for (sign_in, auth) in [(":p%20w@", vec!["AUTH", "p w"]), ("me:pw@", vec!["AUTH", "me", "pw"])] {
        let fake = Fake::listen();
        let connection = opening(&fake.settings(sign_in, "/7"), LONG, || {
            let mut peer = fake.accept();
            peer.exchange(&auth, "+OK\r\n");
            peer.exchange(&["SELECT", "7"], "+OK\r\n");
            peer.exchange(&["TIME"], TIME);
        });
        // From now on, which is a bit after Redis said its time.
        let in_a_minute = connection.unwrap().in_redis_time(Deadline::after(Duration::from_secs(60)));
        assert!((1_700_000_060_000_005..1_700_000_080_000_000).contains(&in_a_minute), "{in_a_minute}");
    }
}

#[test]
fn a_refusal_names_code_and_command_only() {
    let fake = Fake::listen();
    let failure = opening(&fake.settings(":hunter2@", ""), LONG, || {
        fake.accept().exchange(&["AUTH", "hunter2"], "-WRONGPASS hunter2 is wrong\r\n");
    });
    assert_eq!(failure.err().unwrap().to_string(), "redis answered WRONGPASS to AUTH");
}

#[test]
fn a_peer_that_is_silent_is_given_up() {
    let fake = Fake::listen();
    let mut peer = None;
    let failure = opening(&fake.settings("", ""), SHORT, || peer = Some(fake.accept()));
    assert!(matches!(failure.err(), Some(Failure::NotSent(error)) if error.kind() == io::ErrorKind::TimedOut));
}

#[test]
fn byte_after_byte_gains_no_time() {
    let fake = Fake::listen();
    let (finished, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let settings = fake.settings("", "");
        scope.spawn(move || {
            let mut peer = fake.accept();
            peer.greet();
            peer.command().unwrap();
            peer.answer("$1000000\r\n");
            // Each byte comes long before a deadline that began anew with it.
            while wait.recv_timeout(SHORT / 20) == Err(mpsc::RecvTimeoutError::Timeout) {
                if peer.socket.write_all(b"x").is_err() {
                    break;
                }
            }
        });
        let mut connection = Connection::open(&settings, Deadline::after(LONG)).unwrap();
        let begun = Instant::now();
        let failure = connection.ask(&Command::new("GET", &[b"k"]), Deadline::after(SHORT)).unwrap_err();
        assert!(matches!(failure, Failure::Cut(error) if error.kind() == io::ErrorKind::TimedOut));
        assert!(begun.elapsed() < LONG / 2);
        drop(finished);
    });
}

#[test]
fn what_is_asked_after_the_deadline_is_not_sent() {
    let fake = Fake::listen();
    let mut connection = opening(&fake.settings("", ""), LONG, || fake.accept().greet()).unwrap();
    let failure = connection.ask(&Command::new("GET", &[b"k"]), Deadline::after(Duration::ZERO)).unwrap_err();
    assert!(matches!(failure, Failure::NotSent(_)));
}

#[test]
fn a_name_is_looked_up() {
    let fake = Fake::listen();
    let settings = crate::settings::tests::settings(&format!("redis://localhost:{}", fake.port));
    assert!(opening(&settings, LONG, || fake.accept().greet()).is_ok());
}
