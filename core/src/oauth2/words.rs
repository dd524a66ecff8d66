//! Texts from a server, made fit to be shown in errors and logs.

use http::Uri;
use zeroize::Zeroizing;

use crate::error::{ServiceError, ServiceErrorKind};

/// A message: printable, cut, with `***` for words that may be an address or a token. `None` where nothing is left.
pub(super) fn cleaned(text: &str) -> Option<Zeroizing<String>> {
    let error = ServiceError::new(ServiceErrorKind::Service).with_message(text);
    error.message().map(|words| Zeroizing::new(words.to_owned()))
}

/// An error code: printable and cut.
pub(super) fn code(text: &str) -> Option<Zeroizing<String>> {
    let error = ServiceError::new(ServiceErrorKind::Service).with_code(text);
    error.code().map(|words| Zeroizing::new(words.to_owned()))
}

/// An address: http or https, without user name and query, of 200 bytes at most.
pub(super) fn address(text: &str) -> Option<String> {
    let uri: Uri = text.trim().parse().ok().filter(|_| text.len() <= 200)?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority().filter(|authority| web && !authority.as_str().contains('@'))?;
    Some(format!("{}://{authority}{}", uri.scheme_str()?, uri.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_addresses_tokens_and_escapes() {
        assert_eq!(*cleaned("no\u{1b}[2J for a@b.example").unwrap(), "no[2J for ***");
        assert_eq!(*cleaned("token eyJhbGciOiJIUzI1NiJ9.e30 expired").unwrap(), "token *** expired");
        assert_eq!(cleaned(" \n"), None);
    }

    #[test]
    fn an_error_uri_loses_its_query() {
        assert_eq!(address("https://a.example/why?token=x").unwrap(), "https://a.example/why");
        for bad in ["javascript:alert(1)", "https://u@a.example/", "why", ""] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }
}
