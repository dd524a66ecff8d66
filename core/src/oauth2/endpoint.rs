//! The address of an OAuth endpoint.

use std::fmt;

use http::Uri;

use crate::wire::{InvalidUrl, TransportSecurity, form_encode};

/// The address of an OAuth endpoint: https, or http to this machine or to a host that was named. Unlike a
/// [`BaseUrl`](crate::wire::BaseUrl) it may have a query (RFC 6749 §3.1), and a slash at its end is part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// Checks an address: https, or http to this machine.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        Self::parse_under(text, &TransportSecurity::new())
    }

    /// Checks an address: https, or http where `security` allows it.
    pub fn parse_under(text: &str, security: &TransportSecurity) -> Result<Self, InvalidUrl> {
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|_| InvalidUrl::NotAUrl)?;
        let authority = uri.authority().ok_or(InvalidUrl::NotAUrl)?;
        if uri.scheme().is_none() || authority.host().is_empty() {
            return Err(InvalidUrl::NotAUrl);
        }
        if authority.as_str().contains('@') || text.contains('#') {
            return Err(InvalidUrl::Extra);
        }
        security.check_address(&uri)?;
        Ok(Self(uri))
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        &self.0
    }

    /// The address with parameters added to its query. Those that it has are kept (RFC 6749 §3.1).
    pub(super) fn with_query<'a>(&self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mark = match self.0.query() {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        format!("{}{mark}{}", self.0, form_encode(fields).expose())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.authority().map_or("", |authority| authority.as_str()), self.0.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_this_machine() {
        for good in ["https://a.example", "https://a.example/token/", "https://a.example/t?x=1", "http://[::1]:80/t"] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://a.example/token", InvalidUrl::NotHttps),
            ("http://127.0.0.1.evil.example/", InvalidUrl::NotHttps),
            ("javascript:alert(1)", InvalidUrl::NotAUrl),
            ("https://a.example:80800/token", InvalidUrl::Port),
            ("https://a.example:0/token", InvalidUrl::Port),
            ("https://user:pw@a.example/", InvalidUrl::Extra),
            ("https://a.example/#x", InvalidUrl::Extra),
            ("/token", InvalidUrl::NotAUrl),
            ("", InvalidUrl::NotAUrl),
        ] {
            assert_eq!(Endpoint::parse(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn a_query_is_kept_and_added_to() {
        let with = |url| Endpoint::parse(url).unwrap().with_query([("a", "x y")]);
        assert_eq!(with("https://a.example/t"), "https://a.example/t?a=x+y");
        assert_eq!(with("https://a.example/t?"), "https://a.example/t?a=x+y");
        assert_eq!(with("https://a.example/t?b=1"), "https://a.example/t?b=1&a=x+y");
    }
}
