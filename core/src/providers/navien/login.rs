//! The login: e-mail address and password.

use std::fmt;

use crate::credentials::{Secret, masked};
use crate::wire::{read_login, write_login};

/// The environment variable with the e-mail address.
pub(super) const EMAIL_VARIABLE: &str = "NAVIEN_EMAIL";

/// The environment variable with the password.
pub(super) const PASSWORD_VARIABLE: &str = "NAVIEN_PASSWORD";

/// The kind of a login that is kept in a store.
const KIND: &str = "navien-password";

/// A login at Navien: e-mail address and password.
#[derive(Clone)]
pub struct Login {
    email: Box<str>,
    password: Secret,
}

/// Why a login is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLogin {
    /// The e-mail address is empty or, in the environment, not set. Ask for it.
    #[error("the login has no e-mail address")]
    NoEmail,
    /// The password is empty or, in the environment, not set. Ask for it.
    #[error("the login has no password")]
    NoPassword,
}

impl Login {
    /// A login with this e-mail address and password. Blanks at the ends of the e-mail address are removed, which get
    /// there by copying; the password is taken as it is.
    pub fn new(email: &str, password: impl Into<Secret>) -> Result<Self, InvalidLogin> {
        let (email, password) = (email.trim(), password.into());
        if email.is_empty() {
            return Err(InvalidLogin::NoEmail);
        }
        if password.expose().is_empty() {
            return Err(InvalidLogin::NoPassword);
        }
        Ok(Self { email: email.into(), password })
    }

    /// The e-mail address, which is also the service's user id.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// The password.
    pub fn password(&self) -> &Secret {
        &self.password
    }

    pub(super) fn write(&self) -> Option<Secret> {
        Some(write_login(KIND, &[("email", self.email()), ("password", self.password.expose())]))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let [email, password] = read_login(KIND, text, ["email", "password"])?;
        Self::new(email.expose(), password).ok()
    }
}

/// The masked e-mail address alone.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("email", &masked(&self.email)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::not_quite;

    #[test]
    fn the_email_is_trimmed_and_the_password_is_not() {
        let login = Login::new(" grower@example.com\n", " pass word ").unwrap();
        assert_eq!(login.email(), "grower@example.com");
        assert_eq!(login.password().expose(), " pass word ");
    }

    #[test]
    fn a_login_needs_both_halves() {
        assert_eq!(Login::new(" ", "x").unwrap_err(), InvalidLogin::NoEmail);
        assert_eq!(Login::new("a@b.example", "").unwrap_err(), InvalidLogin::NoPassword);
    }

    #[test]
    fn a_login_hides_in_debug() {
        let login = Login::new("grower@example.com", "hunter2").unwrap();
        assert_eq!(format!("{login:?}"), "Login { email: g***@example.com, .. }");
    }

    #[test]
    fn a_kept_login_reads_back_the_same() {
        for password in ["hunter2", " \"pass\\word%41\u{e9} ", "  "] {
            let login = Login::new("grower@example.com", password).unwrap();
            let text = login.write().unwrap();
            let read = Login::read(text.expose()).unwrap();
            assert_eq!((read.email(), read.password().expose()), ("grower@example.com", password));
            assert_eq!(format!("{read:?} {text:?}"), format!("{login:?} Secret(***)"));
        }
    }

    #[test]
    fn a_damaged_kept_login_is_none() {
        let text = Login::new("grower@example.com", "hunter2").unwrap().write().unwrap();
        let text = text.expose();
        assert!(Login::read(text).is_some());
        for odd in not_quite(text) {
            assert!(Login::read(&odd).is_none(), "{odd:.200}");
        }
        for (there, other) in [("grower@example.com", " "), ("hunter2", ""), ("navien-password", "auth0-password")] {
            assert!(Login::read(&text.replace(there, other)).is_none(), "{other:?}");
        }
    }
}
