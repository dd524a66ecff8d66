//! Token revocation (RFC 7009), which a sign-out uses.

use std::fmt;

use super::profile::Profile;
use super::refusal::ErrorCode;
use super::{Endpoint, GrantType, fields::Fields, refusal};
use crate::credentials::{Credentials, Now, Secret};
use crate::error::{Error, ServiceError};
use crate::exchange::{Exchange, Request, Response, Step};

/// Revokes tokens at the server (RFC 7009): the refresh token, then the access token. The access token is revoked even
/// if the first request fails. The exchange then ends with the first error.
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

/// The kind of token: `token_type_hint` (RFC 7009 §2.1).
#[derive(Clone, Copy)]
enum Hint {
    RefreshToken,
    AccessToken,
}

impl Profile {
    /// An exchange that revokes the refresh token and access token of these credentials. `None` where the profile has
    /// no revocation endpoint.
    pub fn revoke(&self, credentials: &Credentials) -> Option<Revocation> {
        let endpoint = self.revocation_endpoint.clone()?;
        let refresh_token = credentials.refresh_token().cloned();
        let stage = if refresh_token.is_some() { Stage::RefreshToken } else { Stage::AccessToken };
        let access_token = Secret::from(credentials.access().expose());
        Some(Revocation { profile: self.clone(), endpoint, refresh_token, access_token, stage, failure: None })
    }
}

/// Reads the answer to a revocation request. `Ok` for a 200, which servers also send for a token that they do not know
/// (RFC 7009 §2.2), and for `unsupported_token_type`: such a token can only expire.
pub fn parse_revocation(profile: &Profile, response: &Response, now: Now) -> Result<(), ServiceError> {
    if response.status().is_success() {
        return Ok(());
    }
    let read = Fields::read(response.body().as_ref(), profile.encoding);
    // Read as for a refresh: no login was sent, so none may be rejected.
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
