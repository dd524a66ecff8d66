//! What a store keeps of one account.

use super::form::{Form, SHAPE, Told};
use super::meta::RecordMeta;
use crate::credentials::{Credentials, Now, Timestamp};
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
    /// What stands beside that.
    pub meta: RecordMeta,
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
    /// A record of one account at a provider.
    pub fn new(provider: &str, namespace: &str, state: RecordState, meta: RecordMeta) -> Self {
        Self { provider: provider.to_owned(), namespace: namespace.to_owned(), state, meta }
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

    /// Whether the login is kept beside it.
    pub fn has_login(&self) -> bool {
        self.meta.login.is_some()
    }

    /// Whether a one-use refresh token was sent of which nobody knows the answer: a renewal is under way, or was cut off.
    pub fn is_uncertain(&self) -> bool {
        self.meta.refresh_sent_at.is_some()
    }
}
