//! Tokens that look like the real ones: the right shape and length, every one different, none of them secret.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes tokens. Uniqueness comes from the counter, the random look from mixing it (splitmix64).
#[derive(Default)]
pub(crate) struct Mint {
    counter: AtomicU64,
}

impl Mint {
    /// A signed JWT to look at, about 1,000 characters, with the claims that clients read.
    pub(crate) fn jwt(&self, subject: &str, usage: &str, issued_at: u64, expires_at: u64) -> String {
        let mut source = self.source();
        let header = json!({"alg": "RS256", "kid": Base64::encode_string(&source.bytes(32))}).to_string();
        let claims = json!({
            "sub": subject,
            "token_use": usage,
            "iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_emulated",
            "iat": issued_at,
            "exp": expires_at,
            "jti": hex(&source.bytes(16)),
            "origin_jti": hex(&source.bytes(90)),
        })
        .to_string();
        let signature = source.bytes(256);
        let parts = [header.as_bytes(), claims.as_bytes(), &signature];
        parts.map(Base64UrlUnpadded::encode_string).join(".")
    }

    /// An opaque refresh token of about 1,000 characters, five parts like an encrypted JWT.
    pub(crate) fn opaque(&self) -> String {
        let mut source = self.source();
        [24, 256, 12, 448, 16].map(|size| Base64UrlUnpadded::encode_string(&source.bytes(size))).join(".")
    }

    /// An AWS access key id: `ASIA` and sixteen capitals or digits.
    pub(crate) fn access_key_id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bytes = self.source().bytes(16);
        let tail = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        "ASIA".chars().chain(tail).collect()
    }

    /// An AWS secret key: 40 characters, `+` and `/` among them.
    pub(crate) fn secret_key(&self) -> String {
        Base64::encode_string(&self.source().bytes(30))
    }

    /// An AWS session token of about 1,500 characters, padding included.
    pub(crate) fn session_token(&self) -> String {
        format!("IQoJb3JpZ2luX2Vj{}", Base64::encode_string(&self.source().bytes(1_114)))
    }

    fn source(&self) -> Source {
        Source(self.counter.fetch_add(1, Ordering::Relaxed).wrapping_mul(0xA076_1D64_78BD_642F))
    }
}

struct Source(u64);

impl Source {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Mint;
    use std::collections::HashSet;

    #[test]
    fn tokens_are_all_different_and_as_long_as_the_real_ones() {
        let mint = Mint::default();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let jwt = mint.jwt("somebody", "access", 1_700_000_000, 1_700_003_600);
            assert!((900..1_100).contains(&jwt.len()), "{}", jwt.len());
            let (opaque, session) = (mint.opaque(), mint.session_token());
            assert!((900..1_100).contains(&opaque.len()) && (1_400..1_600).contains(&session.len()));
            let (key_id, secret) = (mint.access_key_id(), mint.secret_key());
            assert_eq!((key_id.len(), secret.len()), (20, 40));
            for token in [jwt, opaque, session, key_id, secret] {
                assert!(seen.insert(token));
            }
        }
    }
}
