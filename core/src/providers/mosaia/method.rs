//! How a session was begun, which decides how it goes on.

use super::Login;
use super::login::Kind;
use crate::credentials::Credentials;
use crate::oauth2::GrantType;

/// How a session was begun. It is kept with the credentials and saved with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignInMethod {
    /// By a person's e-mail address and password.
    Password,
    /// By a program's id and secret.
    Client,
    /// By a person's consent in a browser.
    OAuth,
    /// With a bare access token: there is no refresh token.
    Token,
}

impl SignInMethod {
    const ALL: [Self; 4] = [Self::Password, Self::Client, Self::OAuth, Self::Token];

    /// How these credentials' session was begun; `None` where nobody said, as after a refresh of a given token.
    pub fn of(credentials: &Credentials) -> Option<Self> {
        match credentials.grant_type()? {
            // What [`oauth`](crate::oauth2) itself calls it, for a grant that did not come through this provider.
            name if name == GrantType::AuthorizationCode.as_str() => Some(Self::OAuth),
            name => Self::ALL.into_iter().find(|begun| begun.name() == name),
        }
    }

    /// What [`Credentials::grant_type`] calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Client => "client",
            Self::OAuth => "oauth",
            Self::Token => "token",
        }
    }

    pub(super) fn of_login(login: &Login) -> Self {
        match login.kind() {
            Kind::Password { .. } => Self::Password,
            Kind::Client { .. } => Self::Client,
        }
    }
}
