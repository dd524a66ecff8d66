//! A session to keep outside of a store.

use std::fmt;

use super::form::Form;
use super::meta::RecordMeta;
use crate::credentials::{Credentials, LeaseId, Now, Secret, Validity, same_account};
use crate::error::ImportError;
use crate::wire::Text;

/// A session that can be saved and restored: credentials, with the provider, namespace and account that they belong to.
/// [`Session::export`](crate::Session::export) makes one, [`Session::import`](crate::Session::import) restores it.
///
/// The only way to secrets in writing is [`SavedSession::to_json`]: nothing here implements `Serialize`.
#[derive(Clone, Debug)]
pub struct SavedSession {
    provider: String,
    namespace: String,
    credentials: Credentials,
}

impl SavedSession {
    /// Credentials of one provider, with its [name](crate::Provider::name) and [namespace](crate::Provider::namespace).
    pub fn new(provider: impl Into<String>, namespace: impl Into<String>, credentials: Credentials) -> Self {
        Self { provider: provider.into(), namespace: namespace.into(), credentials }
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The provider's [namespace](crate::Provider::namespace): for example the service's address and the client id.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The credentials, out of their binding.
    pub fn into_credentials(self) -> Credentials {
        self.credentials
    }

    /// The session as JSON, secrets in the clear: keep it where only its owner reads. Deadlines are absolute, in
    /// integer Unix milliseconds.
    pub fn to_json(&self) -> Secret {
        let Self { provider, namespace, credentials } = self;
        let body = Form::signed_in(provider, namespace, credentials, &RecordMeta::default()).write();
        Secret::from(std::str::from_utf8(body.as_ref()).unwrap_or_default())
    }

    /// Reads what [`SavedSession::to_json`] wrote.
    pub fn parse(json: &[u8], now: Now) -> Result<Self, ImportError> {
        let form = Form::parse(json)?;
        let empty = ImportError::Malformed { what: "a field is empty" };
        let needed = |text: &Text<'_>| text.get().map(str::to_owned).ok_or(empty);
        let (provider, namespace) = (needed(&form.provider)?, needed(&form.namespace)?);
        Ok(Self::new(provider, namespace, form.credentials(now)?))
    }

    /// Checks whether a session of this provider and namespace may import it. Fails with
    /// [`OtherProvider`](ImportError::OtherProvider) if one of the two differs, and with
    /// [`OtherAccount`](ImportError::OtherAccount) if it is of another account than `account_id`. An unknown account on
    /// either side passes.
    pub fn check(&self, provider: &str, namespace: &str, account_id: Option<&str>) -> Result<(), ImportError> {
        if self.provider != provider || self.namespace != namespace {
            return Err(ImportError::OtherProvider);
        }
        let saved = &self.credentials.account().id;
        match account_id {
            Some(account_id) if !saved.is_empty() && !same_account(saved, account_id) => Err(ImportError::OtherAccount),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SavedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a session at {} ", self.provider)?;
        match self.credentials.validity(LeaseId::Access).and_then(Validity::deadline) {
            Some(deadline) => write!(f, "until {}", deadline.wall),
            None => f.write_str("of unknown length"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::credentials::{AccessToken, Account, AwsCredentials, Timestamp};
    use crate::grant::Grant;

    fn now(seconds: i64) -> Now {
        Now::new(Timestamp::from_unix_seconds(1_700_000_000 + seconds), Duration::from_secs(9))
    }

    fn sample() -> SavedSession {
        let grant = Grant {
            access: Some(
                AccessToken::new("Bearer", "acc\"ess", Validity::with_lifetime(now(0), Duration::from_secs(3600)))
                    .unwrap(),
            ),
            refresh_token: Some(Secret::from("refresh")),
            aws: Some(AwsCredentials::new("AKIA", "key", "session", Validity::unknown(now(-5))).unwrap()),
            account: Some(Account::new("a@example.com").with_name("Ann").with_extra(&json!({ "seq": 7 }))),
            ..Grant::default()
        };
        SavedSession::new("navien", "https://a.example", Credentials::from_grant(grant, None).unwrap())
    }

    #[test]
    fn a_saved_session_reads_back_the_same() {
        let saved = sample();
        let read = SavedSession::parse(saved.to_json().expose().as_bytes(), now(600)).unwrap();
        let (old, new) = (saved.credentials(), read.credentials());
        assert_eq!(new.access().expose(), "acc\"ess");
        assert_eq!(new.refresh_token().unwrap().expose(), "refresh");
        assert_eq!(new.aws().unwrap().secret_access_key().expose(), "key");
        assert_eq!(new.aws_expires_at(), None);
        assert_eq!(
            (new.expires_at(), new.issued_at(), new.account()),
            (old.expires_at(), old.issued_at(), old.account())
        );
        assert_eq!((new.account().name.as_str(), new.account().extra("seq")), ("Ann", Some(7.into())));
        assert_eq!(new.time_until_expiry(now(600)), Some(time::Duration::seconds(3000)));
        assert_eq!(read.to_json().expose(), saved.to_json().expose());
    }

    #[test]
    fn an_issue_in_the_future_makes_renewal_due_at_once() {
        let read = SavedSession::parse(sample().to_json().expose().as_bytes(), now(-4000)).unwrap();
        assert!(read.credentials().renewal_due(now(-4000)));
        assert!(!read.credentials().is_expired(now(-4000)));
    }

    #[test]
    fn what_else_was_answered_is_written_without_an_escape_and_read_either_way() {
        let mut grant = Grant { extra: Some(Secret::from(r#"{"a":"100%\n","b":{}}"#)), ..Grant::default() };
        grant.access = Some(AccessToken::new("Bearer", "x", Validity::unknown(now(0))).unwrap());
        let saved = SavedSession::new("navien", "https://a.example", Credentials::from_grant(grant, None).unwrap());
        let json = saved.to_json();
        assert!(json.expose().contains(r#""extra":"{%22a%22:%22100%25%5Cn%22,%22b%22:{}}""#), "{}", json.expose());
        let before = json.expose().replace("{%22a%22:%22100%25%5Cn%22,%22b%22:{}}", r#"{\"a\":\"100%\\n\",\"b\":{}}"#);
        for json in [json.expose(), &before] {
            let read = SavedSession::parse(json.as_bytes(), now(0)).unwrap();
            assert_eq!(read.credentials().extra("a"), Some("100%\n".into()));
            assert_eq!(read.credentials().extra("b"), Some(serde_json::json!({})));
            assert_eq!(read.credentials().extra("c"), None);
        }
    }

    #[test]
    fn foreign_and_damaged_forms_are_refused() {
        let saved = sample();
        assert_eq!(saved.check("navien", "https://a.example", Some(" A@Example.com")), Ok(()));
        assert_eq!(saved.check("navien", "https://b.example", None), Err(ImportError::OtherProvider));
        assert_eq!(saved.check("navien", "https://a.example", Some("b@x")), Err(ImportError::OtherAccount));
        assert_eq!(SavedSession::parse(br#"{"perennial":2}"#, now(0)).unwrap_err(), ImportError::Newer { version: 2 });
        for bad in ["", "{}", "[]", r#"{"perennial":1}"#, r#"{"perennial":"x"}"#, "\u{0}", r#"{"perennial":0}"#] {
            assert!(matches!(SavedSession::parse(bad.as_bytes(), now(0)), Err(ImportError::Malformed { .. })), "{bad}");
        }
        let broken = saved.to_json().expose().replace("acc\\\"ess", "a\\r\\nb");
        assert!(matches!(SavedSession::parse(broken.as_bytes(), now(0)), Err(ImportError::Malformed { .. })));
    }

    #[test]
    fn nothing_secret_shows() {
        let text = format!("{0:?} {0}", sample());
        assert!(!["acc\"ess", "refresh\"", "AKIA", "a@example"].iter().any(|secret| text.contains(secret)), "{text}");
    }
}
