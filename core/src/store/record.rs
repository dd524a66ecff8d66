//! What a store keeps of one account.

use super::form::{Form, SHAPE, Told};
use super::meta::RecordMeta;
use super::stamp::WriteStamp;
use crate::credentials::{Credentials, Now, Secret, Timestamp};
use crate::error::ImportError;
use crate::wire::{Body, Text};

/// What a store keeps of one account: the session, or what is left of one, and what every session on the store has to
/// know. Reading it takes neither a network nor a lock:
///
/// ```
/// use perennial_core::Now;
/// use perennial_core::store::Record;
///
/// # fn example(text: &[u8], now: Now) -> Result<(), perennial_core::ImportError> {
/// let record = Record::parse(text, now)?;
/// if record.is_signed_in() && !record.is_uncertain() {
///     println!("{} has a session; a login is kept: {}", record.provider, record.has_login());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Record {
    /// The provider's name.
    pub provider: String,
    /// The provider's namespace: which service address and which client.
    pub namespace: String,
    /// Whether somebody is signed in, and with what.
    pub state: RecordState,
    pub(crate) meta: RecordMeta,
}

/// Whether somebody is signed in.
#[derive(Clone, Debug)]
pub enum RecordState {
    /// Nobody has signed in yet: the record tells what went wrong when somebody tried.
    NeverSignedIn,
    /// Somebody is.
    SignedIn(Box<Credentials>),
    /// Somebody was, and has signed out.
    SignedOut {
        /// When, by the clock of that machine.
        at: Option<Timestamp>,
    },
}

impl Record {
    /// A record of one account at a provider, with nothing beside its state.
    pub fn new(provider: &str, namespace: &str, state: RecordState) -> Self {
        Self { provider: provider.to_owned(), namespace: namespace.to_owned(), state, meta: RecordMeta::default() }
    }

    /// With a revision: it counts up with each change, whoever makes it.
    #[must_use]
    pub fn with_revision(mut self, revision: u64) -> Self {
        self.meta.revision = Some(revision);
        self
    }

    /// With a login, as the provider writes it.
    #[must_use]
    pub fn with_login(mut self, login: Option<Secret>) -> Self {
        self.meta.login = login;
        self
    }

    /// As a session writes it when somebody has signed in just now: with that moment, and with the ages of the leases.
    #[must_use]
    pub fn with_sign_in_at(mut self, now: Now) -> Self {
        self.meta.signed_in_at = Some(now.wall);
        self.meta.written = self.credentials().map(|credentials| WriteStamp::now(credentials, now));
        self
    }

    /// Takes over the failures that another record of the same account holds: the end of a `Retry-After`, and the
    /// answer to a login that failed. If this record is signed in, the failed login is left out, since a sign-in has
    /// succeeded.
    #[must_use]
    pub fn with_failures_of(mut self, other: &Self) -> Self {
        let failures = other.meta.failures.clone();
        self.meta.failures = if self.is_signed_in() { failures.without_login() } else { failures };
        self
    }

    /// Reads what [`to_body`](Self::to_body) wrote.
    pub fn parse(json: &[u8], now: Now) -> Result<Self, ImportError> {
        let form = Form::parse(json)?;
        let text = |text: &Text<'_>| text.get().map(str::to_owned);
        let (provider, namespace) = (text(&form.provider), text(&form.namespace));
        let (told, meta) = (form.told(), form.meta());
        let state = match told {
            Told::NeverSignedIn => RecordState::NeverSignedIn,
            Told::SignedOut { at } => RecordState::SignedOut { at },
            Told::SignedIn => {
                let credentials = form.credentials(now)?;
                RecordState::SignedIn(Box::new(match &meta.written {
                    Some(written) => written.rebased_on_writer(credentials, now),
                    None => credentials,
                }))
            }
        };
        Ok(Self { provider: provider.ok_or(SHAPE)?, namespace: namespace.ok_or(SHAPE)?, state, meta })
    }

    /// The record as JSON, secrets in the clear. Deadlines are absolute, in integer Unix milliseconds.
    pub fn to_body(&self) -> Body {
        let Self { provider, namespace, state, meta } = self;
        match state {
            RecordState::NeverSignedIn => Form::never_signed_in(provider, namespace, meta),
            RecordState::SignedIn(credentials) => Form::signed_in(provider, namespace, credentials, meta),
            RecordState::SignedOut { at } => Form::signed_out(provider, namespace, *at, meta),
        }
        .write()
    }

    /// The session's credentials; `None` where nobody is signed in.
    pub fn credentials(&self) -> Option<&Credentials> {
        match &self.state {
            RecordState::SignedIn(credentials) => Some(credentials),
            RecordState::NeverSignedIn | RecordState::SignedOut { .. } => None,
        }
    }

    /// Whether somebody is signed in.
    pub fn is_signed_in(&self) -> bool {
        matches!(self.state, RecordState::SignedIn(_))
    }

    /// Whether somebody was signed in, and has signed out since.
    pub fn is_signed_out(&self) -> bool {
        matches!(self.state, RecordState::SignedOut { .. })
    }

    /// How many changes there were, whoever made them. `None`: it was not written by a store.
    pub fn revision(&self) -> Option<u64> {
        self.meta.revision
    }

    /// When a person last signed in, by the clock of that machine.
    pub fn signed_in_at(&self) -> Option<Timestamp> {
        self.meta.signed_in_at
    }

    /// The login that is kept beside it, as the provider writes it.
    pub fn login(&self) -> Option<&Secret> {
        self.meta.login.as_ref()
    }

    /// Whether the login is kept beside it.
    pub fn has_login(&self) -> bool {
        self.meta.login.is_some()
    }

    /// Whether the service refused this login, as the provider writes it: no session on the store shows it again.
    pub fn refuses(&self, login: &Secret) -> bool {
        self.meta.failures.refuses(login)
    }

    /// When the service's `Retry-After` ends: no session on the store asks it for anything before.
    pub fn not_before(&self) -> Option<Timestamp> {
        self.meta.failures.not_before()
    }

    /// Whether a one-use refresh token was sent of which nobody knows the answer: a renewal is under way, or was cut off.
    pub fn is_uncertain(&self) -> bool {
        self.meta.refresh_sent_at.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::failures::{LoginAnswer, LoginDigest, LoginFailure, Refusal};
    use crate::{AccessToken, Grant, Validity};

    fn now() -> Now {
        Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(9))
    }

    fn signed_in() -> RecordState {
        let access = AccessToken::new("Bearer", "at", Validity::with_lifetime(now(), Duration::from_secs(3600)));
        let grant = Grant { access: Some(access.unwrap()), ..Grant::default() };
        RecordState::SignedIn(Box::new(Credentials::from_grant(grant, None).unwrap()))
    }

    fn read_back(record: &Record) -> Record {
        Record::parse(record.to_body().as_ref(), now()).unwrap()
    }

    #[test]
    fn what_stands_beside_the_session_is_read_back() {
        let login = Secret::from("ann: x");
        let record = Record::new("toy", "https://toy.example", signed_in()).with_revision(7);
        let record = read_back(&record.with_login(Some(login.clone())).with_sign_in_at(now()));
        assert_eq!((record.revision(), record.signed_in_at()), (Some(7), Some(now().wall)));
        assert_eq!(record.login().map(Secret::expose), Some("ann: x"));
        assert!(record.has_login() && !record.refuses(&login) && !record.is_uncertain());
        assert_eq!(record.not_before(), None);
    }

    #[test]
    fn failures_go_over_into_the_next_record_and_a_sign_in_ends_those_of_the_login() {
        let login = Secret::from("ann: x");
        let of = LoginDigest::new(&login, [1, 2]);
        let mut failed = Record::new("toy", "https://toy.example", RecordState::NeverSignedIn);
        failed.meta.failures.not_before = Some(17);
        failed.meta.failures.login =
            Some(LoginFailure { of, answer: LoginAnswer::Refused(Refusal::InvalidCredentials) });
        let failed = read_back(&failed);
        assert!(failed.refuses(&login) && !failed.refuses(&Secret::from("ann: y")));
        for (state, refuses) in [(RecordState::SignedOut { at: None }, true), (signed_in(), false)] {
            let next = read_back(&Record::new("toy", "https://toy.example", state).with_failures_of(&failed));
            assert_eq!(next.not_before(), Some(Timestamp::from_unix_millis(17)));
            assert_eq!(next.refuses(&login), refuses);
        }
    }
}
