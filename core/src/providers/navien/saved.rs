//! Saved sessions: Perennial's own format, and the token file of the Python client `nwp500-python` (its tokens'
//! `to_dict` and an `email`). Both can be read and written.

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::credentials::{Account, Credentials, Now, Secret, Timestamp, Validity};
use crate::error::ImportError;
use crate::grant::Grant;
use crate::store::SavedSession;
use crate::wire;

use super::fields::{Aws, Tokens};
use super::settings::{DEFAULT_LIFETIME, MARGIN, NAME};
use crate::wire::{BodyBuffer, Object, Text};

/// The moments that Python's dates can express, years 1 to 9999, less a day at each end for local time zones.
const FIRST_MOMENT: Timestamp = Timestamp::from_unix_seconds(-62_135_596_800 + 86_400);
const LAST_MOMENT: Timestamp = Timestamp::from_unix_seconds(253_402_300_799 - 86_400);

/// Reads either format. A file of the Python client does not say which address it is for: it is taken to be
/// `namespace`.
pub(super) fn read(namespace: &str, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
    match wire::parse_json::<Object<Probe>>(saved) {
        Ok(Object(Some(Probe { perennial: None }))) => Ok(SavedSession::new(NAME, namespace, read_python(saved, now)?)),
        // Its own error says what is wrong with it.
        _ => SavedSession::parse(saved, now),
    }
}

#[derive(Deserialize)]
struct Probe {
    perennial: Option<IgnoredAny>,
}

/// The fields beside the tokens in a file of the Python client.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PythonMeta<'a> {
    #[serde(borrow, alias = "issuedAt")]
    issued_at: Text<'a>,
    /// When the AWS set was issued. Newer versions alone write it; without it that is unknown.
    #[serde(borrow, alias = "awsCredentialsIssuedAt")]
    aws_credentials_issued_at: Text<'a>,
    #[serde(borrow)]
    email: Text<'a>,
}

fn read_python(saved: &[u8], now: Now) -> Result<Credentials, ImportError> {
    let malformed = |what| ImportError::Malformed { what };
    let shape = |_| malformed("a field is of another type, or there twice");
    let tokens: Tokens<Text<'_>> = wire::parse_json(saved).map_err(shape)?;
    let meta: PythonMeta<'_> = wire::parse_json(saved).map_err(shape)?;
    let odd = |_| malformed("a token that is too long or has odd characters");
    let issued_at = moment(&meta.issued_at);

    let access = tokens
        .access_token(validity(issued_at, Some(tokens.access_lifetime()), now))
        .ok_or(malformed("no access token"))?
        .map_err(odd)?;
    let aws_validity = match moment(&meta.aws_credentials_issued_at) {
        Some(issued_at) => validity(Some(issued_at), tokens.aws_lifetime(), now),
        // Each refresh of the JWTs moved `issued_at`, while the AWS set stayed as old as it was. So the set is at least
        // this old, and this deadline is the latest possible one.
        None => validity(issued_at, tokens.aws_lifetime(), now).uncertain(),
    };
    let aws = match tokens.aws() {
        Aws::Complete(parts) => parts.build(aws_validity).ok(),
        Aws::Incomplete | Aws::Absent => None,
    };
    let grant = Grant {
        access: Some(access),
        refresh_token: tokens.refresh_token().map_err(odd)?,
        id_token: tokens.id_token().map_err(odd)?,
        aws,
        account: Some(Account::new(meta.email.get().unwrap_or_default().trim())),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).ok_or(malformed("no access token"))
}

/// ISO 8601; without a zone it is UTC, whatever this machine's zone is.
fn moment(text: &Text<'_>) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text.get()?)
}

/// A moment of issue that is missing or lies in the future proves no age: the validity is uncertain, and renewal is due
/// at once.
fn validity(issued_at: Option<Timestamp>, lifetime: Option<Duration>, now: Now) -> Validity {
    let validity = match (issued_at, lifetime) {
        (Some(issued_at), lifetime) => Validity::restored(issued_at, lifetime, now),
        (None, Some(lifetime)) => Validity::with_lifetime(now, lifetime).uncertain(),
        (None, None) => Validity::unknown(now).uncertain(),
    };
    validity.with_margin(MARGIN)
}

/// Writes the credentials as the token file of the Python client `nwp500-python`: JSON, times in UTC with a zone,
/// lifetimes in whole seconds. [`read_saved_session`](crate::Provider::read_saved_session) reads it back.
///
/// The file holds the secrets unencrypted: keep it where only its owner reads. Refresh tokens work once, so from now on
/// either the Python client renews or this session does, not both.
///
/// The file has one time of issue for both leases, because most versions of the client know no other. Their deadlines
/// are right to the second. An access token of unknown lifetime gets [`DEFAULT_LIFETIME`]. The format cannot express
/// that [the access token's age is uncertain](Validity::is_uncertain).
///
/// Versions that compare times without a zone (6.1.1 and 7.0.0 do, 7.4.10 and later do not) load this file and then
/// fail to compare: write [`write_python_local`] for them.
///
/// ```
/// # use perennial_core::providers::navien::{self, BASE_URL, Navien};
/// # use perennial_core::{Now, Provider};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let now = Now::default();
/// # let saved = br#"{"access_token":"ey.J","issued_at":"1970-01-01T00:00:00Z"}"#;
/// # let credentials = Navien::default().read_saved_session(saved, now)?.into_credentials();
/// let file = navien::write_python(&credentials);
/// assert!(file.expose().contains(r#""access_token":"ey.J""#));
/// # Ok(())
/// # }
/// ```
pub fn write_python(credentials: &Credentials) -> Secret {
    python_form(credentials, |moment| moment.to_string())
}

/// As [`write_python`], for versions that take times without a zone for local time. `seconds_east` is by how many
/// seconds the client's local time is ahead of UTC, negative in the west.
///
/// The file is right for that time zone alone. [`read_saved_session`](crate::Provider::read_saved_session) takes its
/// times for UTC, as newer versions do; where they are not, it may renew at once.
pub fn write_python_local(credentials: &Credentials, seconds_east: i32) -> Secret {
    let ahead = i64::from(seconds_east) * 1000;
    python_form(credentials, |moment| {
        let local = Timestamp::from_unix_millis(moment.unix_millis().saturating_add(ahead));
        local.to_string().trim_end_matches('Z').to_owned()
    })
}

fn python_form(credentials: &Credentials, write: impl Fn(Timestamp) -> String) -> Secret {
    let aws = credentials.aws();
    let issued_at = common_issue(credentials);
    // A moment that Python has no date for would make the whole file unreadable to it.
    let issued_at = issued_at.clamp(FIRST_MOMENT, LAST_MOMENT);
    let seconds = |deadline: Timestamp| deadline.since(issued_at).whole_seconds().max(1);
    let moment = write(issued_at);
    let form = PythonForm {
        id_token: credentials.id_token().map_or("", Secret::expose),
        access_token: credentials.access().expose(),
        refresh_token: credentials.refresh_token().map_or("", Secret::expose),
        authentication_expires_in: seconds(access_end(credentials)),
        access_key_id: aws.map(|aws| aws.access_key_id().expose()),
        secret_key: aws.map(|aws| aws.secret_access_key().expose()),
        session_token: aws.map(|aws| aws.session_token().expose()),
        authorization_expires_in: credentials.aws_expires_at().map(seconds),
        issued_at: &moment,
        email: &credentials.account().id,
        aws_credentials_issued_at: aws.filter(|aws| !aws.validity().is_uncertain()).map(|_| moment.as_str()),
    };
    let mut buffer = BodyBuffer::new(usize::MAX);
    // Strings and numbers into memory: neither side can fail.
    let _ = serde_json::to_writer(&mut buffer, &form);
    Secret::from(std::str::from_utf8(buffer.finish().as_ref()).unwrap_or_default())
}

/// The moment from which both lifetimes are counted: when the access token was issued, unless the AWS set had expired
/// by then. A lifetime of zero or less would be read as unknown.
fn common_issue(credentials: &Credentials) -> Timestamp {
    let issued_at = credentials.issued_at();
    match (credentials.aws(), credentials.aws_expires_at()) {
        (Some(aws), Some(end)) if end <= issued_at => aws.validity().issued_at(),
        _ => issued_at,
    }
}

fn access_end(credentials: &Credentials) -> Timestamp {
    credentials.expires_at().unwrap_or_else(|| credentials.issued_at().saturating_add(DEFAULT_LIFETIME))
}

/// The Python client's file, with its fields in the client's order.
#[derive(Serialize)]
struct PythonForm<'a> {
    /// The client accepts no null for any of the three tokens.
    id_token: &'a str,
    access_token: &'a str,
    refresh_token: &'a str,
    authentication_expires_in: i64,
    access_key_id: Option<&'a str>,
    secret_key: Option<&'a str>,
    session_token: Option<&'a str>,
    authorization_expires_in: Option<i64>,
    issued_at: &'a str,
    email: &'a str,
    /// Absent where that is uncertain: the reader then renews the AWS set soon.
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_credentials_issued_at: Option<&'a str>,
}
