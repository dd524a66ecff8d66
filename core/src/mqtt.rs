//! MQTT over WebSocket: what the credentials of some services are for.
//!
//! A [`ConnectOptions`] says how to connect now, whatever the service: Navien's is made of the AWS credentials alone
//! (`Navien::ticket`), Settrade's is fetched (`Settrade::mqtt`). It is good for one connection, so it is taken by
//! value and cannot be cloned: ask for a new one before each connection, the first and every later one.
//!
//! ```
//! # use perennial_core::mqtt::{InvalidAddress, ConnectOptions};
//! # fn open(_: &str, _: &str, _: &http::HeaderMap) {}
//! # fn connect(_: Option<(&str, &str)>) {}
//! # fn example(ticket: ConnectOptions) {
//! println!("connecting to {}", ticket.host());
//! let parts = ticket.into_parts();
//! open(parts.url.expose(), parts.subprotocol, &parts.headers); // the WebSocket
//! let password = parts.password.as_ref().map(|password| password.expose());
//! connect(parts.user_name.as_deref().zip(password)); // MQTT's CONNECT, inside it
//! # }
//! ```
//!
//! `updates()` of a session's handle tells when: with what is held first, then with each new issue. For each of them
//! fetch a ticket, open a connection under another client id than the last, subscribe, then end the old one: nothing
//! is missed in between.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::credentials::{Secret, Timestamp, check_visible};
use crate::wire;

/// The WebSocket subprotocol under which MQTT is spoken (MQTT 3.1.1 §6).
pub const SUBPROTOCOL: &str = "mqtt";

/// How often a client says that it is there, where the service names nothing else.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How to open one MQTT connection now. The address and what comes with it are secrets: hidden in `Debug`, wiped
/// when dropped, and seen only by whoever uses the ticket up ([`ConnectOptions::into_parts`]).
pub struct ConnectOptions {
    parts: Parts,
    deadline: Option<Timestamp>,
}

/// A ticket, used up.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts {
    /// Where to open the WebSocket: `wss://…`. It may open a connection by itself and does not belong into a log.
    pub url: Secret,
    /// The WebSocket subprotocol to ask for: `mqtt`.
    pub subprotocol: &'static str,
    /// What the opening request of the WebSocket carries beside that, marked sensitive.
    pub headers: HeaderMap,
    /// The user name in MQTT's CONNECT, where brokers look at it.
    pub user_name: Option<Box<str>>,
    /// The password in MQTT's CONNECT, where brokers look at it.
    pub password: Option<Secret>,
    /// The protocol level of MQTT's CONNECT: 4, which is MQTT 3.1.1.
    pub protocol_level: u8,
    /// Whether CONNECT asks the broker for a new session: the services keep none between connections.
    pub clean_session: bool,
    /// The keep-alive of CONNECT.
    pub keep_alive: Duration,
}

/// An address that no ticket is made for: not `wss`, no host, a user name in it. It is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address is not wss:// and a host (ws:// to this machine only)")]
pub struct InvalidAddress;

impl ConnectOptions {
    /// For a connection to this address: `wss://`, or `ws://` to this machine.
    pub fn new(url: impl Into<Secret>) -> Result<Self, InvalidAddress> {
        let url = url.into();
        check_address(url.expose())?;
        Ok(Self {
            parts: Parts {
                url,
                subprotocol: SUBPROTOCOL,
                headers: HeaderMap::new(),
                user_name: None,
                password: None,
                protocol_level: 4,
                clean_session: true,
                keep_alive: KEEP_ALIVE,
            },
            deadline: None,
        })
    }

    /// With a header in the opening request of the WebSocket. It is marked sensitive.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.parts.headers.insert(name, value);
        self
    }

    /// With a user name and a password in MQTT's CONNECT.
    #[must_use]
    pub fn with_login(mut self, user_name: &str, password: Secret) -> Self {
        self.parts.user_name = Some(user_name.into());
        self.parts.password = Some(password);
        self
    }

    /// With another keep-alive.
    #[must_use]
    pub fn with_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.parts.keep_alive = keep_alive;
        self
    }

    /// With the moment at which the connection's credentials end; `None` where nobody knows.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The host that it is for, with a port where there is one: for logs.
    pub fn host(&self) -> &str {
        authority(self.parts.url.expose()).unwrap_or_default()
    }

    /// When the credentials behind the connection end: by then it should have been replaced. `None` where nobody
    /// knows. Opening it should not wait: an address may open for minutes only.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Uses the ticket up.
    pub fn into_parts(self) -> Parts {
        self.parts
    }
}

/// The host and the deadline, and nothing else.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Ticket");
        debug.field("host", &self.host()).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Looks at the text alone: a parsed copy of the whole address would not be wiped.
fn check_address(url: &str) -> Result<(), InvalidAddress> {
    let authority = authority(url).ok_or(InvalidAddress)?;
    let safe = |scheme: &str| {
        let uri: Uri = format!("{scheme}://{authority}/").parse().map_err(|_| InvalidAddress)?;
        let host = uri.host().is_some_and(|host| !host.is_empty());
        if host && wire::is_safe(&uri) { Ok(()) } else { Err(InvalidAddress) }
    };
    if check_visible(url).is_err() || url.contains([' ', '#']) || authority.contains('@') {
        return Err(InvalidAddress);
    }
    safe(if url.starts_with("wss:") { "https" } else { "http" })
}

/// What stands between the scheme and the path or query.
fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("wss://").or_else(|| url.strip_prefix("ws://"))?;
    rest.split(['/', '?', '#']).next()
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn a_ticket_leads_to_wss_or_to_this_machine() {
        for good in [
            "wss://a.example/mqtt",
            "wss://a.example:443?x=1",
            "wss://[::1]:8/",
            "ws://127.0.0.1:1/x",
            "ws://localhost",
        ] {
            assert!(ConnectOptions::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "wss://",
            "wss:///mqtt",
            "ws://a.example/mqtt",
            "https://a.example",
            "a.example",
            "wss://u:p@a.example",
            "wss://a.example/a b",
            "wss://a.example/\r\n",
            "wss://a.example#x",
            "wss://a b/",
            "wss://:443/",
            "ws://127.0.0.1.a.example/",
        ] {
            assert_eq!(ConnectOptions::new(bad).unwrap_err(), InvalidAddress, "{bad:?}");
        }
    }

    #[test]
    fn a_ticket_shows_its_host_and_hides_the_rest() {
        let ticket = ConnectOptions::new("wss://a.example:443/mqtt?sig=hunter2")
            .unwrap()
            .with_header(header::AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))
            .with_login("app", "hunter2".into());
        assert_eq!(ticket.host(), "a.example:443");
        let shown = format!("{ticket:?} {ticket:#?}");
        assert!(shown.contains("a.example") && !shown.contains("hunter2") && !shown.contains("mqtt"), "{shown}");
        let parts = ticket.into_parts();
        let shown = format!("{parts:?} {parts:#?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(parts.headers[header::AUTHORIZATION], "Bearer hunter2");
        assert_eq!((parts.protocol_level, parts.clean_session, parts.keep_alive), (4, true, KEEP_ALIVE));
    }
}
