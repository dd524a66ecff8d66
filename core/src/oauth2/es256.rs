//! ES256 signatures (RFC 7518 §3.4): ECDSA over P-256. They are deterministic (RFC 6979) and need no randomness.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::client::Signer;
use crate::wire::{Object, Text};

/// A P-256 private key that signs client assertions with ES256. Wiped when dropped.
pub struct Es256 {
    key: SigningKey,
    key_id: Option<Box<str>>,
}

/// This is no private key of P-256. The error does not repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a private key of P-256")]
pub struct InvalidKey;

impl Es256 {
    /// A key from its private scalar, big-endian.
    pub fn new(scalar: [u8; 32]) -> Result<Self, InvalidKey> {
        Self::from_slice(&*Zeroizing::new(scalar))
    }

    // By reference: moving an array leaves copies behind.
    fn from_slice(scalar: &[u8]) -> Result<Self, InvalidKey> {
        let key = SigningKey::from_slice(scalar).map_err(|_| InvalidKey)?;
        Ok(Self { key, key_id: None })
    }

    /// A key from a private JWK (RFC 7517, RFC 7518 §6.2): `kty` is `EC`, `crv` is `P-256`, `d` is the scalar; `kid`,
    /// if present, becomes the key's id.
    pub fn from_jwk(json: &str) -> Result<Self, InvalidKey> {
        let Object(jwk) = serde_json::from_str::<Object<Jwk<'_>>>(json).map_err(|_| InvalidKey)?;
        let jwk = jwk.filter(|jwk| jwk.kty.get() == Some("EC") && jwk.crv.get() == Some("P-256")).ok_or(InvalidKey)?;
        let mut scalar = Zeroizing::new([0; 32]);
        let read = Base64UrlUnpadded::decode(jwk.d.get().ok_or(InvalidKey)?, &mut *scalar).map_err(|_| InvalidKey)?;
        if read.len() != 32 {
            return Err(InvalidKey);
        }
        Ok(Self { key_id: jwk.kid.get().map(Into::into), ..Self::from_slice(&*scalar)? })
    }

    /// Sets the id (`kid`) under which the server knows the key.
    #[must_use]
    pub fn with_key_id(mut self, key_id: &str) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
}

#[derive(Deserialize)]
struct Jwk<'a> {
    #[serde(borrow, default)]
    kty: Text<'a>,
    #[serde(borrow, default)]
    crv: Text<'a>,
    #[serde(borrow, default)]
    d: Text<'a>,
    #[serde(borrow, default)]
    kid: Text<'a>,
}

impl Signer for Es256 {
    fn algorithm(&self) -> &str {
        "ES256"
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        // JWS has r and s one after the other (RFC 7518 §3.4), not DER.
        let signature: Signature = self.key.sign(message);
        signature.to_bytes().to_vec()
    }

    /// The key is in memory: signing only computes.
    fn may_block(&self) -> bool {
        false
    }
}

impl fmt::Debug for Es256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Es256").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Verifier as _;

    use super::*;

    /// RFC 7515 appendix A.3.1.
    const JWK: &str = r#"{"kty":"EC","crv":"P-256",
        "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","kid":"k1"}"#;

    #[test]
    fn a_signature_is_64_bytes_and_verifies() {
        let key = Es256::from_jwk(JWK).unwrap();
        let signature = key.sign(b"message");
        assert_eq!((signature.len(), key.key_id()), (64, Some("k1")));
        let parsed = Signature::from_slice(&signature).unwrap();
        assert!(key.key.verifying_key().verify(b"message", &parsed).is_ok());
        assert_eq!(signature, Es256::from_jwk(JWK).unwrap().sign(b"message"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for odd in
            ["", "{}", "[]", &JWK.replace("P-256", "P-384"), &JWK.replace("jps", ""), &JWK.replace("\"d\"", "\"e\"")]
        {
            assert_eq!(Es256::from_jwk(odd).unwrap_err(), InvalidKey, "{odd}");
        }
        assert_eq!(Es256::new([0; 32]).unwrap_err(), InvalidKey);
        assert_eq!(Es256::new([255; 32]).unwrap_err(), InvalidKey);
    }

    #[test]
    fn a_key_hides_in_debug() {
        assert_eq!(format!("{:?}", Es256::from_jwk(JWK).unwrap()), "Es256 { key_id: Some(\"k1\"), .. }");
    }
}
