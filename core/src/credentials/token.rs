//! The access token.

use std::fmt;

use http::HeaderValue;

use super::secret::{HeaderPair, InvalidToken};
use super::time::Term;

/// An access token, as its two header values and its term.
#[derive(Clone)]
pub struct AccessToken {
    headers: HeaderPair,
    term: Term,
}

impl AccessToken {
    /// Checks a token and builds its header values once. `token_type` is `Bearer` at nearly every service.
    pub fn new(token_type: &str, token: &str, term: Term) -> Result<Self, InvalidToken> {
        Ok(Self { headers: HeaderPair::new(token_type, token)?, term })
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
    pub fn term(&self) -> &Term {
        &self.term
    }

    pub(super) fn set_term(&mut self, term: Term) {
        self.term = term;
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("term", &self.term).finish_non_exhaustive()
    }
}
