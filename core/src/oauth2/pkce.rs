//! PKCE: Proof Key for Code Exchange (RFC 7636), with S256 alone. The method `plain` is not offered.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::credentials::Secret;

/// A PKCE code verifier (RFC 7636 §4.1): 43 to 128 unreserved characters, wiped when dropped.
///
/// ```
/// use perennial_core::oauth2::Verifier;
///
/// # let random = [7; 32];
/// let verifier = Verifier::new(random); // 32 to 96 bytes from a source of randomness
/// assert_eq!(verifier.expose().len(), 43);
/// assert_eq!(verifier.challenge().len(), 43);
/// ```
#[derive(Clone)]
pub struct Verifier(Secret);

/// This text is no code verifier. The error does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code verifier has 43 to 128 unreserved characters")]
pub struct InvalidVerifier;

impl Verifier {
    /// The `code_challenge_method` of every challenge.
    pub const METHOD: &'static str = "S256";

    /// A verifier from 32 to 96 random bytes, a number that is checked when compiled. They become 43 to 128 characters.
    pub fn new<const N: usize>(mut entropy: [u8; N]) -> Self {
        const { assert!(N >= 32 && N <= 96, "a verifier has 32 to 96 bytes of entropy") };
        let verifier = Self(base64url(&entropy));
        entropy.zeroize();
        verifier
    }

    /// From part of an array, whose length the caller has checked.
    pub(super) fn from_bytes(entropy: &[u8]) -> Self {
        debug_assert!((32..=96).contains(&entropy.len()));
        Self(base64url(entropy))
    }

    /// Checks a verifier that was kept as text (RFC 7636 §4.1).
    pub fn parse(text: &str) -> Result<Self, InvalidVerifier> {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidVerifier)
        }
    }

    /// The text itself, for the token request and nothing else.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The `code_challenge` for the authorization URL: S256 (RFC 7636 §4.2). It is no secret.
    pub fn challenge(&self) -> String {
        Base64UrlUnpadded::encode_string(&Sha256::digest(self.expose().as_bytes()))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(***)")
    }
}

/// Bytes as base64url without padding, which needs no escape anywhere.
pub(super) fn base64url(bytes: &[u8]) -> Secret {
    Secret::from(Base64UrlUnpadded::encode_string(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636 appendix B.
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191,
            240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = Verifier::new(octets);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        assert_eq!(Verifier::new([255; 32]).expose().len(), 43);
        assert_eq!(Verifier::new([255; 96]).expose().len(), 128);
        for entropy in [[0; 48], [0xfb; 48], [0xff; 48]] {
            let verifier = Verifier::new(entropy);
            assert_eq!(Verifier::parse(verifier.expose()).unwrap().challenge(), verifier.challenge());
        }
        for bad in ["", &"a".repeat(42), &"a".repeat(129), &format!("{}+", "a".repeat(43)), &"é".repeat(43)] {
            assert_eq!(Verifier::parse(bad).unwrap_err(), InvalidVerifier, "{bad}");
        }
    }

    #[test]
    fn a_verifier_hides_in_debug() {
        assert_eq!(format!("{:?}", Verifier::new([7; 32])), "Verifier(***)");
    }
}
