//! The cookies of one sign-in (RFC 6265, as far as a sign-in needs it).
//!
//! Three parts are left out, and each may be. `Path`: there is no second application on these hosts. `Secure`: every
//! request of a sign-in goes to https or to this machine. A list of public suffixes: a cookie is only sent to the
//! site's few allowed hosts, and is dropped with the sign-in.

use std::net::IpAddr;

use http::Uri;
use http::header::{self, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::location::Origin;
use crate::credentials::{Secret, Timestamp};
use crate::wire::Body;

/// The most cookies that are kept, so that a server cannot fill the memory.
const MOST: usize = 64;

#[derive(Default)]
pub(super) struct Jar(Vec<Cookie>);

struct Cookie {
    name: Box<str>,
    value: Secret,
    domain: Box<str>,
    host_only: bool,
}

impl Jar {
    /// Stores the cookies that a server sets. `now` is the server's time, by which they expire.
    pub(super) fn take(&mut self, from: &Uri, headers: &HeaderMap, now: Timestamp) {
        let Some(host) = host(from) else { return };
        for line in headers.get_all(header::SET_COOKIE) {
            let Some(set) = line.to_str().ok().and_then(|line| SetCookie::read(line, &host, now)) else { continue };
            let known = self.0.iter().position(|old| old.is_same(&set.cookie));
            match (known, set.deletes) {
                (Some(place), true) => drop(self.0.remove(place)),
                (Some(place), false) => self.0[place] = set.cookie,
                (None, false) if self.0.len() < MOST => self.0.push(set.cookie),
                (None, _) => {}
            }
        }
    }

    /// The `Cookie` header for a request; `None` where there are no cookies for it.
    pub(super) fn header(&self, to: &Uri) -> Option<HeaderValue> {
        let host = host(to)?;
        let cookies = self.0.iter().filter(|cookie| cookie.is_for(&host));
        line(cookies.map(|cookie| (&*cookie.name, cookie.value.expose())))
    }

    /// A cookie's value; `None` where it is blank. A cookie for this host is preferred to those of other hosts.
    pub(super) fn get(&self, name: &str, host: Option<&Origin>) -> Option<&str> {
        let named = || self.0.iter().filter(|cookie| &*cookie.name == name && !cookie.text().is_empty());
        let own = named().find(|cookie| host.is_some_and(|host| cookie.is_for(host.host())));
        own.or_else(|| named().next()).map(Cookie::text)
    }
}

impl Cookie {
    fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.domain, self.host_only) == (&other.name, &other.domain, other.host_only)
    }

    fn is_for(&self, host: &str) -> bool {
        if self.host_only { *self.domain == *host } else { is_within(host, &self.domain) }
    }

    /// The value without the quotes that some servers put around it.
    fn text(&self) -> &str {
        self.value.expose().trim_matches('"').trim()
    }
}

struct SetCookie {
    cookie: Cookie,
    deletes: bool,
}

impl SetCookie {
    /// Reads a `Set-Cookie` header (RFC 6265 §5.2 and §5.3). `None` where it is to be ignored.
    fn read(line: &str, host: &str, now: Timestamp) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return None;
        }
        let (mut domain, mut max_age, mut expires) = (None, None, None);
        for part in parts {
            let (attribute, text) = part.split_once('=').unwrap_or((part, ""));
            let (attribute, text) = (attribute.trim(), text.trim());
            if attribute.eq_ignore_ascii_case("domain") {
                domain = Some(text.trim_start_matches('.').to_ascii_lowercase()).filter(|domain| !domain.is_empty());
            } else if attribute.eq_ignore_ascii_case("max-age") {
                max_age = is_age(text).then(|| text.starts_with('-') || text.bytes().all(|digit| digit == b'0'));
            } else if attribute.eq_ignore_ascii_case("expires") {
                // Old servers write the date with hyphens.
                expires = Timestamp::parse_http_date(&text.replace('-', " ")).map(|end| end <= now);
            }
        }
        let (domain, host_only) = match domain {
            Some(domain) if domain == host => (domain, is_number(host) || !host.contains('.')),
            // A domain without a dot is a top-level domain; a host may not set cookies for a domain that it is not in.
            Some(domain) if domain.contains('.') && is_within(host, &domain) => (domain, false),
            Some(_) => return None,
            None => (host.to_owned(), true),
        };
        let cookie = Cookie { name: name.into(), value: Secret::from(value), domain: domain.into(), host_only };
        Some(Self { cookie, deletes: max_age.or(expires).unwrap_or(false) })
    }
}

/// Whether it is a valid `Max-Age`: digits, with or without a minus.
fn is_age(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a host matches a domain (RFC 6265 §5.1.3).
fn is_within(host: &str, domain: &str) -> bool {
    host == domain || !is_number(host) && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn is_number(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// The host without its port: cookies do not distinguish ports (RFC 6265 §8.5).
fn host(uri: &Uri) -> Option<String> {
    Some(uri.host()?.to_ascii_lowercase())
}

/// Adds a cookie to the headers of a request. Cookies of other names are kept.
pub(super) fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let text = |held: &HeaderValue| held.to_str().map(|text| Zeroizing::new(text.to_owned())).ok();
    let held: Vec<_> = headers.get_all(header::COOKIE).iter().filter_map(text).collect();
    let others = held.iter().flat_map(|line| line.split(';')).filter_map(|pair| {
        let pair = pair.trim();
        Some(pair.split_once('=').unwrap_or((pair, ""))).filter(|(other, _)| !other.is_empty() && *other != name)
    });
    if let Some(line) = line(others.chain([(name, value)])) {
        headers.insert(header::COOKIE, line);
    }
}

/// The cookies as one header value: marked sensitive, in a buffer that is wiped when dropped.
fn line<'a>(cookies: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<HeaderValue> {
    let length: usize = cookies.clone().map(|(name, value)| name.len() + value.len() + 3).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for (name, value) in cookies {
        if !bytes.is_empty() {
            bytes.extend_from_slice(b"; ");
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(value.as_bytes());
    }
    if bytes.is_empty() {
        return None;
    }
    let body = Body::from(std::mem::take(&mut *bytes));
    let mut value = HeaderValue::from_maybe_shared(body.bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTH: &str = "https://auth.angel.com/u/login";
    const WEB: &str = "https://www.angel.com/auth/login";

    fn set(jar: &mut Jar, from: &'static str, lines: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        jar.take(&Uri::from_static(from), &headers, Timestamp::from_unix_seconds(1_700_000_000));
    }

    fn sent(jar: &Jar, to: &'static str) -> String {
        jar.header(&Uri::from_static(to)).map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_without_a_domain_goes_back_to_its_host_only() {
        let mut jar = Jar::default();
        set(&mut jar, AUTH, &["auth0=1; Path=/; HttpOnly; Secure; SameSite=None"]);
        set(&mut jar, WEB, &["angelSession=2"]);
        assert_eq!(sent(&jar, AUTH), "auth0=1");
        assert_eq!(sent(&jar, "https://AUTH.angel.com:8443/"), "auth0=1");
        assert_eq!(sent(&jar, WEB), "angelSession=2");
        assert_eq!(sent(&jar, "https://a.auth.angel.com/"), "");
        assert!(jar.header(&Uri::from_static(WEB)).unwrap().is_sensitive());
    }

    #[test]
    fn a_domain_covers_the_hosts_within_it() {
        let mut jar = Jar::default();
        set(&mut jar, AUTH, &["a=1; Domain=.angel.com", "b=2; domain=ANGEL.COM", "c=3; Domain="]);
        assert_eq!(sent(&jar, WEB), "a=1; b=2");
        assert_eq!(sent(&jar, "https://angel.com/"), "a=1; b=2");
        assert_eq!(sent(&jar, "https://badangel.com/"), "");
        assert_eq!(sent(&jar, AUTH), "a=1; b=2; c=3");
    }

    #[test]
    fn a_domain_that_is_not_the_servers_own_is_refused() {
        let mut jar = Jar::default();
        set(
            &mut jar,
            AUTH,
            &[
                "a=1; Domain=evil.example",
                "b=2; Domain=com",
                "c=3; Domain=www.angel.com",
                "d=4; Domain=x.auth.angel.com",
            ],
        );
        set(&mut jar, "http://127.0.0.1:1/", &["e=5; Domain=0.0.1", "f=6; Domain=127.0.0.1"]);
        set(&mut jar, "http://localhost:1/", &["g=7; Domain=localhost"]);
        assert_eq!(sent(&jar, AUTH), "");
        assert_eq!(sent(&jar, "http://127.0.0.1:2/"), "f=6");
        assert_eq!(sent(&jar, "http://x.localhost:2/"), "");
        assert_eq!(sent(&jar, "http://localhost:2/"), "g=7");
    }

    #[test]
    fn a_cookie_is_replaced_and_deleted() {
        let mut jar = Jar::default();
        set(&mut jar, WEB, &["a=1", "b=1", "c=1", "d=1", "e=1", "f=1"]);
        set(
            &mut jar,
            WEB,
            &[
                "a=2; Max-Age=3600; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "b=; Max-Age=0",
                "c=; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
                "d=; Max-Age=-1",
                "e=; Max-Age=soon",
                "f=3; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
            ],
        );
        assert_eq!(sent(&jar, WEB), "a=2; e=; f=3");
        assert_eq!((jar.get("e", None), jar.get("a", None), jar.get("b", None)), (None, Some("2"), None));
    }

    #[test]
    fn odd_cookies_are_ignored_and_their_number_is_bounded() {
        let mut jar = Jar::default();
        set(&mut jar, WEB, &["", ";", "=x", "novalue", " ; Domain=x", "é=1", "ok= \"v=1\" ; x"]);
        assert_eq!(sent(&jar, WEB), "ok=\"v=1\"");
        assert_eq!(jar.get("ok", None), Some("v=1"));
        for number in 0..1000 {
            set(&mut jar, WEB, &[&format!("n{number}=1")]);
        }
        assert_eq!(jar.0.len(), MOST);
    }

    #[test]
    fn a_cookie_of_the_sites_own_host_is_preferred() {
        let mut jar = Jar::default();
        set(&mut jar, AUTH, &["t=auth"]);
        let web = Origin::of(&Uri::from_static(WEB));
        assert_eq!(jar.get("t", web.as_ref()), Some("auth"));
        set(&mut jar, WEB, &["t=web"]);
        assert_eq!(jar.get("t", web.as_ref()), Some("web"));
    }

    #[test]
    fn a_cookie_is_added_to_those_of_the_call() {
        let mut headers = HeaderMap::new();
        put(&mut headers, "t", "1");
        assert_eq!(headers[header::COOKIE], "t=1");
        headers.append(header::COOKIE, HeaderValue::from_static("a=b=c; t=old"));
        put(&mut headers, "t", "2");
        assert_eq!(headers.get_all(header::COOKIE).iter().collect::<Vec<_>>(), ["a=b=c; t=2"]);
        assert!(headers[header::COOKIE].is_sensitive());
    }

    #[test]
    fn an_invalid_max_age_is_ignored_and_expires_counts() {
        for age in ["soon", "", "-", "1s", "0x0"] {
            let mut jar = Jar::default();
            set(&mut jar, AUTH, &["a=1"]);
            set(&mut jar, AUTH, &[&format!("a=2; Max-Age={age}; Expires=Thu, 01 Jan 1970 00:00:00 GMT")]);
            assert_eq!(sent(&jar, AUTH), "", "{age}");
            set(&mut jar, AUTH, &[&format!("a=3; Max-Age={age}")]);
            assert_eq!(sent(&jar, AUTH), "a=3", "{age}");
        }
    }
}
