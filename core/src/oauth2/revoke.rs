//! Revocation (RFC 7009): what a sign-out asks for.

use std::fmt;

use super::profile::Profile;
use super::refusal::ErrorCode;
use super::{Endpoint, GrantType, fields::Fields, refusal};
use crate::credentials::{Credentials, Now, Secret};
use crate::error::{Error, ServiceError};
use crate::exchange::{Exchange, Request, Response, Step};

/// Tells a server to forget tokens: the refresh token, then the access token. The second is tried even where the
/// first fails; the first failure is the one that is told.
pub struct Revocation {
    profile: Profile,
    endpoint: Endpoint,
    refresh_token: Option<Secret>,
    access_token: Secret,
    stage: Stage,
    failure: Option<ServiceError>,
}

#[derive(Clone, Copy)]
enum Stage {
    RefreshToken,
    AccessToken,
}

/// What kind of token it is (RFC 7009 §2.1, `token_type_hint`).
#[derive(Clone, Copy)]
enum Hint {
    RefreshToken,
    AccessToken,
}

impl Profile {
    /// Revokes what credentials hold; `None` where the server has no endpoint for it.
    pub fn revoke(&self, credentials: &Credentials) -> Option<Revocation> {
        let endpoint = self.revocation_endpoint.clone()?;
        let refresh_token = credentials.refresh_token().cloned();
        let stage = if refresh_token.is_some() { Stage::RefreshToken } else { Stage::AccessToken };
        let access_token = Secret::from(credentials.access().expose());
        Some(Revocation { profile: self.clone(), endpoint, refresh_token, access_token, stage, failure: None })
    }
}

/// Reads the answer to a revocation. A token that the server does not know is as good as revoked, and it says so
/// with a 200 (RFC 7009 §2.2); one of a kind that it cannot revoke ends by itself.
pub fn parse_revocation(profile: &Profile, response: &Response, now: Now) -> Result<(), ServiceError> {
    if response.status().is_success() {
        return Ok(());
    }
    let read = Fields::read(response.body().as_ref(), profile.encoding);
    // What is shown here is no login: nothing is refused for good.
    match refusal::failure(profile, GrantType::RefreshToken, response, read.as_ref(), now) {
        Some(error) if error.code().map(ErrorCode::from) == Some(ErrorCode::UnsupportedTokenType) => Ok(()),
        Some(error) => Err(error),
        None => Ok(()),
    }
}

impl Revocation {
    fn request(&self, now: Now) -> Request {
        let (token, hint) = match (self.stage, &self.refresh_token) {
            (Stage::RefreshToken, Some(token)) => (token, Hint::RefreshToken),
            _ => (&self.access_token, Hint::AccessToken),
        };
        let hint = match hint {
            Hint::RefreshToken => "refresh_token",
            Hint::AccessToken => "access_token",
        };
        let fields = [("token", token.expose()), ("token_type_hint", hint)];
        self.profile.authenticated(&self.endpoint, &fields, now)
    }
}

impl Exchange for Revocation {
    type Output = ();

    fn start(&mut self, now: Now) -> Request {
        self.request(now)
    }

    fn receive(&mut self, response: Response, now: Now) -> Result<Step<()>, Error> {
        if let Err(error) = parse_revocation(&self.profile, &response, now) {
            let sent = [Some(&self.access_token), self.refresh_token.as_ref()];
            let error = self.profile.without_echo(error, sent.into_iter().flatten().map(Secret::expose));
            self.failure.get_or_insert(error);
        }
        match (self.stage, self.failure.take()) {
            (Stage::RefreshToken, failure) => {
                self.failure = failure;
                self.stage = Stage::AccessToken;
                Ok(Step::Send(self.request(now)))
            }
            (Stage::AccessToken, Some(failure)) => Err(failure.into()),
            (Stage::AccessToken, None) => Ok(Step::Done(())),
        }
    }

    fn may_block(&self) -> bool {
        self.profile.client_auth.may_block()
    }
}

impl fmt::Debug for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocation").field("at", &self.endpoint).finish_non_exhaustive()
    }
}
