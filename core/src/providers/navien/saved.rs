//! Saved sessions: Perennial's own, and what the Python client `nwp500-python` leaves on its users' disks (the
//! `to_dict` of its tokens, with `email` beside them).

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::credentials::{Account, Credentials, Grant, Now, Saved, SavedError, Term, Timestamp};
use crate::wire;

use super::fields::{Aws, Tokens};
use super::{MARGIN, NAME};
use crate::wire::{Object, Text};

/// Reads either form. A file of the Python client says nothing about the address that it is for: it is taken to
/// be `realm`.
pub(super) fn read(realm: &str, saved: &[u8], now: Now) -> Result<Saved, SavedError> {
    match wire::parse_json::<Object<Probe>>(saved) {
        Ok(Object(Some(Probe { perennial: None }))) => Ok(Saved::new(NAME, realm, read_python(saved, now)?)),
        // It has its own words for what is broken.
        _ => Saved::parse(saved, now),
    }
}

#[derive(Deserialize)]
struct Probe {
    perennial: Option<IgnoredAny>,
}

/// What stands beside the tokens.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Beside<'a> {
    #[serde(borrow, alias = "issuedAt")]
    issued_at: Text<'a>,
    /// Newer versions: the AWS set was renewed alone, at this time. Without it nobody knows.
    #[serde(borrow, alias = "awsCredentialsIssuedAt")]
    aws_credentials_issued_at: Text<'a>,
    #[serde(borrow)]
    email: Text<'a>,
}

fn read_python(saved: &[u8], now: Now) -> Result<Credentials, SavedError> {
    let malformed = |what| SavedError::Malformed { what };
    let shape = |_| malformed("a field is of another type, or there twice");
    let tokens: Tokens<'_> = wire::parse_json(saved).map_err(shape)?;
    let beside: Beside<'_> = wire::parse_json(saved).map_err(shape)?;
    let odd = |_| malformed("a token with odd characters");
    let issued_at = moment(&beside.issued_at);

    let access = tokens
        .access_token(term(issued_at, Some(tokens.access_lifetime()), now))
        .ok_or(malformed("no access token"))?
        .map_err(odd)?;
    let aws_term = match moment(&beside.aws_credentials_issued_at) {
        Some(issued_at) => term(Some(issued_at), tokens.aws_lifetime(), now),
        // Each refresh of the JWTs moved `issued_at` and left the AWS set as old as it was: the set is at least
        // so old, so this deadline is the latest that is possible.
        None => term(issued_at, tokens.aws_lifetime(), now).in_doubt(),
    };
    let aws = match tokens.aws() {
        Aws::Complete(parts) => parts.build(aws_term).ok(),
        Aws::Incomplete | Aws::Absent => None,
    };
    let grant = Grant {
        access: Some(access),
        refresh_token: tokens.refresh_token().map_err(odd)?,
        id_token: tokens.id_token().map_err(odd)?,
        aws,
        account: Some(Account {
            user_id: beside.email.get().unwrap_or_default().trim().to_owned(),
            ..Account::default()
        }),
        ..Grant::default()
    };
    Credentials::from_grant(grant, None).ok_or(malformed("no access token"))
}

/// ISO 8601; without a zone it is UTC, whatever this machine's zone is.
fn moment(text: &Text<'_>) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text.get()?)
}

/// An issue that is not told, or lies in the future, proves no age: renewal is due at once.
fn term(issued_at: Option<Timestamp>, lifetime: Option<Duration>, now: Now) -> Term {
    let term = match (issued_at, lifetime) {
        (Some(issued_at), lifetime) => Term::restored(issued_at, lifetime, now),
        (None, Some(lifetime)) => Term::lasting(now, lifetime).in_doubt(),
        (None, None) => Term::unknown(now).in_doubt(),
    };
    term.with_margin(MARGIN)
}
