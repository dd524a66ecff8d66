//! What the blocking transport lets ureq write to the log. In a process of its own: there is one logger for all.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "the suite uses the rest")]
#[path = "../../tests/support/evil.rs"]
mod evil;

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use perennial_blocking::{HttpTransport, Transport};
use perennial_core::TransportErrorKind;

use crate::evil::{Act, Authority, Peer, Script};

static LOGGED: Logged = Logged(Mutex::new(String::new()));

struct Logged(Mutex<String>);

impl Log for Logged {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        *self.0.lock().unwrap() += &format!("{} {}\n", record.target(), record.args());
    }

    fn flush(&self) {}
}

#[test]
fn no_secret_is_logged_at_any_level() {
    log::set_logger(&LOGGED).unwrap();
    let authority = Authority::new();
    let answer = b"HTTP/1.1 302 Found\r\nLocation: /canary\r\nSet-Cookie: canary\r\nContent-Length: 6\r\n\r\ncanary";
    let peer = Peer::start(&authority, Script::Answer(Act::Say(answer)), None);
    let transport = HttpTransport::new();

    log::set_max_level(LevelFilter::Debug);
    transport.send(peer.request(Duration::from_secs(20))).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let refused = transport.send(peer.request(Duration::from_secs(20))).unwrap_err();
    assert_eq!(refused.kind(), TransportErrorKind::NotSent);
    assert!(refused.source().unwrap().to_string().contains("trace logs"));

    assert_eq!(peer.finish().connections, 1);
    let logged = LOGGED.0.lock().unwrap();
    assert!(logged.contains("ureq") && !logged.contains("canary"), "{logged}");
}
