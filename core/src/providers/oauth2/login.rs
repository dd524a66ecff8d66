//! What signs in.

use std::fmt;

use crate::credentials::{Secret, masked};
use crate::oauth::{Profile, TokenExchange};

/// What signs in by itself. Can be used again and again.
#[derive(Clone)]
pub struct Login {
    kind: Kind,
    scopes: Vec<String>,
}

#[derive(Clone)]
enum Kind {
    ClientCredentials,
    LegacyPassword { username: Box<str>, password: Secret },
}

/// What a login lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// The user name is empty. Ask for it.
    #[error("the login has no user name")]
    NoUsername,
    /// The password is empty. Ask for it.
    #[error("the login has no password")]
    NoPassword,
}

impl Login {
    /// The client itself, by what its profile says ([`ClientAuth`](crate::oauth::ClientAuth)).
    pub fn client_credentials() -> Self {
        Self { kind: Kind::ClientCredentials, scopes: Vec::new() }
    }

    /// A user's password. Legacy: RFC 9700 §2.4 says not to use it, and some servers have nothing else. The user
    /// name loses blanks at its ends, the password is taken as it is.
    pub fn legacy_password(username: &str, password: impl Into<Secret>) -> Result<Self, InvalidLogin> {
        let (username, password) = (username.trim(), password.into());
        if username.is_empty() {
            return Err(InvalidLogin::NoUsername);
        }
        if password.expose().is_empty() {
            return Err(InvalidLogin::NoPassword);
        }
        Ok(Self { kind: Kind::LegacyPassword { username: username.into(), password }, scopes: Vec::new() })
    }

    /// With these scopes.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The user name, where there is one.
    pub fn username(&self) -> Option<&str> {
        match &self.kind {
            Kind::ClientCredentials => None,
            Kind::LegacyPassword { username, .. } => Some(username),
        }
    }

    pub(super) fn exchange(&self, profile: &Profile) -> TokenExchange {
        match &self.kind {
            Kind::ClientCredentials => profile.client_credentials(&self.scopes),
            Kind::LegacyPassword { username, password } => profile.legacy_password(username, password, &self.scopes),
        }
    }
}

/// The user name, masked, and nothing else.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::ClientCredentials => f.write_str("ClientCredentials"),
            Kind::LegacyPassword { username, .. } => {
                f.debug_struct("LegacyPassword").field("username", &masked(username)).finish_non_exhaustive()
            }
        }
    }
}
