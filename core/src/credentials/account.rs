//! Whose credentials they are.

use std::fmt;

use super::secret::masked;

/// What a service tells about the account. Services tell different things, and a restored session may know
/// less than a fresh one: an empty text or `None` means unknown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What the service knows the account by: an e-mail address, a user id.
    pub user_id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// What kind of account: Navien's `userType`.
    pub user_type: String,
    /// Its standing: Navien's `userStatus`.
    pub status: String,
    /// Its number: Navien's `userSeq`.
    pub sequence: Option<i64>,
    /// What the account agreed to, as the service tells it: Navien's `legal`.
    pub legal: Vec<serde_json::Value>,
    /// The code in the envelope of the sign-in answer.
    pub code: Option<i64>,
    /// The message in the envelope of the sign-in answer.
    pub message: String,
}

impl Account {
    /// Without what is longer than anybody needs: texts that are no name and no word, and the legal texts where they have
    /// more than `most` bytes. The user id stays.
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

    /// First and last name with one space between them; as much of it as is known.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

/// The user id masked, names and legal texts left out: this goes into logs.
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
