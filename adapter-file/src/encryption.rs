//! Encryption at rest with XChaCha20-Poly1305.
//!
//! An encrypted file is a line that names the format, a nonce of 24 bytes, the ciphertext, and a tag of 16 bytes. The
//! line is authenticated as associated data, so that nobody can change the version in it. Nonces are random: with 192
//! bits two of them will not be the same.

use std::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use perennial_core::wire::Body;
use zeroize::{Zeroize, Zeroizing};

use crate::error::FileErrorKind;

const HEADER: &[u8] = b"perennial encrypted session 1\n";
const NONCE: usize = 24;
const TAG: usize = 16;

/// A key of 32 random bytes that encrypts a file. It is wiped when it is dropped, and `Debug` does not show it.
pub struct Key(Box<Zeroizing<[u8; 32]>>);

impl Key {
    /// A key of these bytes. They have to be random: a password is not. Wipe your own copy when you no longer need it.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        // Boxed before it is filled: moving a filled array would leave copies behind on the stack.
        let mut key = Box::new(Zeroizing::new([0; 32]));
        key.copy_from_slice(bytes);
        Self(key)
    }

    /// The content of the file for this record.
    pub(crate) fn encrypt(&self, record: &[u8]) -> Result<Vec<u8>, FileErrorKind> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| FileErrorKind::system("encrypted")(error.into()))?;
        // Allocated once: growing would leave copies of the record behind in freed memory.
        let mut content = Vec::with_capacity(HEADER.len() + NONCE + record.len() + TAG);
        content.extend_from_slice(HEADER);
        content.extend_from_slice(&nonce);
        let start = content.len();
        content.extend_from_slice(record);
        let encrypted =
            self.cipher().encrypt_inout_detached(&XNonce::from(nonce), HEADER, content.split_at_mut(start).1.into());
        let Ok(tag) = encrypted else {
            content.zeroize();
            return Err(FileErrorKind::TooLarge);
        };
        content.extend_from_slice(&tag);
        Ok(content)
    }

    /// The record in the content of a file.
    pub(crate) fn decrypt(&self, content: &[u8]) -> Result<Body, FileErrorKind> {
        let rest = content.strip_prefix(HEADER).ok_or(FileErrorKind::NewerEncryption)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(FileErrorKind::WrongKey)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(FileErrorKind::WrongKey)?;
        let mut record = Zeroizing::new(ciphertext.to_vec());
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
    fn a_change_of_any_byte_is_detected() {
        let key = Key::from_bytes(&[7; 32]);
        let encrypted = key.encrypt(b"record").unwrap();
        assert_eq!(key.decrypt(&encrypted).unwrap().as_ref(), b"record");
        for at in 0..encrypted.len() {
            let mut changed = encrypted.clone();
            changed[at] ^= 1;
            let error = key.decrypt(&changed).unwrap_err();
            let header = at < HEADER.len();
            assert_eq!(matches!(error, FileErrorKind::NewerEncryption), header, "{at}");
            assert_eq!(matches!(error, FileErrorKind::WrongKey), !header, "{at}");
            assert!(key.decrypt(&encrypted[..at]).is_err(), "{at}");
        }
    }

    #[test]
    fn every_encryption_uses_a_new_nonce() {
        let key = Key::from_bytes(&[7; 32]);
        let nonce = |content: Vec<u8>| content[HEADER.len()..HEADER.len() + NONCE].to_vec();
        assert_ne!(nonce(key.encrypt(b"").unwrap()), nonce(key.encrypt(b"").unwrap()));
    }

    #[test]
    fn a_key_hides_in_debug() {
        assert_eq!(format!("{:?}", Key::from_bytes(&[7; 32])), "Key(***)");
    }
}
