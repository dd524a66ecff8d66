//! The login: client credentials, or a user's password.

use std::fmt;

use crate::credentials::{Secret, masked};
use crate::exchange::LoginOwner;
use crate::oauth2::{Profile, TokenRequest};
use crate::wire::{read_login, write_login};

/// The kinds of logins that are kept in a store.
const CLIENT_CREDENTIALS: &str = "oauth2-client-credentials";
const LEGACY_PASSWORD: &str = "oauth2-legacy-password";

/// A login at an OAuth 2 server, which signs in without a person present: client credentials, or a user's password.
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

/// Why a login is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogin {
    /// The user name is empty. Ask for it.
    #[error("the login has no user name")]
    NoUsername,
    /// The password is empty. Ask for it.
    #[error("the login has no password")]
    NoPassword,
}

impl Login {
    /// A login by client credentials: the client authenticates as its profile says
    /// ([`ClientAuth`](crate::oauth2::ClientAuth)).
    pub fn client_credentials() -> Self {
        Self { kind: Kind::ClientCredentials, scopes: Vec::new() }
    }

    /// A login by a user's name and password. Legacy: RFC 9700 §2.4 forbids it, but some servers offer nothing else.
    /// Blanks at the ends of the user name are removed; the password is taken as it is.
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

    /// Adds scopes to request.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The user name; `None` for client credentials.
    pub fn username(&self) -> Option<&str> {
        match &self.kind {
            Kind::ClientCredentials => None,
            Kind::LegacyPassword { username, .. } => Some(username),
        }
    }

    pub(super) fn owner(&self) -> LoginOwner {
        match self.kind {
            Kind::ClientCredentials => LoginOwner::Program,
            Kind::LegacyPassword { .. } => LoginOwner::Person,
        }
    }

    pub(super) fn exchange(&self, profile: &Profile) -> TokenRequest {
        match &self.kind {
            Kind::ClientCredentials => profile.client_credentials(&self.scopes),
            Kind::LegacyPassword { username, password } => profile.legacy_password(username, password, &self.scopes),
        }
    }

    /// The login as text. The client's secret is not in it: that is part of the profile, which is never kept.
    pub(super) fn write(&self) -> Option<Secret> {
        let scopes = serde_json::to_string(&self.scopes).ok()?;
        Some(match &self.kind {
            Kind::ClientCredentials => write_login(CLIENT_CREDENTIALS, &[("scopes", &scopes)]),
            Kind::LegacyPassword { username, password } => write_login(
                LEGACY_PASSWORD,
                &[("username", username), ("password", password.expose()), ("scopes", &scopes)],
            ),
        })
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (login, scopes) = match read_login(CLIENT_CREDENTIALS, text, ["scopes"]) {
            Some([scopes]) => (Self::client_credentials(), scopes),
            None => {
                let fields = read_login(LEGACY_PASSWORD, text, ["username", "password", "scopes"])?;
                let [username, password, scopes] = fields;
                (Self::legacy_password(username.expose(), password).ok()?, scopes)
            }
        };
        Some(login.scopes(serde_json::from_str::<Vec<String>>(scopes.expose()).ok()?))
    }
}

/// The kind, and the masked user name.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::not_quite;

    fn logins() -> [Login; 3] {
        let password = Login::legacy_password("ada@a.example", "hunter2").unwrap();
        let client = Login::client_credentials();
        [password.scopes(["read", "a b\"%,"]), client.clone(), client.scopes(["read", ""])]
    }

    /// Everything that a login has.
    fn parts(login: &Login) -> (Option<&str>, Option<&str>, &[String]) {
        let password = match &login.kind {
            Kind::ClientCredentials => None,
            Kind::LegacyPassword { password, .. } => Some(password.expose()),
        };
        (login.username(), password, &login.scopes)
    }

    #[test]
    fn a_kept_login_of_either_kind_reads_back_the_same() {
        let odd = [" \"pass\\word%41\u{e9} ", "  "].map(|password| Login::legacy_password("ada", password).unwrap());
        for login in logins().into_iter().chain(odd) {
            let text = login.write().unwrap();
            let read = Login::read(text.expose()).unwrap();
            assert_eq!(parts(&read), parts(&login));
            assert_eq!(format!("{read:?} {text:?}"), format!("{login:?} Secret(***)"));
        }
    }

    #[test]
    fn a_damaged_kept_login_is_none() {
        for login in logins() {
            let text = login.write().unwrap();
            let text = text.expose();
            assert!(Login::read(text).is_some());
            for odd in not_quite(text) {
                assert!(Login::read(&odd).is_none(), "{odd:.200}");
            }
            let kind = if login.username().is_some() { LEGACY_PASSWORD } else { CLIENT_CREDENTIALS };
            let other = if login.username().is_some() { CLIENT_CREDENTIALS } else { LEGACY_PASSWORD };
            assert!(Login::read(&text.replace(kind, other)).is_none(), "the other kind's name");
        }
        let text = logins()[0].write().unwrap();
        for (there, other) in [("ada@a.example", " "), ("hunter2", ""), ("[%22read%22", "[1"), ("[%22read%22", "{")] {
            assert!(Login::read(&text.expose().replace(there, other)).is_none(), "{other:?}");
        }
    }
}
