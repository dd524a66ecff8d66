//! What stands in the file: the record as it is, or encrypted.

use std::borrow::Cow;
#[cfg(feature = "encrypted")]
use std::sync::Arc;

use perennial_core::wire::Body;

use crate::MAX_BYTES;
use crate::error::Trouble;
#[cfg(feature = "encrypted")]
use crate::seal::Key;

/// How every encrypted file begins, in every version: no JSON begins so.
const MARK: &[u8] = b"perennial encrypted session ";

/// How a record is written.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Clear,
    #[cfg(feature = "encrypted")]
    Encrypted(Arc<Key>),
}

impl Form {
    /// What to write for this record.
    pub(crate) fn encode<'a>(&self, record: &'a [u8]) -> Result<Cow<'a, [u8]>, Trouble> {
        let content = match self {
            Self::Clear => Cow::Borrowed(record),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => Cow::Owned(key.seal(record)?),
        };
        if content.len() > MAX_BYTES { Err(Trouble::TooLarge) } else { Ok(content) }
    }

    /// The record in what was read. No bytes are no record in either form: for the session to set aside.
    pub(crate) fn decode(&self, content: Body) -> Result<Body, Trouble> {
        let encrypted = content.as_ref().starts_with(MARK);
        match self {
            _ if content.as_ref().is_empty() => Ok(content),
            Self::Clear if encrypted => Err(Trouble::Encrypted),
            Self::Clear => Ok(content),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(_) if !encrypted => Err(Trouble::NotEncrypted),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => key.open(content.as_ref()),
        }
    }
}
