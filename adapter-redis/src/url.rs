//! The URL of a Redis server: `redis://user:password@host:port/database`, or `rediss://` for TLS.

use http::Uri;
use http::uri::Authority;
use percent_encoding::percent_decode_str;
use perennial_core::Secret;
use perennial_core::wire::is_safe;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Redis,
    /// With TLS.
    Rediss,
}

/// A URL that was parsed.
pub(crate) struct RedisUrl {
    pub(crate) scheme: Scheme,
    /// A name or an IP address, an IPv6 one without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) user: Option<Secret>,
    pub(crate) password: Option<Secret>,
    /// Whether the host is this machine: a loopback address, or `localhost`.
    pub(crate) is_loopback: bool,
}

/// The port that Redis listens on by default.
const DEFAULT_PORT: u16 = 6379;

impl RedisUrl {
    /// `None` if it is not such a URL.
    ///
    /// The part with the password is split by hand, because a URL parser would leave copies of it in memory.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = match url.trim().split_once("://")? {
            ("redis", rest) => (Scheme::Redis, rest),
            ("rediss", rest) => (Scheme::Rediss, rest),
            _ => return None,
        };
        let (rest, database) = rest.split_once('/').unwrap_or((rest, ""));
        let database = if database.is_empty() { 0 } else { digits(database)?.parse().ok()? };
        let (user_info, host_and_port) = match rest.rsplit_once('@') {
            Some((user_info, host_and_port)) => (Some(user_info), host_and_port),
            None => (None, rest),
        };
        let authority: Authority = host_and_port.parse().ok()?;
        let port = match host_and_port.strip_prefix(authority.host())? {
            "" => DEFAULT_PORT,
            port => digits(port.strip_prefix(':')?)?.parse().ok().filter(|port| *port != 0)?,
        };
        let host = authority.host().trim_matches(['[', ']']);
        // The rule that says for services whether `http://` is allowed.
        let as_http = Uri::builder().scheme("http").authority(authority.clone()).path_and_query("/").build().ok()?;
        let (user, password) = match user_info.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (percent_decoded(user)?, percent_decoded(password)?),
            None => (None, None),
        };
        let host = Some(host).filter(|host| !host.is_empty())?.to_owned();
        Some(Self { scheme, host, port, database, user, password, is_loopback: is_safe(&as_http) })
    }
}

/// The text if it consists of digits only: Rust's own parser of numbers accepts a sign.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// `Some(None)` if the text is empty, `None` if it is not UTF-8.
fn percent_decoded(text: &str) -> Option<Option<Secret>> {
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    Some(if text.is_empty() { None } else { Some(Secret::from(text)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host, port, database, user and password, with a dash for what is missing.
    fn parts(url: &str) -> Option<String> {
        let url = RedisUrl::parse(url)?;
        let show = |secret: &Option<Secret>| secret.as_ref().map_or("-".to_owned(), |it| it.expose().to_owned());
        let (user, password) = (show(&url.user), show(&url.password));
        let RedisUrl { host, port, database, .. } = url;
        Some(format!("{host} {port} {database} {user} {password}"))
    }

    #[test]
    fn a_url_is_parsed_or_refused_as_a_whole() {
        for (url, expected) in [
            ("redis://127.0.0.1", "127.0.0.1 6379 0 - -"),
            ("redis://127.0.0.1:6380/", "127.0.0.1 6380 0 - -"),
            ("redis://[::1]:6380/15", "::1 6380 15 - -"),
            ("rediss://redis.example/2", "redis.example 6379 2 - -"),
            ("redis://:pass@localhost", "localhost 6379 0 - pass"),
            ("redis://user:p%40s%2Fs%3a@localhost:1/1", "localhost 1 1 user p@s/s:"),
            ("redis://user:a:b@c@localhost", "localhost 6379 0 user a:b@c"),
            ("redis://user@localhost", "localhost 6379 0 user -"),
        ] {
            assert_eq!(parts(url).as_deref(), Some(expected), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:6379",
            "http://127.0.0.1",
            "redis://",
            "redis://:6379",
            "redis://host:",
            "redis://host:0",
            "redis://host:65536",
            "redis://host:+1",
            "redis://host/x",
            "redis://host/-1",
            "redis://host/+1",
            "redis://host/0?timeout=1",
            "redis://host/0#x",
            "redis://ho st",
            "redis://:pa/ss@host",
            "redis://:%ff@host",
        ] {
            assert_eq!(parts(url), None, "{url}");
        }
    }
}
