//! Base addresses, and whether a password may be sent to an address.

use std::fmt;

use http::Uri;

use super::address::InvalidUrl;
use super::security::TransportSecurity;

/// The base address of a service: https, or http to this machine or to a host that was named. It is kept without a
/// slash at its end.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Box<str>);

impl BaseUrl {
    /// Checks an address: https, or http to this machine. A slash at its end does not matter.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse_under(text, &TransportSecurity::new())
    }

    /// Checks an address: https, or http where `security` allows it. A slash at its end does not matter.
    pub fn parse_under(text: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
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
        security.check_address(&uri)?;
        Ok(Self(text.into()))
    }

    /// An address of this crate's own, unchecked. A test of its provider parses it.
    #[allow(dead_code, reason = "used by providers, each of which is a feature")]
    pub(crate) fn from_static(text: &'static str) -> Self {
        Self(text.into())
    }

    /// The address followed by a path, which must begin with a slash.
    pub fn join(&self, path: &'static str) -> Uri {
        // Both halves were checked: one when parsed, one a literal of this crate.
        Uri::try_from(format!("{}{path}", self.0)).unwrap_or_default()
    }

    /// The address, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_http_to_this_machine_are_safe() {
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
            ("https://a.example:80800", InvalidUrl::Port),
            ("https://a.example:0/api", InvalidUrl::Port),
            ("https://a.example:", InvalidUrl::Port),
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
    fn plain_http_is_allowed_to_a_named_host() {
        let security = TransportSecurity::new().plain_http_to("keycloak").unwrap();
        let base = BaseUrl::parse_under("http://keycloak:8080/realms/x/", &security).unwrap();
        assert_eq!(base.as_str(), "http://keycloak:8080/realms/x");
        assert_eq!(BaseUrl::parse_under("http://hydra:8080", &security), Err(InvalidUrl::NotHttps));
    }

    #[test]
    fn a_slash_at_the_end_does_not_matter() {
        for base in ["https://a.example/api", "https://a.example/api/", " https://a.example/api\u{85}/\u{a0}/\n"] {
            assert_eq!(BaseUrl::parse(base).unwrap().join("/user/sign-in"), "https://a.example/api/user/sign-in");
        }
    }
}
