//! The access token.

use std::fmt;

use http::HeaderValue;

use super::secret::{HeaderPair, InvalidToken};
use super::time::Validity;

/// An access token, with its type, its validity and ready header values.
#[derive(Clone)]
pub struct AccessToken {
    headers: HeaderPair,
    validity: Validity,
}

impl AccessToken {
    /// An access token of this type, which is `Bearer` at nearly every service. The header values are built once. An
    /// error where token or type cannot be part of a header ([`check_token`](super::check_token)).
    pub fn new(token_type: &str, token: &str, validity: Validity) -> Result<Self, InvalidToken> {
        Ok(Self { headers: HeaderPair::new(token_type, token)?, validity })
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        self.headers.raw.to_str().unwrap_or_default()
    }

    /// The value of `Authorization: <type> <token>`, marked sensitive.
    pub fn typed_header(&self) -> &HeaderValue {
        &self.headers.typed
    }

    /// The value of `Authorization: <token>`, marked sensitive, for services that want no type in front.
    pub fn raw_header(&self) -> &HeaderValue {
        &self.headers.raw
    }

    /// The token type: `Bearer`, or what the service calls it.
    pub fn token_type(&self) -> &str {
        let typed = self.headers.typed.to_str().unwrap_or_default();
        typed[..typed.len() - self.headers.raw.len()].trim_end()
    }

    /// When it was issued and when it expires.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn set_validity(&mut self, validity: Validity) {
        self.validity = validity;
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("validity", &self.validity).finish_non_exhaustive()
    }
}
