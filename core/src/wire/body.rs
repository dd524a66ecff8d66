//! Bodies of requests and answers. Both hold secrets, so both are wiped when dropped.

use std::{fmt, io};

use bytes::Bytes;

use crate::credentials::ZeroizingBytes;
use crate::error::{TransportError, TransportErrorKind};

/// The body of a request or an answer: wiped when its last copy is dropped, hidden in `Debug`.
#[derive(Clone, Default)]
pub struct Body(Bytes);

impl Body {
    /// An empty body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The bytes, shared with this body: no copy is made, and they are wiped when the last of them is dropped.
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Bytes::from_owner(ZeroizingBytes(bytes))) }
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

/// Collects a body piece by piece, up to a cap. Memory that it outgrows is wiped.
pub struct BodyBuffer {
    bytes: ZeroizingBytes,
    cap: usize,
}

impl BodyBuffer {
    /// A buffer for at most `cap` bytes.
    pub fn new(cap: usize) -> Self {
        Self { bytes: ZeroizingBytes::default(), cap }
    }

    /// Appends a piece. [`TooLarge`](TransportErrorKind::TooLarge), with nothing appended, where it would exceed the cap.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), TransportErrorKind> {
        let bytes = &mut self.bytes.0;
        let needed = bytes.len().checked_add(piece.len()).filter(|needed| *needed <= self.cap);
        let needed = needed.ok_or(TransportErrorKind::TooLarge)?;
        if needed > bytes.capacity() {
            self.grow(needed);
        }
        self.bytes.0.extend_from_slice(piece);
        Ok(())
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let old = &self.bytes.0;
        // 64 bytes more than needed: after a long token a few bytes follow, and those should not copy it once more.
        let mut grown = Vec::with_capacity(needed.saturating_add(64).max(2 * old.capacity()).max(512));
        grown.extend_from_slice(old);
        self.bytes = ZeroizingBytes(grown);
    }

    /// The collected body.
    pub fn finish(mut self) -> Body {
        Body::from(std::mem::take(&mut self.bytes.0))
    }
}

/// The bytes that were appended so far.
impl AsRef<[u8]> for BodyBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes.0
    }
}

impl io::Write for BodyBuffer {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        self.push(piece).map_err(too_large)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cold]
fn too_large(kind: TransportErrorKind) -> io::Error {
    io::Error::other(TransportError::new(kind))
}

impl fmt::Debug for BodyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyBuffer({} of {} bytes)", self.bytes.0.len(), self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_stops_at_its_cap() {
        let mut buffer = BodyBuffer::new(1000);
        buffer.push(&[b'a'; 600]).unwrap();
        assert_eq!(buffer.push(&[b'b'; 401]), Err(TransportErrorKind::TooLarge));
        buffer.push(&[b'c'; 400]).unwrap();
        assert_eq!(buffer.finish().as_ref().len(), 1000);
    }

    #[test]
    fn a_body_hides_in_debug() {
        assert_eq!(format!("{:?}", Body::from(b"secret".to_vec())), "Body(6 bytes)");
    }
}
