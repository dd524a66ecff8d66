//! What signs in.

use std::fmt;

use crate::credentials::{Secret, masked};

/// An e-mail address and its password. Can be used again and again.
#[derive(Clone)]
pub struct Login {
    email: Box<str>,
    password: Secret,
}

/// What a login lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// The e-mail address is empty. Ask for it.
    #[error("the login has no e-mail address")]
    NoEmail,
    /// The password is empty. Ask for it.
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

    /// The e-mail address, by which the site knows the account.
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
    fn a_login_needs_both_halves_and_keeps_the_password_as_it_is() {
        assert_eq!(Login::new(" ", "x").unwrap_err(), InvalidLogin::NoEmail);
        assert_eq!(Login::new("a@b.example", "").unwrap_err(), InvalidLogin::NoPassword);
        let login = Login::new(" a@b.example\n", " x ").unwrap();
        assert_eq!((login.email(), login.password().expose()), ("a@b.example", " x "));
        assert_eq!(format!("{login:?}"), "Login { email: a***@b.example, .. }");
    }
}
