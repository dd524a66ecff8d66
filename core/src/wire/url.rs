//! Addresses that a password may be sent to.

use std::fmt;

use http::Uri;

/// The address of a service: https, or http to this machine. Kept without a slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Box<str>);

/// Why an address is refused. It is not repeated: people put passwords into addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It is no absolute address of a host.
    #[error("the address is not a URL with a host")]
    NotAUrl,
    /// It would send secrets in the clear.
    #[error("the address is not https (http is allowed to this machine only)")]
    NotHttps,
    /// A user name, a query or a fragment has no place in it.
    #[error("the address has a user name, a query or a fragment in it")]
    Extra,
}

impl BaseUrl {
    /// Checks an address. A slash at its end does not matter.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        // A blank before the slash would be left at the end.
        let text = text.trim_start().trim_end_matches(|last: char| last == '/' || last.is_whitespace());
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::NotAUrl)?;
        let authority = uri.authority().ok_or(InvalidUrl::NotAUrl)?;
        if uri.scheme().is_none() || authority.host().is_empty() {
            return Err(InvalidUrl::NotAUrl);
        }
        if uri.query().is_some() || authority.as_str().contains('@') || text.contains('#') {
            return Err(InvalidUrl::Extra);
        }
        if !is_safe(&uri) {
            return Err(InvalidUrl::NotHttps);
        }
        Ok(Self(text.into()))
    }

    /// An address that this crate knows to be right: a test of its provider parses it.
    #[allow(dead_code, reason = "used by providers, each of which is a feature")]
    pub(crate) fn from_static(text: &'static str) -> Self {
        Self(text.into())
    }

    /// The address with a path, which begins with a slash, behind it.
    pub fn join(&self, path: &'static str) -> Uri {
        // Both halves were checked: one when parsed, one a literal of this crate.
        Uri::try_from(format!("{}{path}", self.0)).unwrap_or_default()
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whether a request with secrets may go there: https, or http to this machine.
pub fn is_safe(uri: &Uri) -> bool {
    let local = || match uri.host().map(|host| host.trim_matches(['[', ']'])) {
        Some(host) => {
            host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        None => false,
    };
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_safe() {
        for good in [
            "https://a.example",
            "https://a.example:8443/api/",
            "http://127.0.0.1:80",
            "http://[::1]:1/x",
            "http://localhost",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://a.example", InvalidUrl::NotHttps),
            ("ftp://a.example", InvalidUrl::NotHttps),
            ("http://localhost.evil.example", InvalidUrl::NotHttps),
            ("http://127.0.0.1.evil.example", InvalidUrl::NotHttps),
            ("https://user:pw@a.example", InvalidUrl::Extra),
            ("https://a.example?x=1", InvalidUrl::Extra),
            ("https://a.example/#x", InvalidUrl::Extra),
            ("a.example", InvalidUrl::NotAUrl),
            ("/path", InvalidUrl::NotAUrl),
            ("", InvalidUrl::NotAUrl),
            ("https://", InvalidUrl::NotAUrl),
        ] {
            assert_eq!(BaseUrl::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_slash_at_the_end_does_not_matter() {
        for base in ["https://a.example/api", "https://a.example/api/", " https://a.example/api\u{85}/\u{a0}/\n"] {
            assert_eq!(BaseUrl::parse(base).unwrap().join("/user/sign-in"), "https://a.example/api/user/sign-in");
        }
    }
}
