//! Connect options for MQTT over WebSocket, which some services' credentials are for.
//!
//! A [`ConnectOptions`] says how to open one connection now, whatever the service. Navien's are made from the AWS
//! credentials (`Navien::connect_options`), Settrade's are fetched (`Settrade::mqtt`). They serve one connection, so
//! they cannot be cloned. Get new ones before each connection.
//!
//! ```
//! # use perennial_core::mqtt::ConnectOptions;
//! # fn open(_: &str, _: &str, _: &http::HeaderMap) {}
//! # fn connect(_: Option<(&str, &str)>) {}
//! # fn example(options: ConnectOptions) {
//! println!("connecting to {}", options.host());
//! open(options.url.expose(), options.subprotocol, &options.headers); // the WebSocket
//! let password = options.password.as_ref().map(|password| password.expose());
//! connect(options.user_name.as_deref().zip(password)); // MQTT's CONNECT, inside it
//! # }
//! ```
//!
//! `updates()` of a session yields the credentials that are held, then those of each renewal. To miss no message, do
//! this for each: get connect options, open a connection under another client id than the last one, subscribe, then
//! close the old connection.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::credentials::{Secret, Timestamp, check_visible};
use crate::wire::{InvalidUrl, TransportSecurity};

/// The WebSocket subprotocol under which MQTT is spoken (MQTT 3.1.1 §6).
pub const SUBPROTOCOL: &str = "mqtt";

/// The keep-alive interval of MQTT where the service names none: 30 seconds.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How to open one MQTT connection now: address, headers, user name and password. They are secrets: hidden in `Debug`,
/// wiped when dropped.
#[non_exhaustive]
pub struct ConnectOptions {
    /// The address of the WebSocket: `wss://…`. It may be enough to open a connection: keep it out of logs.
    pub url: Secret,
    /// The WebSocket subprotocol to ask for: `mqtt`.
    pub subprotocol: &'static str,
    /// Headers for the opening request of the WebSocket, marked sensitive.
    pub headers: HeaderMap,
    /// The user name in MQTT's CONNECT, if the broker wants one.
    pub user_name: Option<Box<str>>,
    /// The password in MQTT's CONNECT, if the broker wants one.
    pub password: Option<Secret>,
    /// The protocol level of MQTT's CONNECT: 4, which is MQTT 3.1.1.
    pub protocol_level: u8,
    /// Whether CONNECT asks for a clean session: the services keep no session between connections.
    pub clean_session: bool,
    /// The keep-alive interval of CONNECT.
    pub keep_alive: Duration,
    /// When the credentials behind the connection expire, by the wall clock: replace the connection before. `None`
    /// where that is unknown. The connection itself should be opened at once: an address may work for some minutes
    /// only.
    pub deadline: Option<Timestamp>,
}

impl ConnectOptions {
    /// Options for a connection to this address: `wss://`, or `ws://` to this machine.
    pub fn new(url: impl Into<Secret>) -> Result<Self, InvalidUrl> {
        let url = url.into();
        check_address(url.expose())?;
        Ok(Self {
            url,
            subprotocol: SUBPROTOCOL,
            headers: HeaderMap::new(),
            user_name: None,
            password: None,
            protocol_level: 4,
            clean_session: true,
            keep_alive: KEEP_ALIVE,
            deadline: None,
        })
    }

    /// Adds a header to the opening request of the WebSocket, marked sensitive.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        self.headers.insert(name, value);
        self
    }

    /// Sets the user name and password in MQTT's CONNECT.
    #[must_use]
    pub fn with_login(mut self, user_name: &str, password: Secret) -> Self {
        self.user_name = Some(user_name.into());
        self.password = Some(password);
        self
    }

    /// Sets the keep-alive interval. The default is [`KEEP_ALIVE`].
    #[must_use]
    pub fn with_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Sets when the credentials behind the connection expire; `None` where that is unknown.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Option<Timestamp>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The host to connect to, with its port if the address has one. It may be logged.
    pub fn host(&self) -> &str {
        authority(self.url.expose()).unwrap_or_default()
    }
}

/// The host and the deadline alone.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ConnectOptions");
        debug.field("host", &self.host()).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// Checks the text itself: a parsed copy of the whole address would not be wiped.
fn check_address(url: &str) -> Result<(), InvalidUrl> {
    let authority = authority(url).ok_or(InvalidUrl::NotAUrl)?;
    if check_visible(url).is_err() || url.contains(' ') {
        return Err(InvalidUrl::NotAUrl);
    }
    if url.contains('#') || authority.contains('@') {
        return Err(InvalidUrl::Extra);
    }
    let scheme = if url.starts_with("wss:") { "https" } else { "http" };
    let uri: Uri = format!("{scheme}://{authority}/").parse().map_err(|_| InvalidUrl::NotAUrl)?;
    TransportSecurity::new().check_address(&uri)
}

/// The authority: what stands between the scheme and the path or query.
fn authority(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("wss://").or_else(|| url.strip_prefix("ws://"))?;
    rest.split(['/', '?', '#']).next()
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn connect_options_are_for_wss_or_this_machine() {
        for good in [
            "wss://a.example/mqtt",
            "wss://a.example:443?x=1",
            "wss://[::1]:8/",
            "ws://127.0.0.1:1/x",
            "ws://localhost",
        ] {
            assert!(ConnectOptions::new(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", InvalidUrl::NotAUrl),
            ("wss://", InvalidUrl::NotAUrl),
            ("wss:///mqtt", InvalidUrl::NotAUrl),
            ("ws://a.example/mqtt", InvalidUrl::NotHttps),
            ("https://a.example", InvalidUrl::NotAUrl),
            ("a.example", InvalidUrl::NotAUrl),
            ("wss://u:p@a.example", InvalidUrl::Extra),
            ("wss://a.example/a b", InvalidUrl::NotAUrl),
            ("wss://a.example/\r\n", InvalidUrl::NotAUrl),
            ("wss://a.example#x", InvalidUrl::Extra),
            ("wss://a.example:0/", InvalidUrl::Port),
            ("wss://a b/", InvalidUrl::NotAUrl),
            ("wss://:443/", InvalidUrl::NotAUrl),
            ("ws://127.0.0.1.a.example/", InvalidUrl::NotHttps),
        ] {
            assert_eq!(ConnectOptions::new(bad).unwrap_err(), why, "{bad:?}");
        }
    }

    #[test]
    fn connect_options_show_their_host_and_hide_the_rest() {
        let options = ConnectOptions::new("wss://a.example:443/mqtt?sig=hunter2")
            .unwrap()
            .with_header(header::AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))
            .with_login("app", "hunter2".into());
        assert_eq!(options.host(), "a.example:443");
        let shown = format!("{options:?} {options:#?}");
        assert!(shown.contains("a.example") && !shown.contains("hunter2") && !shown.contains("mqtt"), "{shown}");
        assert_eq!(options.headers[header::AUTHORIZATION], "Bearer hunter2");
        assert_eq!((options.protocol_level, options.clean_session, options.keep_alive), (4, true, KEEP_ALIVE));
    }
}
