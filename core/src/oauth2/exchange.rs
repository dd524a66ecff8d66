//! A token request and its answer.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

use super::answer::{GrantType, parse_token};
use super::client::ClientAuth;
use super::pkce::Verifier;
use super::profile::Profile;
use super::refusal::ErrorCode;
use crate::credentials::{Account, Grant, Now, Secret, Timestamp};
use crate::error::{Error, ServiceError};
use crate::exchange::{Exchange, Request, Response, Step};
use crate::wire::server_time;

/// How far this machine's clock may be from the server's before a refused statement is put down to it.
const LARGE_SKEW: Duration = Duration::from_secs(30);

/// Asks a token endpoint: once, or twice where the client proves itself by signed statements
/// ([`ClientAuth::PrivateKeyJwt`]) and this machine's clock is wrong.
pub struct TokenRequest {
    profile: Profile,
    shown: Shown,
    /// The server's time, for which the statement was made in place of ours.
    servers_time: Option<Timestamp>,
    /// Lifetimes run from here: the answer's arrival would add the network's delay to them.
    sent: Now,
}

/// What is shown for tokens.
pub(super) enum Shown {
    Code { code: Secret, verifier: Verifier, redirect_uri: Box<str> },
    ClientCredentials { scopes: Vec<String> },
    Password { username: Box<str>, password: Secret, scopes: Vec<String> },
    Refresh(Secret),
}

impl Profile {
    /// A refresh on its own, outside any session. Where the server rotates, the token is spent, whatever happens
    /// to the answer.
    pub fn refresh(&self, refresh_token: &Secret) -> TokenRequest {
        TokenRequest::new(self.clone(), Shown::Refresh(refresh_token.clone()))
    }

    /// A sign-in of the client itself.
    pub fn client_credentials<S: AsRef<str>>(&self, scopes: &[S]) -> TokenRequest {
        TokenRequest::new(self.clone(), Shown::ClientCredentials { scopes: owned(scopes) })
    }

    /// A sign-in with a user's password. Legacy: RFC 9700 §2.4 says not to use it, and some servers have nothing
    /// else.
    pub fn legacy_password<S: AsRef<str>>(&self, username: &str, password: &Secret, scopes: &[S]) -> TokenRequest {
        let (username, password) = (username.into(), password.clone());
        TokenRequest::new(self.clone(), Shown::Password { username, password, scopes: owned(scopes) })
    }
}

fn owned<S: AsRef<str>>(scopes: &[S]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_ref().to_owned()).collect()
}

impl TokenRequest {
    pub(super) fn new(profile: Profile, shown: Shown) -> Self {
        Self { profile, shown, servers_time: None, sent: Now::default() }
    }

    /// What it shows for tokens.
    pub fn grant_type(&self) -> GrantType {
        match &self.shown {
            Shown::Code { .. } => GrantType::AuthorizationCode,
            Shown::ClientCredentials { .. } => GrantType::ClientCredentials,
            Shown::Password { .. } => GrantType::Password,
            Shown::Refresh(_) => GrantType::RefreshToken,
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match &self.shown {
            Shown::Code { code, verifier, .. } => (Some(code.expose()), Some(verifier.expose())),
            Shown::ClientCredentials { .. } => (None, None),
            Shown::Password { password, .. } => (Some(password.expose()), None),
            Shown::Refresh(token) => (Some(token.expose()), None),
        };
        first.into_iter().chain(second)
    }

    /// The request that is right at this moment of the server's.
    fn request(&self, at: Now) -> Request {
        let profile = &self.profile;
        match &self.shown {
            Shown::Code { code, verifier, redirect_uri } => profile.code_request(code, verifier, redirect_uri, at),
            Shown::ClientCredentials { scopes } => profile.client_credentials_request(scopes, at),
            Shown::Password { username, password, scopes } => {
                profile.legacy_password_request(username, password, scopes, at)
            }
            Shown::Refresh(token) => profile.refresh_request(token, at),
        }
    }

    /// The server's time, if it refused the client because of ours: a statement runs for minutes by its maker's clock.
    /// Whoever refuses the client has not looked at what else was shown.
    fn other_time(&self, error: &ServiceError, response: &Response, now: Now) -> Option<Timestamp> {
        let signed = matches!(self.profile.client_auth, ClientAuth::PrivateKeyJwt(_));
        let client_refused = match error.code().map(ErrorCode::from) {
            Some(code) => code == ErrorCode::InvalidClient,
            None => error.status() == Some(StatusCode::UNAUTHORIZED),
        };
        let told = server_time(response.headers()).filter(|_| signed && client_refused)?;
        let differs = told.since(now.wall).unsigned_abs() > LARGE_SKEW;
        (differs && self.servers_time.is_none()).then_some(told)
    }
}

impl Exchange for TokenRequest {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        (self.sent, self.servers_time) = (now, None);
        self.request(now)
    }

    /// Ends the exchange, with a grant or with what the server said instead, unless it refused a signed statement and
    /// its `Date` is another time than ours: then one is made for that time, once.
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
        if let Shown::Password { username, .. } = &self.shown {
            grant.account = Some(Account { user_id: username.to_string(), ..Account::default() });
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
        f.debug_struct("TokenExchange").field("to", to).field("with", &what).finish_non_exhaustive()
    }
}
