//! What Navien tells of an account, in the account's further fields.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::credentials::{Account, masked};

/// The longest text that is kept, in bytes.
const LONGEST_TEXT: usize = 1024;

/// What Navien tells of an account, beside its id and full name. An empty text or `None` means unknown: an imported
/// session may know nothing of it.
///
/// ```
/// # use perennial_core::Credentials;
/// use perennial_core::providers::navien::UserInfo;
///
/// # fn show(credentials: &Credentials) {
/// let user = UserInfo::of(credentials.account());
/// println!("{} ({})", user.first_name, user.status);
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserInfo {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The kind of account: `userType`.
    pub user_type: String,
    /// The account's status: `userStatus`.
    pub status: String,
    /// The account's number: `userSeq`.
    pub sequence: Option<i64>,
    /// The terms that the account agreed to, as the service sends them. Empty where they were too large to keep.
    pub legal: Vec<Value>,
    /// The code in the envelope of the sign-in answer.
    pub code: Option<i64>,
    /// The message in the envelope of the sign-in answer.
    pub message: String,
}

impl UserInfo {
    /// Reads it from the account of Navien credentials.
    pub fn of(account: &Account) -> Self {
        let text = |name| match account.extra(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let number = |name| account.extra(name)?.as_i64();
        let legal = match account.extra("legal") {
            Some(Value::Array(legal)) => legal,
            _ => Vec::new(),
        };
        Self {
            first_name: text("userFirstName"),
            last_name: text("userLastName"),
            user_type: text("userType"),
            status: text("userStatus"),
            sequence: number("userSeq"),
            legal,
            code: number("code"),
            message: text("msg"),
        }
    }
}

/// For logs: the account's number and status, no names.
impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo")
            .field("first_name", &masked(&self.first_name))
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// The same on its way from an answer into an account, under the service's names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserFields<'a> {
    #[serde(skip_serializing_if = "is_not_kept")]
    pub(super) user_first_name: &'a str,
    #[serde(skip_serializing_if = "is_not_kept")]
    pub(super) user_last_name: &'a str,
    #[serde(skip_serializing_if = "is_not_kept")]
    pub(super) user_type: &'a str,
    #[serde(skip_serializing_if = "is_not_kept")]
    pub(super) user_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) legal: Option<&'a RawValue>,
    pub(super) code: i64,
    #[serde(skip_serializing_if = "is_not_kept")]
    pub(super) msg: &'a str,
}

impl UserFields<'_> {
    pub(super) fn into_account(self, user_id: &str) -> Account {
        let (first, last) = (self.user_first_name.trim(), self.user_last_name.trim());
        let between = if first.is_empty() || last.is_empty() { "" } else { " " };
        let account = Account::new(user_id).with_name([first, between, last].concat()).with_extra(&self);
        // Terms that are too large do not cost the rest.
        if account.extra.is_some() { account } else { account.with_extra(&Self { legal: None, ..self }) }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_not_kept(text: &&str) -> bool {
    text.is_empty() || text.len() > LONGEST_TEXT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::MAX_EXTRA;

    const FIELDS: UserFields<'_> = UserFields {
        user_first_name: " Ada ",
        user_last_name: "Lovelace",
        user_type: "O",
        user_status: "NORMAL",
        user_seq: Some(7),
        legal: None,
        code: 200,
        msg: "SUCCESS",
    };

    #[test]
    fn full_names_are_trimmed() {
        let name = |user_first_name, user_last_name| {
            UserFields { user_first_name, user_last_name, ..FIELDS }.into_account("a@example.com").name
        };
        assert_eq!(name(" Ada ", " Lovelace"), "Ada Lovelace");
        assert_eq!(name("Ada", ""), "Ada");
        assert_eq!(name("", "Lovelace "), "Lovelace");
        assert_eq!(name("", ""), "");
    }

    #[test]
    fn terms_and_texts_that_are_too_large_do_not_cost_the_rest() {
        let long = "x".repeat(LONGEST_TEXT + 1);
        let legal = RawValue::from_string(format!("[\"{}\"]", "l".repeat(MAX_EXTRA))).unwrap();
        let account = UserFields { user_type: &long, legal: Some(&legal), ..FIELDS }.into_account("a@example.com");
        let user = UserInfo::of(&account);
        assert_eq!((user.user_type.as_str(), user.legal.len()), ("", 0));
        assert_eq!((user.status.as_str(), user.sequence, user.message.as_str()), ("NORMAL", Some(7), "SUCCESS"));
    }

    #[test]
    fn an_account_of_which_nothing_is_known_has_an_empty_user_info() {
        assert_eq!(UserInfo::of(&Account::new("a@example.com")), UserInfo::default());
        let odd = Account::default().with_extra(&serde_json::json!({ "userType": 7, "userSeq": "x", "legal": {} }));
        assert_eq!(UserInfo::of(&odd), UserInfo::default());
    }
}
