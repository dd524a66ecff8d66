//! The exchanges that a session runs: a token request or a revocation.

use crate::credentials::Now;
use crate::error::Error;
use crate::exchange::{self, Request, Response, Step};
use crate::grant::Grant;
use crate::oauth2::{Revocation, TokenRequest};

/// An exchange with an OAuth 2 server: a token request or a revocation.
#[derive(Debug)]
pub struct Exchange(Kind);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, for the length of a request")]
enum Kind {
    Token(TokenRequest),
    Revocation(Revocation),
}

impl Exchange {
    pub(super) fn token(exchange: TokenRequest) -> Self {
        Self(Kind::Token(exchange))
    }

    pub(super) fn revocation(exchange: Revocation) -> Self {
        Self(Kind::Revocation(exchange))
    }
}

impl exchange::Exchange for Exchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        match &mut self.0 {
            Kind::Token(exchange) => exchange.start(now),
            Kind::Revocation(exchange) => exchange.start(now),
        }
    }

    /// A revocation ends in an empty grant.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        match &mut self.0 {
            Kind::Token(exchange) => exchange.receive(response, now),
            Kind::Revocation(exchange) => Ok(match exchange.receive(response, now)? {
                Step::Send(request) => Step::Send(request),
                Step::Done(()) => Step::Done(Grant::default()),
            }),
        }
    }

    fn may_block(&self) -> bool {
        match &self.0 {
            Kind::Token(exchange) => exchange.may_block(),
            Kind::Revocation(exchange) => exchange.may_block(),
        }
    }
}
