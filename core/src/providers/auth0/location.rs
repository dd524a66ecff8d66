//! Where a redirect leads (RFC 3986 §5.2), and whether it is followed.

use http::{HeaderValue, Uri};

use crate::wire::port;

/// Scheme, host and port: what is compared before a redirect is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    host: Box<str>,
    port: u16,
}

impl Origin {
    /// The origin of an address; `None` where no request may be sent to it: another scheme, an invalid port, a user
    /// name. Whether http is allowed was checked for the allowed origins that it is compared with.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let port = port(authority).ok()?.unwrap_or(if https { 443 } else { 80 });
        Some(Self { https, host: authority.host().to_ascii_lowercase().into(), port })
    }

    /// The same origin without `www.`.
    pub(super) fn without_www(&self) -> Option<Self> {
        let host = self.host.strip_prefix("www.").filter(|host| host.contains('.'))?;
        Some(Self { host: host.into(), ..self.clone() })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Why a redirect is not followed.
pub(super) type RedirectError = &'static str;

/// The address that `location` leads to from `from`, if its origin is allowed.
pub(super) fn follow(from: &Uri, location: Option<&HeaderValue>, allowed: &[Origin]) -> Result<Uri, RedirectError> {
    let location = location.ok_or("a redirect to nowhere")?;
    let target = resolved(from, &escaped(location.as_bytes())).ok_or("a redirect to no address")?;
    let origin = Origin::of(&target).filter(|origin| allowed.contains(origin));
    origin.map(|_| target).ok_or("a redirect to a host that is not allowed")
}

/// Percent-encodes what may not stand in an address, since servers send such, and drops the fragment.
fn escaped(location: &[u8]) -> String {
    let location = location.trim_ascii().split(|byte| *byte == b'#').next().unwrap_or_default();
    let mut text = String::with_capacity(location.len());
    for &byte in location {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn resolved(from: &Uri, reference: &str) -> Option<Uri> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let text = if has_scheme(reference) {
        reference.to_owned()
    } else if reference.starts_with("//") {
        format!("{scheme}:{reference}")
    } else {
        let (path, query) = match reference.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (reference, None),
        };
        let (path, query) = match path {
            "" => (from.path().to_owned(), query.or(from.query())),
            _ if path.starts_with('/') => (path.to_owned(), query),
            _ => {
                let folder = &from.path()[..from.path().rfind('/').map_or(0, |slash| slash + 1)];
                (format!("{folder}{path}"), query)
            }
        };
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        format!("{scheme}://{authority}{path}{query}")
    };
    normal(text.parse().ok()?)
}

/// The address without dot segments in its path.
fn normal(uri: Uri) -> Option<Uri> {
    let path = without_dots(uri.path());
    if path == uri.path() {
        return Some(uri);
    }
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    format!("{}://{}{path}{query}", uri.scheme_str()?, uri.authority()?).parse().ok()
}

/// Whether a reference begins with a scheme (RFC 3986 §3.1).
fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']).filter(|end| reference[*end..].starts_with(':'));
    end.is_some() && reference.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Removes dot segments (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "https://auth.a.example/u/login?state=s1";

    fn allowed() -> Vec<Origin> {
        let origin = |url: &'static str| Origin::of(&Uri::from_static(url)).unwrap();
        vec![origin("https://www.a.example"), origin("https://auth.a.example"), origin("http://127.0.0.1:81")]
    }

    fn led(location: &str) -> Result<String, RedirectError> {
        let value = HeaderValue::from_bytes(location.as_bytes()).unwrap();
        follow(&Uri::from_static(FROM), Some(&value), &allowed()).map(|uri| uri.to_string())
    }

    #[test]
    fn bug_a_relative_location_was_not_followed() {
        for (location, target) in [
            ("/authorize/resume?state=s2", "https://auth.a.example/authorize/resume?state=s2"),
            ("resume", "https://auth.a.example/u/resume"),
            ("./resume", "https://auth.a.example/u/resume"),
            ("../resume?a=b/../c", "https://auth.a.example/resume?a=b/../c"),
            ("../../../x/./y/..", "https://auth.a.example/x/"),
            ("?state=s3", "https://auth.a.example/u/login?state=s3"),
            ("", "https://auth.a.example/u/login?state=s1"),
            ("#top", "https://auth.a.example/u/login?state=s1"),
            ("//www.a.example/cb?code=1#x", "https://www.a.example/cb?code=1"),
            (" https://WWW.a.example:443/cb ", "https://WWW.a.example:443/cb"),
            ("/cb?next=https://evil.example", "https://auth.a.example/cb?next=https://evil.example"),
            // RFC 3986 §5.2.2: wherever the path came from.
            ("//www.a.example/x/../cb?a=../b", "https://www.a.example/cb?a=../b"),
            ("https://www.a.example/x/./y/..", "https://www.a.example/x/"),
            ("cb:1", "nothing"),
            ("/übersicht seite", "https://auth.a.example/%C3%BCbersicht%20seite"),
            ("/\\evil.example/", "https://auth.a.example/%5Cevil.example/"),
            ("http://127.0.0.1:81/x", "http://127.0.0.1:81/x"),
        ] {
            match target {
                "nothing" => assert!(led(location).is_err(), "{location}"),
                _ => assert_eq!(led(location).unwrap(), target, "{location}"),
            }
        }
    }

    #[test]
    fn no_redirect_leads_off_the_allowed_hosts() {
        for location in [
            "https://evil.example/",
            "//evil.example/",
            "http://www.a.example/",
            "https://www.a.example:8443/",
            "https://www.a.example:80443/",
            "https://www.a.example:/",
            "https://www.a.example.evil.example/",
            "https://www.a.example@evil.example/",
            "https://user:pw@www.a.example/",
            "https://evil.example\\@www.a.example/",
            "http://127.0.0.1:82/",
            "http://127.0.0.1/",
            "ftp://www.a.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https:///x",
            "https:www.a.example",
        ] {
            assert!(led(location).is_err(), "{location}");
        }
        assert_eq!(follow(&Uri::from_static(FROM), None, &allowed()), Err("a redirect to nowhere"));
    }
}
