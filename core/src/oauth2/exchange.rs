//! The exchange with a token endpoint.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::answer::parse_token;
use super::client::ClientAuth;
use super::grant_type::GrantType;
use super::pkce::Verifier;
use super::profile::Profile;
use super::refusal::ErrorCode;
use crate::credentials::{Account, Now, Secret, Timestamp};
use crate::error::{Error, ServiceError};
use crate::exchange::{Exchange, Request, Response, Step};
use crate::grant::Grant;
use crate::wire::server_time;

/// By how much our clock may differ from the server's before a rejected assertion is blamed on it.
const LARGE_SKEW: Duration = Duration::from_secs(30);

/// A request to the token endpoint, for any grant: refresh token, client credentials, authorization code, password.
///
/// One request; two where the client authenticates by signed assertions ([`ClientAuth::PrivateKeyJwt`]) and this
/// machine's clock is more than 30 s off.
pub struct TokenRequest {
    profile: Profile,
    params: GrantParams,
    /// The server's time, if the assertion was made for it in place of ours.
    servers_time: Option<Timestamp>,
    /// When the request was sent. Lifetimes run from here: counted from the answer they would be too long.
    sent: Now,
}

/// The grant, with its parameters.
pub(super) enum GrantParams {
    Code { code: Secret, verifier: Verifier, redirect_uri: Box<str> },
    ClientCredentials { scopes: Vec<String> },
    Password { username: Box<str>, password: Secret, scopes: Vec<String> },
    Refresh(Secret),
}

impl Profile {
    /// Refreshes with a refresh token, outside any session (RFC 6749 §6). Where the server rotates refresh tokens this
    /// one is spent as soon as the request is sent, even if the answer is lost.
    pub fn refresh(&self, refresh_token: &Secret) -> TokenRequest {
        TokenRequest::new(self.clone(), GrantParams::Refresh(refresh_token.clone()))
    }

    /// Gets tokens for the client itself: client credentials (RFC 6749 §4.4).
    pub fn client_credentials<S: AsRef<str>>(&self, scopes: &[S]) -> TokenRequest {
        TokenRequest::new(self.clone(), GrantParams::ClientCredentials { scopes: owned(scopes) })
    }

    /// Signs in with a user's name and password (RFC 6749 §4.3). Legacy: RFC 9700 §2.4 forbids it, but some servers
    /// offer nothing else.
    pub fn legacy_password<S: AsRef<str>>(&self, username: &str, password: &Secret, scopes: &[S]) -> TokenRequest {
        let (username, password) = (username.into(), password.clone());
        TokenRequest::new(self.clone(), GrantParams::Password { username, password, scopes: owned(scopes) })
    }
}

fn owned<S: AsRef<str>>(scopes: &[S]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_ref().to_owned()).collect()
}

impl TokenRequest {
    pub(super) fn new(profile: Profile, params: GrantParams) -> Self {
        Self { profile, params, servers_time: None, sent: Now::default() }
    }

    /// Which grant it uses.
    pub fn grant_type(&self) -> GrantType {
        match &self.params {
            GrantParams::Code { .. } => GrantType::AuthorizationCode,
            GrantParams::ClientCredentials { .. } => GrantType::ClientCredentials,
            GrantParams::Password { .. } => GrantType::Password,
            GrantParams::Refresh(_) => GrantType::RefreshToken,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match &self.params {
            GrantParams::Code { code, verifier, .. } => (Some(code.expose()), Some(verifier.expose())),
            GrantParams::ClientCredentials { .. } => (None, None),
            GrantParams::Password { password, .. } => (Some(password.expose()), None),
            GrantParams::Refresh(token) => (Some(token.expose()), None),
        };
        first.into_iter().chain(second)
    }

    /// The request, with an assertion for this time if the client makes one.
    fn request(&self, at: Now) -> Request {
        let profile = &self.profile;
        match &self.params {
            GrantParams::Code { code, verifier, redirect_uri } => {
                profile.code_request(code, verifier, redirect_uri, at)
            }
            GrantParams::ClientCredentials { scopes } => profile.client_credentials_request(scopes, at),
            GrantParams::Password { username, password, scopes } => {
                profile.legacy_password_request(username, password, scopes, at)
            }
            GrantParams::Refresh(token) => profile.refresh_request(token, at),
        }
    }

    /// The server's time, if it rejected the client's assertion and our clock is off by more than [`LARGE_SKEW`]. To
    /// ask once more is safe even with a one-use token: a server authenticates the client before it looks at the grant.
    fn other_time(&self, error: &ServiceError, response: &Response, now: Now) -> Option<Timestamp> {
        let signed = matches!(self.profile.client_auth, ClientAuth::PrivateKeyJwt(_));
        let client_refused = match error.code().map(ErrorCode::from) {
            Some(code) => code == ErrorCode::InvalidClient,
            None => error.status() == Some(StatusCode::UNAUTHORIZED),
        };
        let server = server_time(response.headers()).filter(|_| signed && client_refused)?;
        let differs = server.since(now.wall).unsigned_abs() > LARGE_SKEW;
        (differs && self.servers_time.is_none()).then_some(server)
    }
}

impl Exchange for TokenRequest {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        (self.sent, self.servers_time) = (now, None);
        self.request(now)
    }

    /// Ends the exchange with a grant or an error. If the server rejected a signed assertion and its `Date` differs
    /// from our clock, it first sends one more request, with an assertion for the server's time.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let granted = parse_token(&self.profile, self.grant_type(), &response, self.sent, now);
        let mut grant = match granted {
            Ok(grant) => grant,
            Err(error) => match self.other_time(&error, &response, now) {
                Some(servers_time) => {
                    (self.sent, self.servers_time) = (now, Some(servers_time));
                    return Ok(Step::Send(self.request(Now { wall: servers_time, ..now })));
                }
                None => return Err(self.profile.without_echo(error, self.secrets()).into()),
            },
        };
        if let GrantParams::Password { username, .. } = &self.params {
            grant.account = Some(Account::new(username.to_string()));
        }
        Ok(Step::Done(grant))
    }

    fn may_block(&self) -> bool {
        self.profile.client_auth.may_block()
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, what) = (&self.profile.token_endpoint, self.grant_type());
        f.debug_struct("TokenRequest").field("to", to).field("with", &what).finish_non_exhaustive()
    }
}
