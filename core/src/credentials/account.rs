//! The account that credentials belong to.

use std::fmt;

use serde::Serialize;

use super::extra::{self, MAX_EXTRA};
use super::secret::masked;

/// The longest name that is kept, in bytes.
const LONGEST_NAME: usize = 1024;

/// Who the credentials belong to. Services tell different things of an account, and an imported session may know less
/// than a new one.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// The service's id for the account: an e-mail address, a user id, a client id. Empty where it is unknown.
    pub id: String,
    /// The full name, to show to people. Empty where it is unknown.
    pub name: String,
    /// As text, because that takes a fraction of the memory of a map.
    pub(crate) extra: Option<Box<str>>,
}

impl Account {
    /// An account of which the id is known.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// With a full name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With further fields, as the service names them: anything that is written as a JSON object of at most
    /// [`MAX_EXTRA`] bytes. All else leaves the account without any. Secrets have no place here.
    #[must_use]
    pub fn with_extra(mut self, fields: &impl Serialize) -> Self {
        self.extra = extra::write(fields);
        self
    }

    /// A further field of what the service tells of the account, by its name there. `None` where it is absent or was too
    /// large to keep.
    pub fn extra(&self, name: &str) -> Option<serde_json::Value> {
        extra::field(self.extra.as_ref()?, name)
    }

    /// Without what is too long to keep: a name of more than 1024 bytes, further fields of more than 16 KiB. The id is
    /// kept at any length.
    pub(crate) fn within_limits(mut self) -> Self {
        if self.name.len() > LONGEST_NAME {
            self.name.clear();
        }
        self.extra = self.extra.filter(|extra| extra.len() <= MAX_EXTRA);
        self
    }
}

/// For logs: the masked id, no name.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &masked(&self.id)).finish_non_exhaustive()
    }
}

/// Whether two ids name one account: people write their e-mail address in more than one way.
pub fn same_account(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_fields_are_kept_under_the_names_of_the_service() {
        let account = Account::new("ann").with_extra(&serde_json::json!({ "userSeq": 7, "terms": [1.5, "x"] }));
        assert_eq!(account.extra("userSeq"), Some(7.into()));
        assert_eq!(account.extra("terms"), Some(serde_json::json!([1.5, "x"])));
        assert_eq!(account.extra("name"), None);
        assert_eq!(account.with_extra(&"no object"), Account::new("ann"));
    }

    #[test]
    fn names_and_further_fields_are_dropped_above_their_limits() {
        let account = |name: usize, extra: usize| {
            let account = Account::new("i".repeat(5000)).with_name("n".repeat(name));
            account.with_extra(&serde_json::json!({ "x": "x".repeat(extra) })).within_limits()
        };
        let kept = account(LONGEST_NAME, MAX_EXTRA - 8);
        assert_eq!((kept.id.len(), kept.name.len(), kept.extra("x").is_some()), (5000, LONGEST_NAME, true));
        let dropped = account(LONGEST_NAME + 1, MAX_EXTRA - 7);
        assert_eq!((dropped.id.len(), dropped.name.len(), dropped.extra("x").is_some()), (5000, 0, false));
    }
}
