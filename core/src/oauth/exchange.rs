//! One token request and its answer.

use std::fmt;

use super::answer::{GrantType, parse_token};
use super::pkce::Verifier;
use super::profile::Profile;
use crate::credentials::{Account, Grant, Now, Secret};
use crate::error::Error;
use crate::exchange::{Exchange, Request, Response, Step};

/// Asks a token endpoint, once.
pub struct TokenExchange {
    profile: Profile,
    shown: Shown,
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
    pub fn refresh(&self, refresh_token: &Secret) -> TokenExchange {
        TokenExchange::new(self.clone(), Shown::Refresh(refresh_token.clone()))
    }

    /// A sign-in of the client itself.
    pub fn client_credentials<S: AsRef<str>>(&self, scopes: &[S]) -> TokenExchange {
        TokenExchange::new(self.clone(), Shown::ClientCredentials { scopes: owned(scopes) })
    }

    /// A sign-in with a user's password. Legacy: RFC 9700 §2.4 says not to use it, and some servers have nothing
    /// else.
    pub fn legacy_password<S: AsRef<str>>(&self, username: &str, password: &Secret, scopes: &[S]) -> TokenExchange {
        let (username, password) = (username.into(), password.clone());
        TokenExchange::new(self.clone(), Shown::Password { username, password, scopes: owned(scopes) })
    }
}

fn owned<S: AsRef<str>>(scopes: &[S]) -> Vec<String> {
    scopes.iter().map(|scope| scope.as_ref().to_owned()).collect()
}

impl TokenExchange {
    pub(super) fn new(profile: Profile, shown: Shown) -> Self {
        Self { profile, shown, sent: Now::default() }
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
}

impl Exchange for TokenExchange {
    type Output = Grant;

    fn start(&mut self, now: Now) -> Request {
        self.sent = now;
        let profile = &self.profile;
        match &self.shown {
            Shown::Code { code, verifier, redirect_uri } => profile.code_request(code, verifier, redirect_uri, now),
            Shown::ClientCredentials { scopes } => profile.client_credentials_request(scopes, now),
            Shown::Password { username, password, scopes } => {
                profile.legacy_password_request(username, password, scopes, now)
            }
            Shown::Refresh(token) => profile.refresh_request(token, now),
        }
    }

    /// Always ends the exchange: with a grant, or with what the server said instead.
    fn receive(&mut self, response: Response, now: Now) -> Result<Step, Error> {
        let granted = parse_token(&self.profile, self.grant_type(), &response, self.sent, now);
        let mut grant = granted.map_err(|error| self.profile.without_echo(error, self.secrets()))?;
        if let Shown::Password { username, .. } = &self.shown {
            grant.account = Some(Account { user_id: username.to_string(), ..Account::default() });
        }
        Ok(Step::Done(grant))
    }

    fn may_block(&self) -> bool {
        self.profile.client_auth.may_block()
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (to, what) = (&self.profile.token_endpoint, self.grant_type());
        f.debug_struct("TokenExchange").field("to", to).field("with", &what).finish_non_exhaustive()
    }
}
