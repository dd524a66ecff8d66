//! How a session was begun, which decides how it is renewed.

use super::Login;
use super::login::Kind;
use crate::credentials::Credentials;
use crate::oauth2::GrantType;

/// How a session was begun, which decides how it is renewed. It is saved with the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
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

    /// How the session of these credentials was begun. `None` where that is unknown, as after a refresh of a token that
    /// came from elsewhere.
    pub fn of(credentials: &Credentials) -> Option<Self> {
        match credentials.grant_type()? {
            // The name in `oauth2` itself, for a grant that did not come through this provider.
            name if name == GrantType::AuthorizationCode.as_str() => Some(Self::OAuth),
            name => Self::ALL.into_iter().find(|begun| begun.name() == name),
        }
    }

    /// The name that [`Credentials::grant_type`] has for it.
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
