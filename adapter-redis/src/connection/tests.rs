use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::fake_server::{FakeServer, LONG, TIME};

const SHORT: Duration = Duration::from_secs(1);

/// Opens a connection while the server does this.
fn open_while(settings: &Settings, timeout: Duration, server: impl FnOnce()) -> Result<Connection, CommandError> {
    thread::scope(|scope| {
        let opening = scope.spawn(|| Connection::open(settings, Deadline::after(timeout)));
        server();
        opening.join().unwrap()
    })
}

#[test]
fn opening_authenticates_selects_the_database_and_reads_the_clock() {
    for (user_info, auth) in [(":p%20w@", vec!["AUTH", "p w"]), ("me:pw@", vec!["AUTH", "me", "pw"])] {
        let server = FakeServer::listen();
        let connection = open_while(&server.settings(user_info, "/7"), LONG, || {
            let mut client = server.accept();
            client.expect(&auth, "+OK\r\n");
            client.expect(&["SELECT", "7"], "+OK\r\n");
            client.expect(&["TIME"], TIME);
        });
        let in_a_minute = connection.unwrap().to_server_micros(Deadline::after(Duration::from_secs(60)));
        assert!((1_700_000_060_000_005..1_700_000_080_000_000).contains(&in_a_minute), "{in_a_minute}");
    }
}

#[test]
fn an_error_reply_is_shown_as_its_code_and_the_command() {
    let server = FakeServer::listen();
    let outcome = open_while(&server.settings(":hunter2@", ""), LONG, || {
        server.accept().expect(&["AUTH", "hunter2"], "-WRONGPASS hunter2 is wrong\r\n");
    });
    assert_eq!(outcome.err().unwrap().to_string(), "redis answered WRONGPASS to AUTH");
}

#[test]
fn a_server_that_does_not_answer_is_given_up_at_the_deadline() {
    let server = FakeServer::listen();
    let mut client = None;
    let outcome = open_while(&server.settings("", ""), SHORT, || client = Some(server.accept()));
    assert!(matches!(outcome.err(), Some(CommandError::NotSent(error)) if error.kind() == io::ErrorKind::TimedOut));
}

#[test]
fn a_server_that_sends_single_bytes_does_not_extend_the_deadline() {
    let server = FakeServer::listen();
    let (finished, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let settings = server.settings("", "");
        scope.spawn(move || {
            let mut client = server.accept();
            client.handshake();
            client.command().unwrap();
            client.reply("$1000000\r\n");
            // Each byte comes long before a timeout would end that began anew with it.
            while wait.recv_timeout(SHORT / 20) == Err(mpsc::RecvTimeoutError::Timeout) {
                if client.socket.write_all(b"x").is_err() {
                    break;
                }
            }
        });
        let mut connection = Connection::open(&settings, Deadline::after(LONG)).unwrap();
        let begun = Instant::now();
        let error = connection.execute(&Command::new("GET", &[b"k"]), Deadline::after(SHORT)).unwrap_err();
        assert!(matches!(error, CommandError::ReplyLost(error) if error.kind() == io::ErrorKind::TimedOut));
        assert!(begun.elapsed() < LONG / 2);
        drop(finished);
    });
}

#[test]
fn a_command_after_its_deadline_is_not_sent() {
    let server = FakeServer::listen();
    let mut connection = open_while(&server.settings("", ""), LONG, || server.accept().handshake()).unwrap();
    let error = connection.execute(&Command::new("GET", &[b"k"]), Deadline::after(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, CommandError::NotSent(_)));
}

#[test]
fn a_host_name_is_resolved() {
    let server = FakeServer::listen();
    let settings = crate::settings::tests::settings(&format!("redis://localhost:{}", server.port));
    assert!(open_while(&settings, LONG, || server.accept().handshake()).is_ok());
}
