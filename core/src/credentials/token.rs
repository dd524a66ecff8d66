//! The access token.

use std::fmt;

use http::HeaderValue;

use super::secret::{HeaderPair, InvalidToken};
use super::time::Validity;

/// An access token, as its two header values and its term.
#[derive(Clone)]
pub struct AccessToken {
    headers: HeaderPair,
    validity: Validity,
}

impl AccessToken {
    /// Checks a token and builds its header values once. `token_type` is `Bearer` at nearly every service.
    pub fn new(token_type: &str, token: &str, validity: Validity) -> Result<Self, InvalidToken> {
        Ok(Self { headers: HeaderPair::new(token_type, token)?, validity })
    }

    /// The token itself.
    pub fn expose(&self) -> &str {
        self.headers.raw.to_str().unwrap_or_default()
    }

    /// `Authorization: <type> <token>`, marked sensitive.
    pub fn typed_header(&self) -> &HeaderValue {
        &self.headers.typed
    }

    /// `Authorization: <token>`, marked sensitive: for services that want no type in front.
    pub fn raw_header(&self) -> &HeaderValue {
        &self.headers.raw
    }

    /// `Bearer`, or what the service calls it.
    pub fn token_type(&self) -> &str {
        let typed = self.headers.typed.to_str().unwrap_or_default();
        typed[..typed.len() - self.headers.raw.len()].trim_end()
    }

    /// From when to when it runs.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }

    pub(crate) fn set_term(&mut self, validity: Validity) {
        self.validity = validity;
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("validity", &self.validity).finish_non_exhaustive()
    }
}
