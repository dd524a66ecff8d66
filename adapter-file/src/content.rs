//! What stands in the file: the record as it is, or encrypted.

use std::borrow::Cow;
#[cfg(feature = "encrypted")]
use std::sync::Arc;

use perennial_core::wire::Body;

use crate::MAX_BYTES;
use crate::error::FileErrorKind;
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
    pub(crate) fn encode<'a>(&self, record: &'a [u8]) -> Result<Cow<'a, [u8]>, FileErrorKind> {
        let content = match self {
            Self::Clear => Cow::Borrowed(record),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => Cow::Owned(key.seal(record)?),
        };
        if content.len() > MAX_BYTES { Err(FileErrorKind::TooLarge) } else { Ok(content) }
    }

    /// The record in what was read. No bytes are no record in either form: for the session to set aside.
    pub(crate) fn decode(&self, content: Body) -> Result<Body, FileErrorKind> {
        let encrypted = content.as_ref().starts_with(MARK);
        match self {
            _ if content.as_ref().is_empty() => Ok(content),
            Self::Clear if encrypted => Err(FileErrorKind::Encrypted),
            Self::Clear => Ok(content),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(_) if !encrypted => Err(FileErrorKind::NotEncrypted),
            #[cfg(feature = "encrypted")]
            Self::Encrypted(key) => key.open(content.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forms() -> Vec<Form> {
        vec![
            Form::Clear,
            #[cfg(feature = "encrypted")]
            Form::Encrypted(Arc::new(Key::from_bytes(&[7; 32]))),
            #[cfg(feature = "encrypted")]
            Form::Encrypted(Arc::new(Key::from_bytes(&[8; 32]))),
        ]
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..300)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_by_the_same_form_alone(record in bytes()) {
            prop_assume!(!record.is_empty() && !record.starts_with(MARK));
            for (wrote, form) in forms().iter().enumerate() {
                let content = form.encode(&record).unwrap().into_owned();
                for (reads, other) in forms().iter().enumerate() {
                    let read = other.decode(Body::from(content.clone())).ok();
                    let read = read.as_ref().map(Body::as_ref);
                    prop_assert_eq!(read, (reads == wrote).then_some(&record[..]));
                }
            }
        }

        #[test]
        fn whatever_is_in_a_file_is_a_record_or_an_error_that_repeats_nothing(
            marked: bool, version in "[0-9 ]{0,2}\n?", noise in bytes(), canary: bool,
        ) {
            let mark = if marked { MARK } else { b"" };
            let canary: &[u8] = if canary { b"CANARY-in-the-file" } else { b"" };
            let content = [mark, version.as_bytes(), &noise, canary].concat();
            for form in forms() {
                match form.decode(Body::from(content.clone())) {
                    // Nobody can have sealed this.
                    Ok(read) => prop_assert!(read.as_ref() == content && (!marked || content.is_empty())),
                    Err(trouble) => {
                        let shown = format!("{trouble:?} {trouble}");
                        prop_assert!(!shown.contains("CANARY"), "{}", shown);
                    }
                }
            }
        }
    }
}
