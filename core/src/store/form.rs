//! The JSON of a saved session and of a store's record.

use std::time::Duration;

use serde::de::value::BorrowedStrDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::failures::Failures;
use super::meta::RecordMeta;
use super::stamp::WriteStamp;
use crate::credentials::{AccessToken, Account, AwsCredentials, Credentials, Now, Secret, Timestamp, Validity};
use crate::error::ImportError;
use crate::grant::Grant;
use crate::wire::{Body, BodyBuffer, LoginText, Object, Text};

/// The version that this crate writes, and the newest that it reads.
const VERSION: u64 = 1;

#[derive(Deserialize)]
struct VersionForm {
    perennial: u64,
}

pub(super) const SHAPE: ImportError = ImportError::Malformed { what: "a field is missing or of another type" };

/// Whether it is of a version that this crate reads.
fn check_version(json: &[u8]) -> Result<(), ImportError> {
    let malformed = |what| ImportError::Malformed { what };
    let text = std::str::from_utf8(json).map_err(|_| malformed("not UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(Object(Some(VersionForm { perennial: VERSION }))) => Ok(()),
        Ok(Object(Some(VersionForm { perennial: version }))) if version > VERSION => {
            Err(ImportError::Newer { version })
        }
        _ if text.trim().is_empty() => Err(malformed("it is empty")),
        Err(error) if error.is_eof() => Err(malformed("it ends in the middle")),
        _ => Err(malformed("no format version")),
    }
}

/// A saved session, or a record of a store: the same form, with or without a session in it. Written with `&str`, read
/// with [`Text`]: neither leaves copies of secrets behind.
#[derive(Serialize, Deserialize)]
pub(super) struct Form<'a, S> {
    perennial: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_sent_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<WriteStamp>,
    pub(super) provider: S,
    pub(super) namespace: S,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    access: Option<AccessForm<S>>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountForm<'a, S>>,
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
    /// Nobody has signed in yet: it tells of failures alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    never_signed_in: bool,
}

impl<'a> Form<'a, &'a str> {
    pub(super) fn signed_in(
        provider: &'a str,
        namespace: &'a str,
        credentials: &'a Credentials,
        meta: &'a RecordMeta,
    ) -> Self {
        Self {
            refresh_sent_at: meta.refresh_sent_at.map(Timestamp::unix_millis),
            written: meta.written,
            signed_in_at: meta.signed_in_at.map(Timestamp::unix_millis),
            access: Some(AccessForm {
                token_type: credentials.access().token_type(),
                token: credentials.access().expose(),
                validity: ValidityForm::from(credentials.access().validity()),
            }),
            refresh_token: credentials.refresh_token().map(Secret::expose),
            id_token: credentials.id_token().map(Secret::expose),
            aws: credentials.aws().map(|aws| AwsForm {
                access_key_id: aws.access_key_id().expose(),
                secret_access_key: aws.secret_access_key().expose(),
                session_token: aws.session_token().expose(),
                validity: ValidityForm::from(aws.validity()),
            }),
            grant_type: credentials.grant_type(),
            extra: ExtraText::of(credentials.extra_json().map(Secret::expose)),
            account: Some(AccountForm {
                id: &credentials.account().id,
                name: &credentials.account().name,
                extra: ExtraText::of(credentials.account().extra.as_deref()),
            }),
            ..Self::without_session(provider, namespace, meta)
        }
    }

    /// What is left of a session that was signed out: no secret but the login, where that is kept.
    pub(super) fn signed_out(
        provider: &'a str,
        namespace: &'a str,
        at: Option<Timestamp>,
        meta: &'a RecordMeta,
    ) -> Self {
        let signed_out_at = at.map(Timestamp::unix_millis);
        Self { signed_out: true, signed_out_at, ..Self::without_session(provider, namespace, meta) }
    }

    /// What went wrong where nobody has signed in yet.
    pub(super) fn never_signed_in(provider: &'a str, namespace: &'a str, meta: &'a RecordMeta) -> Self {
        Self { never_signed_in: true, ..Self::without_session(provider, namespace, meta) }
    }

    fn without_session(provider: &'a str, namespace: &'a str, meta: &'a RecordMeta) -> Self {
        Self {
            perennial: VERSION,
            revision: meta.revision,
            refresh_sent_at: None,
            written: None,
            provider,
            namespace,
            access: None,
            refresh_token: None,
            id_token: None,
            aws: None,
            grant_type: None,
            extra: None,
            account: None,
            login: meta.login.as_ref().map(|login| LoginText::from(login.expose())),
            failures: meta.failures.clone(),
            signed_in_at: None,
            signed_out_at: None,
            signed_out: false,
            never_signed_in: false,
        }
    }

    pub(super) fn write(&self) -> Body {
        let mut buffer = BodyBuffer::new(usize::MAX);
        // Strings and numbers into memory: neither side can fail.
        let _ = serde_json::to_writer(&mut buffer, self);
        buffer.finish()
    }
}

/// What a form says of the session.
pub(super) enum Told {
    NeverSignedIn,
    SignedIn,
    SignedOut { at: Option<Timestamp> },
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

/// A JSON object in a text: nobody has to know what is in it. Written without an escape, as logins are, so that no
/// copy of it is left behind when it is read; what was written with escapes is read, too.
#[derive(Serialize)]
#[serde(transparent)]
struct ExtraText<'a>(LoginText<'a>);

impl<'a> ExtraText<'a> {
    fn of(extra: Option<&'a str>) -> Option<Self> {
        extra.map(|extra| Self(LoginText::from(extra)))
    }

    /// `None` where it is blank.
    fn get(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|extra| !extra.trim().is_empty())
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

impl<'a> Form<'a, Text<'a>> {
    /// Reads JSON of a version that this crate reads.
    pub(super) fn parse(json: &'a [u8]) -> Result<Self, ImportError> {
        check_version(json)?;
        serde_json::from_slice(json).map_err(|_| SHAPE)
    }

    pub(super) fn told(&self) -> Told {
        match self {
            Self { signed_out: true, signed_out_at, .. } => {
                Told::SignedOut { at: signed_out_at.map(Timestamp::from_unix_millis) }
            }
            Self { never_signed_in: true, .. } => Told::NeverSignedIn,
            _ => Told::SignedIn,
        }
    }

    pub(super) fn meta(&self) -> RecordMeta {
        RecordMeta {
            revision: self.revision,
            refresh_sent_at: self.refresh_sent_at.map(Timestamp::from_unix_millis),
            written: self.written,
            login: self.login.as_ref().map(|login| Secret::from(login.as_str())),
            failures: self.failures.clone(),
            signed_in_at: self.signed_in_at.map(Timestamp::from_unix_millis),
        }
    }

    pub(super) fn credentials(self, now: Now) -> Result<Credentials, ImportError> {
        let invalid = |_| ImportError::Malformed { what: "a token that a header cannot carry" };
        fn text<'a>(text: &'a Text<'_>) -> &'a str {
            text.get().unwrap_or_default()
        }
        let secret = |token: Option<Text<'_>>| token.as_ref().and_then(Text::get).map(Secret::from);
        let AccessForm { token_type, token, validity } = self.access.as_ref().ok_or(SHAPE)?;
        let aws = self.aws.as_ref().map(|aws| {
            let (id, key, session) = (&aws.access_key_id, &aws.secret_access_key, &aws.session_token);
            AwsCredentials::new(text(id), text(key), text(session), aws.validity.read(now))
        });
        let grant = Grant {
            access: Some(AccessToken::new(text(token_type), text(token), validity.read(now)).map_err(invalid)?),
            aws: aws.transpose().map_err(invalid)?,
            refresh_token: secret(self.refresh_token),
            id_token: secret(self.id_token),
            account: Some(self.account.as_ref().map_or_else(Account::default, AccountForm::read)),
            grant_type: None,
            flaw: None,
            extra: self.extra.as_ref().and_then(ExtraText::get).map(Secret::from),
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

#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Default + Deserialize<'de>"))]
struct AccountForm<'a, S> {
    #[serde(default)]
    id: S,
    #[serde(default)]
    name: S,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    extra: Option<ExtraText<'a>>,
}

impl AccountForm<'_, Text<'_>> {
    fn read(&self) -> Account {
        let text = |text: &Text<'_>| text.get().unwrap_or_default().to_owned();
        let extra = self.extra.as_ref().and_then(ExtraText::get).map(Box::from);
        Account { id: text(&self.id), name: text(&self.name), extra }
    }
}
