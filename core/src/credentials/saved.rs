//! Saved sessions, and the records that a store holds.

use std::fmt;
use std::time::Duration;

use serde::de::value::BorrowedStrDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    AccessToken, Account, AwsCredentials, Credentials, Failures, Grant, LeaseId, Now, Secret, Timestamp, Validity,
    WriteStamp,
};
use crate::wire::{Body, BodyBuffer, LoginText, Object, Text};

/// The format version that this crate writes, and the newest that it reads.
const VERSION: u64 = 1;

/// A saved session: credentials that belong to one provider, namespace and account.
///
/// Only [`SavedSession::to_json`] writes its secrets: nothing here implements `Serialize`.
#[derive(Clone, Debug)]
pub struct SavedSession {
    provider: String,
    namespace: String,
    credentials: Credentials,
}

/// Why a saved session cannot be imported. Nothing is ever deleted because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is damaged, or no saved session. Move it away and sign in.
    #[error("it is damaged or not a saved session: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer version of Perennial wrote it. Use that version.
    #[error("it has format {version}, newer than this program reads")]
    Newer {
        /// Its format version.
        version: u64,
    },
    /// It belongs to another service, address or client. Use the provider that it belongs to.
    #[error("it belongs to another service")]
    OtherProvider,
    /// It belongs to another account than the login. Use that account's login, or save the session elsewhere.
    #[error("it belongs to another account")]
    OtherAccount,
}

impl SavedSession {
    /// A saved session of these credentials, for a provider by its [`name`](crate::Provider::name) and
    /// [`namespace`](crate::Provider::namespace).
    pub fn new(provider: impl Into<String>, namespace: impl Into<String>, credentials: Credentials) -> Self {
        Self { provider: provider.into(), namespace: namespace.into(), credentials }
    }

    /// The provider's name.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The provider's namespace: the service's address, the client's id.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The credentials.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The credentials, without what they belong to.
    pub fn into_credentials(self) -> Credentials {
        self.credentials
    }

    /// The session as JSON. The secrets in it are not encrypted: keep it where only its owner can read it. Deadlines
    /// are absolute, in whole Unix milliseconds.
    pub fn to_json(&self) -> Secret {
        let body = self.write(&RecordMeta::default());
        Secret::from(std::str::from_utf8(body.as_ref()).unwrap_or_default())
    }

    /// The record of the session, as a store keeps it.
    pub(crate) fn write(&self, meta: &RecordMeta) -> Body {
        let Self { provider, namespace, credentials } = self;
        let form = Form {
            perennial: VERSION,
            revision: meta.revision,
            refresh_sent_at: meta.refresh_sent_at.map(Timestamp::unix_millis),
            written: meta.written,
            provider: provider.as_str(),
            namespace,
            access: AccessForm {
                token_type: credentials.access().token_type(),
                token: credentials.access().expose(),
                validity: ValidityForm::from(credentials.access().validity()),
            },
            refresh_token: credentials.refresh_token().map(Secret::expose),
            id_token: credentials.id_token().map(Secret::expose),
            aws: credentials.aws().map(|aws| AwsForm {
                access_key_id: aws.access_key_id().expose(),
                secret_access_key: aws.secret_access_key().expose(),
                session_token: aws.session_token().expose(),
                validity: ValidityForm::from(aws.validity()),
            }),
            grant_type: credentials.grant_type(),
            extra: credentials.extra_json().map(|extra| ExtraText(LoginText::from(extra.expose()))),
            account: AccountForm::from(credentials.account()),
            login: meta.login.as_ref().map(|login| LoginText::from(login.expose())),
            failures: meta.failures.clone(),
            signed_in_at: meta.signed_in_at.map(Timestamp::unix_millis),
        };
        let mut buffer = BodyBuffer::new(usize::MAX);
        // Strings and numbers into memory: neither side can fail.
        let _ = serde_json::to_writer(&mut buffer, &form);
        buffer.finish()
    }

    /// Reads what [`SavedSession::to_json`] wrote. `now` bounds the deadlines where the clock was changed meanwhile.
    pub fn parse(json: &[u8], now: Now) -> Result<Self, ImportError> {
        check_version(json)?;
        Self::parse_form(json, now)
    }

    /// Reads a saved session whose version was checked.
    fn parse_form(json: &[u8], now: Now) -> Result<Self, ImportError> {
        let form: Form<'_, Text<'_>> = serde_json::from_slice(json).map_err(|_| SHAPE)?;
        let empty = ImportError::Malformed { what: "a field is empty" };
        let needed = |text: &Text<'_>| text.get().map(str::to_owned).ok_or(empty);
        let (provider, namespace) = (needed(&form.provider)?, needed(&form.namespace)?);
        Ok(Self::new(provider, namespace, form.read(now)?))
    }

    /// Checks that it belongs to this provider, namespace and, where both are known, account.
    pub(crate) fn check(&self, provider: &str, namespace: &str, user_id: Option<&str>) -> Result<(), ImportError> {
        if self.provider != provider || self.namespace != namespace {
            return Err(ImportError::OtherProvider);
        }
        let saved = &self.credentials.account().user_id;
        match user_id {
            Some(user_id) if !saved.is_empty() && !same_user(saved, user_id) => Err(ImportError::OtherAccount),
            _ => Ok(()),
        }
    }
}

/// Whether two user ids name one account. Case and blanks at the ends do not matter, since people type their e-mail
/// address differently.
pub(crate) fn same_user(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

#[derive(Deserialize)]
struct VersionForm {
    perennial: u64,
}

/// What a store's record holds beside the session.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordMeta {
    /// Goes up with each change, whichever process makes it. `None`: the record was not written by a store.
    pub(crate) revision: Option<u64>,
    /// When the refresh token was sent, while no answer is known: it may be spent.
    pub(crate) refresh_sent_at: Option<Timestamp>,
    /// When the record was written, and how old its leases were then.
    pub(crate) written: Option<WriteStamp>,
    /// The login, as [`Provider::write_login`](crate::Provider::write_login) wrote it.
    pub(crate) login: Option<Secret>,
    /// What went wrong at the service.
    pub(crate) failures: Failures,
    /// When a person last signed in, by the clock of that machine. An earlier sign-out no longer counts.
    pub(crate) signed_in_at: Option<Timestamp>,
}

/// The fields of a record beside the session, which is also all that is left of it after a sign-out.
#[derive(Serialize, Deserialize)]
struct RecordForm<'a, S> {
    perennial: u64,
    provider: S,
    namespace: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<WriteStamp>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginText<'a>>,
    #[serde(default, skip_serializing_if = "Failures::is_empty")]
    failures: Failures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_out_at: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    signed_out: bool,
    /// Nobody has signed in yet: the record holds failures alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    never_signed_in: bool,
}

/// The record of a store: what it holds for one session.
#[derive(Debug)]
pub(crate) enum Record {
    /// A session with credentials.
    Session {
        /// The session.
        saved: Box<SavedSession>,
        /// The rest of the record.
        beside: RecordMeta,
    },
    /// Nobody has signed in yet, but somebody tried and failed.
    NeverSignedIn {
        /// The provider's name.
        provider: String,
        /// The provider's namespace.
        namespace: String,
        /// The failures.
        beside: RecordMeta,
    },
    /// The session was signed out.
    SignedOut {
        /// The provider's name.
        provider: String,
        /// The provider's namespace.
        namespace: String,
        /// When somebody signed out, by the clock of that machine.
        at: Option<Timestamp>,
        /// What is kept after a sign-out: failures, and the login if it was to be kept.
        beside: RecordMeta,
    },
}

impl Record {
    /// Reads what [`SavedSession::write`] or [`signed_out`](Self::signed_out) wrote.
    pub(crate) fn parse(json: &[u8], now: Now) -> Result<Self, ImportError> {
        check_version(json)?;
        let form: RecordForm<'_, Text<'_>> = serde_json::from_slice(json).map_err(|_| SHAPE)?;
        let text = |text: &Text<'_>| text.get().map(str::to_owned).ok_or(SHAPE);
        let beside = RecordMeta {
            revision: form.revision,
            refresh_sent_at: form.refresh_sent_at.map(Timestamp::from_unix_millis),
            written: form.written,
            login: form.login.as_ref().map(|login| Secret::from(login.as_str())),
            failures: form.failures,
            signed_in_at: form.signed_in_at.map(Timestamp::from_unix_millis),
        };
        if form.signed_out {
            let (provider, namespace) = (text(&form.provider)?, text(&form.namespace)?);
            let at = form.signed_out_at.map(Timestamp::from_unix_millis);
            return Ok(Self::SignedOut { provider, namespace, at, beside });
        }
        if form.never_signed_in {
            let (provider, namespace) = (text(&form.provider)?, text(&form.namespace)?);
            return Ok(Self::NeverSignedIn { provider, namespace, beside });
        }
        let mut saved = SavedSession::parse_form(json, now)?;
        if let Some(written) = &beside.written {
            saved.credentials = written.rebased_on_writer(saved.credentials, now);
        }
        Ok(Self::Session { saved: Box::new(saved), beside })
    }

    /// The record of a session that was signed out. It holds no secret but the login, if that is kept.
    pub(crate) fn signed_out(provider: &str, namespace: &str, at: Option<Timestamp>, meta: &RecordMeta) -> Body {
        let signed_out_at = at.map(Timestamp::unix_millis);
        RecordForm { signed_out: true, signed_out_at, ..RecordForm::bare(provider, namespace, meta) }.write()
    }

    /// The record where nobody has signed in yet, with the failures so far.
    pub(crate) fn never_signed_in(provider: &str, namespace: &str, meta: &RecordMeta) -> Body {
        RecordForm { never_signed_in: true, ..RecordForm::bare(provider, namespace, meta) }.write()
    }
}

impl<'a> RecordForm<'a, &'a str> {
    /// A record without a session.
    fn bare(provider: &'a str, namespace: &'a str, meta: &'a RecordMeta) -> Self {
        Self {
            perennial: VERSION,
            provider,
            namespace,
            revision: meta.revision,
            refresh_sent_at: None,
            written: None,
            login: meta.login.as_ref().map(|login| LoginText::from(login.expose())),
            failures: meta.failures.clone(),
            signed_in_at: None,
            signed_out_at: None,
            signed_out: false,
            never_signed_in: false,
        }
    }

    fn write(&self) -> Body {
        let mut buffer = BodyBuffer::new(usize::MAX);
        // Strings and numbers into memory: neither side can fail.
        let _ = serde_json::to_writer(&mut buffer, self);
        buffer.finish()
    }
}

const SHAPE: ImportError = ImportError::Malformed { what: "a field is missing or of another type" };

/// Checks that the format version is one that this crate reads.
fn check_version(json: &[u8]) -> Result<(), ImportError> {
    let malformed = |what| ImportError::Malformed { what };
    let text = std::str::from_utf8(json).map_err(|_| malformed("not UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(Object(Some(VersionForm { perennial: VERSION }))) => Ok(()),
        Ok(Object(Some(VersionForm { perennial: version }))) if version > VERSION => {
            Err(ImportError::Newer { version })
        }
        _ => Err(malformed("no format version")),
    }
}

/// Written with `&str`, read with [`Text`]: neither leaves copies of secrets behind.
#[derive(Serialize, Deserialize)]
struct Form<'a, S> {
    perennial: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<WriteStamp>,
    provider: S,
    namespace: S,
    access: AccessForm<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    refresh_token: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    id_token: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    aws: Option<AwsForm<S>>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    grant_type: Option<S>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    extra: Option<ExtraText<'a>>,
    #[serde(default)]
    account: AccountForm,
    /// Only written here: [`RecordForm`] reads it from the same text.
    #[serde(skip_deserializing, default, skip_serializing_if = "Option::is_none")]
    login: Option<LoginText<'a>>,
    /// As `login`.
    #[serde(skip_deserializing, default, skip_serializing_if = "Failures::is_empty")]
    failures: Failures,
    #[serde(skip_deserializing, default, skip_serializing_if = "Option::is_none")]
    signed_in_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct AccessForm<S> {
    token_type: S,
    token: S,
    validity: ValidityForm,
}

#[derive(Serialize, Deserialize)]
struct AwsForm<S> {
    access_key_id: S,
    secret_access_key: S,
    session_token: S,
    validity: ValidityForm,
}

/// A JSON object as a text, whose content is not read here. It is written without escapes, as logins are, so that
/// reading leaves no copy behind. Text with escapes, from older versions, is read too.
#[derive(Serialize)]
#[serde(transparent)]
struct ExtraText<'a>(LoginText<'a>);

impl ExtraText<'_> {
    fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ExtraText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let decoded = |text: &'de str| LoginText::deserialize(BorrowedStrDeserializer::<D::Error>::new(text));
        Ok(Self(match Text::deserialize(deserializer)? {
            Text::Borrowed(text) => decoded(text).unwrap_or(LoginText::Borrowed(text)),
            Text::Owned(text) => LoginText::Owned(text),
            Text::Absent => LoginText::Borrowed(""),
        }))
    }
}

fn none<T>() -> Option<T> {
    None
}

impl Form<'_, Text<'_>> {
    fn read(self, now: Now) -> Result<Credentials, ImportError> {
        let invalid = |_| ImportError::Malformed { what: "a token that a header cannot carry" };
        fn text<'a>(text: &'a Text<'_>) -> &'a str {
            text.get().unwrap_or_default()
        }
        let secret = |token: Option<Text<'_>>| token.as_ref().and_then(Text::get).map(Secret::from);
        let AccessForm { token_type, token, validity } = &self.access;
        let aws = self.aws.as_ref().map(|aws| {
            let (id, key, session) = (&aws.access_key_id, &aws.secret_access_key, &aws.session_token);
            AwsCredentials::new(text(id), text(key), text(session), aws.validity.read(now))
        });
        let grant = Grant {
            access: Some(AccessToken::new(text(token_type), text(token), validity.read(now)).map_err(invalid)?),
            aws: aws.transpose().map_err(invalid)?,
            refresh_token: secret(self.refresh_token),
            id_token: secret(self.id_token),
            account: Some(self.account.into()),
            grant_type: None,
            flaw: None,
            extra: self
                .extra
                .as_ref()
                .map(ExtraText::as_str)
                .filter(|extra| !extra.trim().is_empty())
                .map(Secret::from),
        };
        let credentials = Credentials::from_grant(grant, None);
        let mut credentials = credentials.ok_or(ImportError::Malformed { what: "no access token" })?;
        credentials.set_grant_type(self.grant_type.as_ref().and_then(Text::get).map(str::to_owned));
        Ok(credentials)
    }
}

#[derive(Serialize, Deserialize)]
struct ValidityForm {
    issued_at: i64,
    /// Absent where the service did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    uncertain: bool,
}

impl From<&Validity> for ValidityForm {
    fn from(validity: &Validity) -> Self {
        let issued_at = validity.issued_at();
        Self {
            issued_at: issued_at.unix_millis(),
            expires_at: validity.lifetime().map(|lifetime| issued_at.saturating_add(lifetime).unix_millis()),
            uncertain: validity.is_uncertain(),
        }
    }
}

impl ValidityForm {
    fn read(&self, now: Now) -> Validity {
        let millis = |end: i64| u64::try_from(end.saturating_sub(self.issued_at)).unwrap_or(0);
        let lifetime = self.expires_at.map(|end| Duration::from_millis(millis(end)));
        let validity = Validity::restored(Timestamp::from_unix_millis(self.issued_at), lifetime, now);
        if self.uncertain { validity.uncertain() } else { validity }
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct AccountForm {
    user_id: String,
    first_name: String,
    last_name: String,
    user_type: String,
    status: String,
    sequence: Option<i64>,
    legal: Vec<serde_json::Value>,
    code: Option<i64>,
    message: String,
}

impl From<&Account> for AccountForm {
    fn from(account: &Account) -> Self {
        let Account { user_id, first_name, last_name, user_type, status, sequence, legal, code, message } =
            account.clone();
        Self { user_id, first_name, last_name, user_type, status, sequence, legal, code, message }
    }
}

impl From<AccountForm> for Account {
    fn from(form: AccountForm) -> Self {
        let AccountForm { user_id, first_name, last_name, user_type, status, sequence, legal, code, message } = form;
        Self { user_id, first_name, last_name, user_type, status, sequence, legal, code, message }
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
    use super::*;

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
            account: Some(Account { user_id: "a@example.com".into(), sequence: Some(7), ..Account::default() }),
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
        assert_eq!(new.time_until_expiry(now(600)), Some(time::Duration::seconds(3000)));
        assert_eq!(read.to_json().expose(), saved.to_json().expose());
    }

    #[test]
    fn credentials_issued_in_the_future_are_due_for_renewal_at_once() {
        let read = SavedSession::parse(sample().to_json().expose().as_bytes(), now(-4000)).unwrap();
        assert!(read.credentials().renewal_due(now(-4000)));
        assert!(!read.credentials().is_expired(now(-4000)));
    }

    #[test]
    fn extra_fields_are_written_without_escapes_and_read_either_way() {
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
    fn foreign_and_damaged_sessions_are_refused() {
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
    fn debug_and_display_show_no_secret() {
        let text = format!("{0:?} {0}", sample());
        assert!(!["acc\"ess", "refresh\"", "AKIA", "a@example"].iter().any(|secret| text.contains(secret)), "{text}");
    }
}
