//! The format of the file: the record in plaintext, or encrypted.

use std::borrow::Cow;
#[cfg(feature = "encrypted")]
use std::sync::Arc;

use perennial_core::wire::Body;

use crate::MAX_BYTES;
#[cfg(feature = "encrypted")]
use crate::encryption::Key;
use crate::error::FileErrorKind;

/// How encrypted files of every version begin. No JSON begins like this, so a plaintext record is never taken for one.
const ENCRYPTED_PREFIX: &[u8] = b"perennial encrypted session ";

/// The largest file in any format: 70 bytes more than the record, for the line, the nonce and the tag of an encrypted one.
pub(crate) const MAX_FILE: usize = MAX_BYTES + 70;

/// The format in which a store writes and reads its file.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Plaintext,
    #[cfg(feature = "encrypted")]
    Encrypted(Arc<Key>),
}

impl Format {
    /// The content of the file for this record.
    pub(crate) fn encode<'a>(&self, record: &'a [u8]) -> Result<Cow<'a, [u8]>, FileErrorKind> {
        check_size(record)?;
        match self {
            Self::Plaintext => Ok(Cow::Borrowed(record)),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => key.encrypt(record).map(Cow::Owned),
        }
    }

    /// The record in the content of a file. An empty file is passed on in either format: the session cannot parse it, and
    /// quarantines it.
    pub(crate) fn decode(&self, content: Body) -> Result<Body, FileErrorKind> {
        let encrypted = content.as_ref().starts_with(ENCRYPTED_PREFIX);
        let record = match self {
            _ if content.as_ref().is_empty() => Ok(content),
            Self::Plaintext if encrypted => Err(FileErrorKind::Encrypted),
            Self::Plaintext => Ok(content),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(_) if !encrypted => Err(FileErrorKind::NotEncrypted),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => key.decrypt(content.as_ref()),
        }?;
        check_size(record.as_ref())?;
        Ok(record)
    }
}

fn check_size(record: &[u8]) -> Result<(), FileErrorKind> {
    if record.len() > MAX_BYTES { Err(FileErrorKind::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formats() -> Vec<Format> {
        vec![
            Format::Plaintext,
            #[cfg(feature = "encrypted")]
            Format::Encrypted(Arc::new(Key::from_bytes(&[7; 32]))),
            #[cfg(feature = "encrypted")]
            Format::Encrypted(Arc::new(Key::from_bytes(&[8; 32]))),
        ]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300)
    }

    proptest! {
        #[test]
        fn a_record_is_read_back_by_the_format_and_key_that_wrote_it_and_no_other(record in bytes()) {
            prop_assume!(!record.is_empty() && !record.starts_with(ENCRYPTED_PREFIX));
            for (writer, format) in formats().iter().enumerate() {
                let content = format.encode(&record).unwrap().into_owned();
                for (reader, other) in formats().iter().enumerate() {
                    let read = other.decode(Body::from(content.clone())).ok();
                    let read = read.as_ref().map(Body::as_ref);
                    prop_assert_eq!(read, (reader == writer).then_some(&record[..]));
                }
            }
        }

        #[test]
        fn any_content_is_a_record_or_an_error_that_does_not_show_it(
            prefixed: bool, version in "[0-9 ]{0,2}\n?", noise in bytes(), canary: bool,
        ) {
            let prefix = if prefixed { ENCRYPTED_PREFIX } else { b"" };
            let canary: &[u8] = if canary { b"CANARY-in-the-file" } else { b"" };
            let content = [prefix, version.as_bytes(), &noise, canary].concat();
            for format in formats() {
                match format.decode(Body::from(content.clone())) {
                    // Random content is never a valid encrypted file.
                    Ok(read) => prop_assert!(read.as_ref() == content && (!prefixed || content.is_empty())),
                    Err(error) => {
                        let shown = format!("{error:?} {error}");
                        prop_assert!(!shown.contains("CANARY"), "{}", shown);
                    }
                }
            }
        }
    }
}
