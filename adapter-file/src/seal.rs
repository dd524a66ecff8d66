//! Encryption at rest.
//!
//! The file is a line that names the format, a nonce of 24 bytes, the ciphertext, and a tag of 16 bytes. The line is
//! the associated data, so that no other version can be made of it. A random nonce of this size never comes twice.

use std::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use perennial_core::wire::Body;
use zeroize::{Zeroize, Zeroizing};

use crate::error::FileErrorKind;

const HEADER: &[u8] = b"perennial encrypted session 1\n";
const NONCE: usize = 24;
const TAG: usize = 16;

/// A key of 32 random bytes for a file: wiped when dropped, hidden in `Debug`.
pub struct Key(Box<Zeroizing<[u8; 32]>>);

impl Key {
    /// These bytes: random ones, not a password. Wipe yours when you have no more use for them.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        // Boxed first and filled then: moving an array would leave copies behind.
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        Self(key)
    }

    pub(crate) fn seal(&self, record: &[u8]) -> Result<Vec<u8>, FileErrorKind> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| FileErrorKind::system("encrypted")(error.into()))?;
        // With room for all of it: growing would leave the record behind in freed memory.
        let mut content = Vec::with_capacity(HEADER.len() + NONCE + record.len() + TAG);
        content.extend_from_slice(HEADER);
        content.extend_from_slice(&nonce);
        let start = content.len();
        content.extend_from_slice(record);
        let sealed =
            self.cipher().encrypt_inout_detached(&XNonce::from(nonce), HEADER, content.split_at_mut(start).1.into());
        let Ok(tag) = sealed else {
            content.zeroize();
            return Err(FileErrorKind::TooLarge);
        };
        content.extend_from_slice(&tag);
        Ok(content)
    }

    pub(crate) fn open(&self, content: &[u8]) -> Result<Body, FileErrorKind> {
        let sealed = content.strip_prefix(HEADER).ok_or(FileErrorKind::NewerEncryption)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(FileErrorKind::WrongKey)?;
        let (sealed, tag) = sealed.split_last_chunk::<TAG>().ok_or(FileErrorKind::WrongKey)?;
        let mut record = Zeroizing::new(sealed.to_vec());
        self.cipher()
            .decrypt_inout_detached(&XNonce::from(*nonce), HEADER, record.as_mut_slice().into(), &Tag::from(*tag))
            .map_err(|_| FileErrorKind::WrongKey)?;
        Ok(Body::from(std::mem::take(&mut *record)))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key: &[u8; 32] = &self.0;
        XChaCha20Poly1305::new(key.into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_changed_byte_is_noticed() {
        let key = Key::from_bytes(&[7; 32]);
        let sealed = key.seal(b"record").unwrap();
        assert_eq!(key.open(&sealed).unwrap().as_ref(), b"record");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let trouble = key.open(&changed).unwrap_err();
            let header = at < HEADER.len();
            assert_eq!(matches!(trouble, FileErrorKind::NewerEncryption), header, "{at}");
            assert_eq!(matches!(trouble, FileErrorKind::WrongKey), !header, "{at}");
            assert!(key.open(&sealed[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn every_seal_has_a_nonce_of_its_own() {
        let key = Key::from_bytes(&[7; 32]);
        let nonce = |sealed: Vec<u8>| sealed[HEADER.len()..HEADER.len() + NONCE].to_vec();
        assert_ne!(nonce(key.seal(b"").unwrap()), nonce(key.seal(b"").unwrap()));
    }

    #[test]
    fn a_key_hides_in_debug() {
        assert_eq!(format!("{:?}", Key::from_bytes(&[7; 32])), "Key(***)");
    }
}
