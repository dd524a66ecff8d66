//! Secrets: texts that are wiped and never shown by accident.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use zeroize::{Zeroize, Zeroizing};

/// A secret text, such as a password or token: wiped when dropped, hidden in `Debug`, not serialisable.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// The text itself. The name makes every place that reads it easy to find.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl From<String> for Secret {
    /// Copies the text and wipes the original. Turning it into a box could leave a copy in freed memory.
    fn from(mut text: String) -> Self {
        let secret = Self::from(text.as_str());
        text.zeroize();
        secret
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Bytes that are wiped when dropped, with their spare capacity. Faster than `Zeroizing<Vec<u8>>`, which wipes one
/// element after another: bytes can be wiped in one go.
#[derive(Default)]
pub(crate) struct ZeroizingBytes(pub(crate) Vec<u8>);

impl Drop for ZeroizingBytes {
    fn drop(&mut self) {
        self.0.spare_capacity_mut().zeroize();
        self.0.as_mut_slice().zeroize();
    }
}

impl AsRef<[u8]> for ZeroizingBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The longest token that is accepted, in bytes: 64 KiB, many times what services send. So every grant fits into a
/// store.
pub const MAX_TOKEN: usize = 64 * 1024;

/// The token is empty, begins or ends with a blank, is longer than [`MAX_TOKEN`], or has characters that a header
/// cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is empty, too long, or has characters that a header must not carry")]
pub struct InvalidToken;

/// Checks that a token can be part of a header: printable ASCII (`VSCHAR`, RFC 6749 appendix A), not empty, without
/// blanks at its ends, not longer than [`MAX_TOKEN`].
pub fn check_token(token: &str) -> Result<(), InvalidToken> {
    if token.len() > MAX_TOKEN { Err(InvalidToken) } else { check_visible(token) }
}

/// As [`check_token`], at any length.
pub(crate) fn check_visible(token: &str) -> Result<(), InvalidToken> {
    let bytes = token.as_bytes();
    // A maximum without an early exit, which the compiler vectorises: tokens are long.
    let visible = bytes.iter().fold(0, |odd: u8, byte| odd.max(byte.wrapping_sub(b' '))) <= b'~' - b' ';
    // All are visible or blank here, so only a blank must be excluded at the ends.
    let trimmed = |end: Option<&u8>| end.is_some_and(|byte| *byte != b' ');
    if visible && trimmed(bytes.first()) && trimmed(bytes.last()) { Ok(()) } else { Err(InvalidToken) }
}

/// The values of an `Authorization` header with and without the token type, in one buffer that is wiped when dropped.
#[derive(Clone)]
pub(crate) struct HeaderPair {
    pub(crate) typed: HeaderValue,
    pub(crate) raw: HeaderValue,
}

impl HeaderPair {
    /// `Bearer x`, and its slice `x`.
    pub(crate) fn new(token_type: &str, token: &str) -> Result<Self, InvalidToken> {
        check_token(token)?;
        check_token(token_type)?;
        let mut text = Vec::with_capacity(token_type.len() + 1 + token.len());
        text.extend_from_slice(token_type.as_bytes());
        text.push(b' ');
        text.extend_from_slice(token.as_bytes());
        let whole = Bytes::from_owner(ZeroizingBytes(text));
        let header = |bytes: Bytes| {
            let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| InvalidToken)?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self { raw: header(whole.slice(token_type.len() + 1..))?, typed: header(whole)? })
    }
}

/// Masks an e-mail address or user name for logs: `g***@example.com`.
pub fn masked(name: &str) -> impl fmt::Display + fmt::Debug + Copy {
    Masked(name)
}

#[derive(Clone, Copy)]
struct Masked<'a>(&'a str);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, host) = self.0.rsplit_once('@').unwrap_or((self.0, ""));
        for first in user.chars().take(1).filter(|first| !first.is_control()) {
            write!(f, "{first}")?;
        }
        f.write_str("***")?;
        if host.is_empty() {
            return Ok(());
        }
        f.write_str("@")?;
        host.chars().filter(|c| !c.is_control()).take(64).try_for_each(|c| write!(f, "{c}"))
    }
}

impl fmt::Debug for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_in_debug() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "Secret(***)");
        let pair = HeaderPair::new("Bearer", "hunter2").unwrap();
        assert!(!format!("{:?}{:?}", pair.raw, pair.typed).contains("hunter2"));
    }

    #[test]
    fn both_header_values_share_one_buffer() {
        let pair = HeaderPair::new("Bearer", "abc.def").unwrap();
        assert_eq!(pair.typed.as_bytes(), b"Bearer abc.def");
        assert_eq!(pair.raw.as_bytes(), b"abc.def");
        let whole = pair.typed.as_bytes().as_ptr_range();
        assert!(whole.contains(&pair.raw.as_bytes().as_ptr()));
    }

    #[test]
    fn tokens_with_control_characters_are_refused() {
        for bad in ["", " ", "a\r\nb", "a\0b", "é", " a", "a ", "a\u{7f}", "a\u{1f}b", "a\u{80}b"] {
            assert_eq!(check_token(bad), Err(InvalidToken), "{bad:?}");
        }
        for good in ["ey.J_-~+/=", "a b", "~", "!"] {
            assert_eq!(check_token(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn names_are_masked() {
        assert_eq!(masked("grower@example.com").to_string(), "g***@example.com");
        assert_eq!(masked("admin").to_string(), "a***");
        assert_eq!(masked("").to_string(), "***");
        assert_eq!(masked("\n@\u{1b}[2Jx").to_string(), "***@[2Jx");
    }
}
