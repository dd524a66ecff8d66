//! The account that credentials belong to.

use std::fmt;

use super::secret::masked;

/// What a service says about the account. Services say different things, and an imported session may know less than a
/// new one: an empty text or `None` means unknown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The service's id for the account: an e-mail address, a user id, a client id.
    pub user_id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The kind of account: Navien's `userType`.
    pub user_type: String,
    /// The account's status: Navien's `userStatus`.
    pub status: String,
    /// The account's number: Navien's `userSeq`.
    pub sequence: Option<i64>,
    /// The terms that the account agreed to, as the service sends them: Navien's `legal`.
    pub legal: Vec<serde_json::Value>,
    /// The code in the envelope of Navien's sign-in answer.
    pub code: Option<i64>,
    /// The message in the envelope of Navien's sign-in answer.
    pub message: String,
}

impl Account {
    /// Drops what is too long to keep: texts of more than 1024 bytes, and `legal` where it has more than `most` bytes.
    /// The user id is kept at any length.
    pub(crate) fn within(mut self, most: usize) -> Self {
        const LONGEST_TEXT: usize = 1024;
        let texts =
            [&mut self.first_name, &mut self.last_name, &mut self.user_type, &mut self.status, &mut self.message];
        for text in texts.into_iter().filter(|text| text.len() > LONGEST_TEXT) {
            text.clear();
        }
        if serde_json::to_vec(&self.legal).is_ok_and(|legal| legal.len() > most) {
            self.legal.clear();
        }
        self
    }

    /// First and last name with a space between them, as far as they are known.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

/// For logs: the masked user id and the number, no names.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("user_id", &masked(&self.user_id))
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// Whether two user ids name one account: people write their e-mail address in more than one way.
pub fn same_user(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_trimmed() {
        let name = |first: &str, last: &str| {
            Account { first_name: first.into(), last_name: last.into(), ..Account::default() }.full_name()
        };
        assert_eq!(name(" Ada ", " Lovelace"), "Ada Lovelace");
        assert_eq!(name("Ada", ""), "Ada");
        assert_eq!(name("", "Lovelace "), "Lovelace");
        assert_eq!(name("", ""), "");
    }
}
