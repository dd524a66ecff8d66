//! Bodies of requests and answers. Both hold secrets, so both are wiped.

use std::{fmt, io};

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::credentials::Wiped;

/// The body of a request or an answer: wiped when its last copy is dropped, hidden in `Debug`.
#[derive(Clone, Default)]
pub struct Body(Bytes);

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The bytes, shared with this body: no copy is made, and the wiping holds for all.
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Bytes::from_owner(Wiped(Zeroizing::new(bytes)))) }
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// The answer has more bytes than the request allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is larger than allowed")]
pub struct BodyTooLarge;

/// Collects a body up to a cap. Growing leaves no copy behind.
pub struct BodyBuffer {
    bytes: Zeroizing<Vec<u8>>,
    cap: usize,
}

impl BodyBuffer {
    /// For at most `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { bytes: Zeroizing::default(), cap }
    }

    /// Appends a piece; refuses it whole where it does not fit under the cap.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), BodyTooLarge> {
        let needed =
            self.bytes.len().checked_add(piece.len()).filter(|needed| *needed <= self.cap).ok_or(BodyTooLarge)?;
        if needed > self.bytes.capacity() {
            let mut grown = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.bytes.capacity()).max(512)));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// The body.
    pub fn finish(mut self) -> Body {
        Body::from(std::mem::take(&mut *self.bytes))
    }
}

impl io::Write for BodyBuffer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.push(piece).map_err(io::Error::other)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for BodyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyBuffer({} of {} bytes)", self.bytes.len(), self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_stops_at_its_cap() {
        let mut buffer = BodyBuffer::new(1000);
        buffer.push(&[b'a'; 600]).unwrap();
        assert_eq!(buffer.push(&[b'b'; 401]), Err(BodyTooLarge));
        buffer.push(&[b'c'; 400]).unwrap();
        assert_eq!(buffer.finish().as_ref().len(), 1000);
    }

    #[test]
    fn a_body_hides_in_debug() {
        assert_eq!(format!("{:?}", Body::from(b"secret".to_vec())), "Body(6 bytes)");
    }
}
