//! What signs in.

use std::fmt;

use crate::credentials::{Secret, masked};

/// The environment variable with the e-mail address.
pub(super) const EMAIL_VARIABLE: &str = "NAVIEN_EMAIL";

/// The environment variable with the password.
pub(super) const PASSWORD_VARIABLE: &str = "NAVIEN_PASSWORD";

/// An e-mail address and its password. Can be used again and again.
#[derive(Clone)]
pub struct Login {
    email: Box<str>,
    password: Secret,
}

/// What a login lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// The e-mail address is empty or, in the environment, not set. Ask for it.
    #[error("the login has no e-mail address")]
    NoEmail,
    /// The password is empty or, in the environment, not set. Ask for it.
    #[error("the login has no password")]
    NoPassword,
}

impl Login {
    /// The e-mail address loses blanks at its ends, which get there by copying; the password is taken as it is.
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
}

/// The e-mail address, masked, and nothing else.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("email", &masked(&self.email)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
