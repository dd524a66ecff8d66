//! The login: a person's e-mail address and password, or a program's client credentials.

use std::fmt;

use crate::credentials::{Secret, masked};
use crate::wire::{read_login, write_login};

/// The kinds of logins that are kept in a store.
const PASSWORD: &str = "mosaia-password";
const CLIENT: &str = "mosaia-client";

/// A login at Mosaia, which signs in without a person present: e-mail and password, or client id and secret.
#[derive(Clone)]
pub struct Login(Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Password { email: Box<str>, password: Secret },
    Client { client_id: Box<str>, client_secret: Secret },
}

/// Why a login is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogin {
    /// The e-mail address is empty. Ask for it.
    #[error("the login has no e-mail address")]
    NoEmail,
    /// The password is empty. Ask for it.
    #[error("the login has no password")]
    NoPassword,
    /// The client's id is empty. The service's console shows it.
    #[error("the login has no client id")]
    NoClientId,
    /// The client's secret is empty. The service's console shows it once.
    #[error("the login has no client secret")]
    NoClientSecret,
}

impl Login {
    /// A login by a person's e-mail address and password. The service also wants the id of the program: see
    /// [`Builder::client_id`](super::Builder::client_id).
    ///
    /// Blanks at the ends of the e-mail address are removed, which get there by copying; the password is taken as it
    /// is.
    pub fn password(email: &str, password: impl Into<Secret>) -> Result<Self, InvalidLogin> {
        let (email, password) = (email.trim(), password.into());
        if email.is_empty() {
            return Err(InvalidLogin::NoEmail);
        }
        if password.expose().is_empty() {
            return Err(InvalidLogin::NoPassword);
        }
        Ok(Self(Kind::Password { email: email.into(), password }))
    }

    /// A login by a program's own id and secret: client credentials.
    pub fn client(client_id: &str, client_secret: impl Into<Secret>) -> Result<Self, InvalidLogin> {
        let (client_id, client_secret) = (client_id.trim(), client_secret.into());
        if client_id.is_empty() {
            return Err(InvalidLogin::NoClientId);
        }
        if client_secret.expose().is_empty() {
            return Err(InvalidLogin::NoClientSecret);
        }
        Ok(Self(Kind::Client { client_id: client_id.into(), client_secret }))
    }

    /// The e-mail address or the client id, which is the user id of the session's account.
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Password { email, .. } => email,
            Kind::Client { client_id, .. } => client_id,
        }
    }

    /// The password or the client secret.
    pub fn secret(&self) -> &Secret {
        match &self.0 {
            Kind::Password { password, .. } => password,
            Kind::Client { client_secret, .. } => client_secret,
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0
    }

    pub(super) fn write(&self) -> Option<Secret> {
        let (name, secret) = (self.name(), self.secret().expose());
        Some(match &self.0 {
            Kind::Password { .. } => write_login(PASSWORD, &[("email", name), ("password", secret)]),
            Kind::Client { .. } => write_login(CLIENT, &[("client_id", name), ("client_secret", secret)]),
        })
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some([email, password]) = read_login(PASSWORD, text, ["email", "password"]) {
            return Self::password(email.expose(), password).ok();
        }
        let [client_id, client_secret] = read_login(CLIENT, text, ["client_id", "client_secret"])?;
        Self::client(client_id.expose(), client_secret).ok()
    }
}

/// The masked e-mail address or client id alone.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut login = f.debug_struct("Login");
        match &self.0 {
            Kind::Password { email, .. } => login.field("email", &masked(email)),
            Kind::Client { client_id, .. } => login.field("client_id", &masked(client_id)),
        };
        login.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::not_quite;

    #[test]
    fn names_are_trimmed_and_secrets_are_not() {
        let login = Login::password(" grower@example.com\n", " pass word ").unwrap();
        assert_eq!((login.name(), login.secret().expose()), ("grower@example.com", " pass word "));
        let login = Login::client(" abc ", " s ").unwrap();
        assert_eq!((login.name(), login.secret().expose()), ("abc", " s "));
    }

    #[test]
    fn a_login_needs_both_halves() {
        assert_eq!(Login::password(" ", "x").unwrap_err(), InvalidLogin::NoEmail);
        assert_eq!(Login::password("a@b.example", "").unwrap_err(), InvalidLogin::NoPassword);
        assert_eq!(Login::client("", "x").unwrap_err(), InvalidLogin::NoClientId);
        assert_eq!(Login::client("abc", "").unwrap_err(), InvalidLogin::NoClientSecret);
    }

    #[test]
    fn a_login_hides_in_debug() {
        let login = Login::password("grower@example.com", "hunter2").unwrap();
        assert_eq!(format!("{login:?}"), "Login { email: g***@example.com, .. }");
        assert_eq!(format!("{:?}", Login::client("abcdef", "hunter2").unwrap()), "Login { client_id: a***, .. }");
    }

    #[test]
    fn a_kept_login_of_either_kind_reads_back_the_same() {
        for secret in ["hunter2", " \"pass\\word%41\u{e9} ", "  "] {
            let password = Login::password("grower@example.com", secret).unwrap();
            for login in [password, Login::client("abcdef", secret).unwrap()] {
                let text = login.write().unwrap();
                let read = Login::read(text.expose()).unwrap();
                assert_eq!((read.name(), read.secret().expose()), (login.name(), secret));
                // `Debug` shows the kind and nothing secret.
                assert_eq!(format!("{read:?} {text:?}"), format!("{login:?} Secret(***)"));
            }
        }
    }

    #[test]
    fn a_damaged_kept_login_is_none() {
        let password = Login::password("grower@example.com", "hunter2").unwrap();
        for login in [password, Login::client("abcdef", "hunter2").unwrap()] {
            let text = login.write().unwrap();
            let text = text.expose();
            assert!(Login::read(text).is_some());
            for odd in not_quite(text) {
                assert!(Login::read(&odd).is_none(), "{odd:.200}");
            }
            for (there, other) in [(login.name(), " "), ("hunter2", "")] {
                assert!(Login::read(&text.replace(there, other)).is_none(), "{other:?}");
            }
            let other =
                text.replace(PASSWORD, "x").replace(CLIENT, PASSWORD).replace("\"x\"", &format!("\"{CLIENT}\""));
            assert_ne!(other, text);
            assert!(Login::read(&other).is_none(), "the other kind's name");
        }
    }
}
