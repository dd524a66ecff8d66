//! What the blocking transport lets ureq write to the log. In a process of its own: there is one logger for all.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../tests/support/listener.rs"]
mod listener;

use std::error::Error;
use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use perennial_blocking::{HttpTransport, Transport};
use perennial_core::TransportErrorKind;

use crate::listener::Listener;

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
    let answer = "HTTP/1.1 302 Found\r\nLocation: /canary\r\nSet-Cookie: canary\r\nContent-Length: 6\r\n\r\ncanary";
    let listener = Listener::start(answer);
    let transport = HttpTransport::new();

    log::set_max_level(LevelFilter::Debug);
    transport.send(listener.request("password=canary")).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let refused = transport.send(listener.request("password=canary")).unwrap_err();
    assert_eq!(refused.kind(), TransportErrorKind::NotSent);
    assert!(refused.source().unwrap().to_string().contains("trace logs"));

    assert_eq!(listener.heads.try_iter().count(), 1);
    let logged = LOGGED.0.lock().unwrap();
    assert!(logged.contains("ureq") && !logged.contains("canary"), "{logged}");
}
