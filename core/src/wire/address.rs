//! Addresses that a password may be sent to.

use http::Uri;
use http::uri::Authority;

/// Why an address is refused. The error does not repeat it: people put passwords into addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// It is no name of a host, with or without a port. `keycloak`, `keycloak:8080`, `10.0.0.7` and `[fd00::7]:8080` are.
    #[error("this is not the name of a host, with or without a port")]
    NotAHost,
    /// It is no absolute address with a host.
    #[error("the address is not a URL with a host")]
    NotAUrl,
    /// It would send secrets unencrypted. Name hosts that plain http is allowed to by
    /// [`TransportSecurity::plain_http_to`](crate::TransportSecurity::plain_http_to).
    #[error(
        "the address is not https (for a WebSocket: wss): without TLS only this machine is spoken to, and hosts named by `plain_http_to`"
    )]
    NotHttps,
    /// Its port is not a number from 1 to 65535.
    #[error("the address has a port that is none")]
    Port,
    /// It has a user name, a query or a fragment.
    #[error("the address has a user name, a query or a fragment in it")]
    Extra,
}

impl InvalidUrl {
    /// The reason as the end of a sentence about a setting: `NAVIEN_BASE_URL cannot be used: it …`.
    #[allow(dead_code, reason = "used by providers, each of which is a feature")]
    pub(crate) fn of_it(self) -> &'static str {
        match self {
            Self::NotAHost => "it is not the name of a host",
            Self::NotAUrl => "it is not a URL with a host",
            Self::NotHttps => "it is not https: http is for this machine, and for hosts named by `plain_http_to`",
            Self::Port => "it has a port that is none",
            Self::Extra => "it has something in it that has no place there: a user name, a query, a fragment",
        }
    }
}

/// Whether a request with secrets may be sent to this address: https, or http to this machine, with a valid port.
pub fn is_safe(uri: &Uri) -> bool {
    let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty() && port(authority).is_ok())
    else {
        return false;
    };
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_this_machine(authority.host()),
        _ => false,
    }
}

/// Whether this host is the machine itself: `localhost` or a loopback address.
pub(super) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The port of an address; `None` where it names none. An error for an invalid port: URL parsers, `http`'s among them,
/// treat `:80800` as no port, and the request would go to the default one.
pub(crate) fn port(authority: &Authority) -> Result<Option<u16>, InvalidUrl> {
    let behind = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, place)| place);
    let behind = behind.strip_prefix(authority.host()).ok_or(InvalidUrl::NotAUrl)?;
    if behind.is_empty() {
        return Ok(None);
    }
    let digits = behind.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0);
    port.map(Some).ok_or(InvalidUrl::Port)
}
