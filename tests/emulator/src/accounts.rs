//! Accounts with passwords, which every service has that people sign in to.

use std::collections::HashMap;

/// The accounts of one service, by their e-mail addresses.
pub(crate) struct Accounts(HashMap<String, Account>);

struct Account {
    password: String,
    locked: bool,
    /// In the order in which they were added, from 1.
    number: usize,
}

/// Why a login is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginError {
    /// There is no such account.
    Unknown,
    /// There is, and nobody is let in, whatever the password.
    Locked,
    /// The password is another one.
    WrongPassword,
}

impl Accounts {
    /// These e-mail addresses and passwords.
    pub(crate) fn new(accounts: Vec<(String, String)>) -> Self {
        let mut all = Self(HashMap::new());
        for (email, password) in accounts {
            all.add(&email, &password);
        }
        all
    }

    /// Whether this login is good.
    pub(crate) fn check(&self, email: &str, password: &str) -> Result<(), LoginError> {
        match self.0.get(email) {
            None => Err(LoginError::Unknown),
            Some(account) if account.locked => Err(LoginError::Locked),
            Some(account) if account.password == password => Ok(()),
            Some(_) => Err(LoginError::WrongPassword),
        }
    }

    /// The account's number; none if there is no such account.
    pub(crate) fn number(&self, email: &str) -> Option<usize> {
        self.0.get(email).map(|account| account.number)
    }

    /// The account that was added first.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.iter().min_by_key(|(_, account)| account.number).map(|(email, _)| email.as_str())
    }

    /// Adds an account, or gives an existing one another password and unlocks it.
    pub(crate) fn add(&mut self, email: &str, password: &str) {
        let number = self.number(email).unwrap_or(self.0.len() + 1);
        self.0.insert(email.to_owned(), Account { password: password.to_owned(), locked: false, number });
    }

    pub(crate) fn lock(&mut self, email: &str, locked: bool) {
        if let Some(account) = self.0.get_mut(email) {
            account.locked = locked;
        }
    }

    pub(crate) fn change_password(&mut self, email: &str, password: &str) {
        if let Some(account) = self.0.get_mut(email) {
            password.clone_into(&mut account.password);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_account_is_locked_whatever_the_password_until_it_is_unlocked_or_added_again() {
        let mut accounts = Accounts::new(vec![("ann".to_owned(), "first".to_owned())]);
        accounts.add("ben", "his");
        assert_eq!(
            (accounts.check("ann", "first"), accounts.check("ann", "his")),
            (Ok(()), Err(LoginError::WrongPassword))
        );
        accounts.lock("ann", true);
        assert_eq!(accounts.check("ann", "first"), Err(LoginError::Locked));
        accounts.add("ann", "second");
        assert_eq!(
            (accounts.check("ann", "second"), accounts.number("ann"), accounts.first()),
            (Ok(()), Some(1), Some("ann"))
        );
        accounts.change_password("ann", "third");
        assert_eq!(
            (accounts.check("ann", "third"), accounts.check("eve", "third")),
            (Ok(()), Err(LoginError::Unknown))
        );
    }
}
