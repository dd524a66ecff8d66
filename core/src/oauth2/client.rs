//! How a client proves itself (RFC 6749 §2.3, RFC 7523).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::pkce::base64url;
use crate::credentials::{Now, Secret, Wiped};
use crate::wire::form_encode;

/// How long an assertion is good for: clocks differ.
const ASSERTION_SECONDS: i64 = 300;

/// How a client proves itself. Stated, never probed: a wrong guess would send the secret where it does not belong.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Not at all: a program on its user's machine keeps no secret. It says its id.
    #[default]
    None,
    /// `client_secret_basic`: id and secret, each form-encoded first (RFC 6749 §2.3.1), in a header.
    SecretBasic(Secret),
    /// `client_secret_post`: id and secret in the body.
    SecretPost(Secret),
    /// `private_key_jwt`: a signed statement in the body (RFC 7523 §2.2), which runs for five minutes by this machine's
    /// clock; where a token endpoint refuses it and tells another time, one by the endpoint's is made.
    PrivateKeyJwt(Assertions),
}

impl ClientAuth {
    /// The secret, where there is one.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            ClientAuth::SecretBasic(secret) | ClientAuth::SecretPost(secret) => Some(secret),
            ClientAuth::None | ClientAuth::PrivateKeyJwt(_) => None,
        }
    }

    /// Whether to make a proof may block.
    pub(super) fn may_block(&self) -> bool {
        matches!(self, ClientAuth::PrivateKeyJwt(assertions) if assertions.may_block())
    }
}

/// Signs what it is given: ES256 is built in behind the feature `es256`, a caller brings any other algorithm, or
/// a key that never leaves its hardware.
pub trait Signer: Send + Sync + 'static {
    /// The JWS name of the algorithm: `RS256`.
    fn algorithm(&self) -> &str;

    /// The key's id, where the server knows more than one.
    fn key_id(&self) -> Option<&str> {
        None
    }

    /// The JWS signature of these bytes. A key that cannot sign now answers nothing: the server refuses that in
    /// its own words.
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// Whether it may take longer than a computation: a key in hardware does. Then it is called on a thread of its own
    /// by the adapters.
    fn may_block(&self) -> bool {
        true
    }
}

/// Makes signed statements, each of which is good once. Clones share the count.
#[derive(Clone)]
pub struct Assertions {
    signer: Arc<dyn Signer>,
    seed: Secret,
    count: Arc<AtomicU64>,
    audience: Option<Box<str>>,
}

impl Assertions {
    /// With a key, and 32 random bytes that make each statement's id its own: a client that starts anew brings
    /// new ones.
    pub fn new(signer: impl Signer, seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self { signer: Arc::new(signer), seed: base64url(&*seed), count: Arc::default(), audience: None }
    }

    /// For a server that calls itself otherwise than its issuer, or its token endpoint where no issuer is known.
    #[must_use]
    pub fn with_audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.into());
        self
    }

    fn may_block(&self) -> bool {
        self.signer.may_block()
    }

    /// A statement that `client_id` is who it says (RFC 7523 §3).
    pub(super) fn sign(&self, client_id: &str, audience: &str, now: Now) -> Secret {
        let issued = now.wall.unix_millis().div_euclid(1000);
        let header = Header { alg: self.signer.algorithm(), typ: "JWT", kid: self.signer.key_id() };
        let claims = Claims {
            iss: client_id,
            sub: client_id,
            aud: self.audience.as_deref().unwrap_or(audience),
            jti: &self.next_id(now),
            iat: issued,
            exp: issued.saturating_add(ASSERTION_SECONDS),
        };
        let part = |json: serde_json::Result<Vec<u8>>| base64url(&json.unwrap_or_default());
        let (header, claims) = (part(serde_json::to_vec(&header)), part(serde_json::to_vec(&claims)));
        let message = dotted(&header, &claims);
        let signature = base64url(&self.signer.sign(message.expose().as_bytes()));
        dotted(&message, &signature)
    }

    /// From the seed, the time and the count: never twice, and nobody can guess the next.
    fn next_id(&self, now: Now) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(self.seed.expose().as_bytes());
        hash.update(now.wall.unix_millis().to_be_bytes());
        hash.update(count.to_be_bytes());
        base64url(&hash.finalize()).expose().to_owned()
    }
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions").field("algorithm", &self.signer.algorithm()).finish_non_exhaustive()
    }
}

/// Two parts with a dot between them.
fn dotted(one: &Secret, other: &Secret) -> Secret {
    // With room for both: growing would leave a copy behind.
    let mut text = String::with_capacity(one.expose().len() + 1 + other.expose().len());
    [one.expose(), ".", other.expose()].into_iter().for_each(|part| text.push_str(part));
    Secret::from(text)
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: &'a str,
    iat: i64,
    exp: i64,
}

/// `Authorization: Basic …`, in a wiped buffer, marked sensitive. `None` is impossible: Base64 fits a header.
pub(super) fn basic(client_id: &str, secret: &Secret) -> Option<HeaderValue> {
    let pair = Secret::from(format!("{}:{}", encoded(client_id).expose(), encoded(secret.expose()).expose()));
    let coded = Secret::from(Base64::encode_string(pair.expose().as_bytes()));
    let mut text = Vec::with_capacity("Basic ".len() + coded.expose().len());
    text.extend_from_slice(b"Basic ");
    text.extend_from_slice(coded.expose().as_bytes());
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(text))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// One value as it stands in a form.
fn encoded(value: &str) -> Secret {
    let pair = form_encode([("", value)]);
    Secret::from(pair.expose().trim_start_matches('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_form_encodes_id_and_secret_first() {
        // RFC 6749 §2.3.1 and appendix B.
        let header = basic("my app:1", &Secret::from("p%ss w=ö")).unwrap();
        assert!(header.is_sensitive());
        let coded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = Base64::decode_vec(coded).unwrap();
        assert_eq!(String::from_utf8(pair).unwrap(), "my+app%3A1:p%25ss+w%3D%C3%B6");
    }

    #[test]
    fn a_secret_that_begins_with_an_equals_sign_keeps_it() {
        assert_eq!(encoded("=x").expose(), "%3Dx");
        assert_eq!(encoded("").expose(), "");
    }

    struct Named;

    impl Signer for Named {
        fn algorithm(&self) -> &str {
            "none-of-yours"
        }

        fn key_id(&self) -> Option<&str> {
            Some("k1")
        }

        fn sign(&self, message: &[u8]) -> Vec<u8> {
            Sha256::digest(message).to_vec()
        }
    }

    fn claims(assertion: &Secret) -> serde_json::Value {
        let part = assertion.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&base64ct::Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
    }

    #[test]
    fn a_statement_names_client_audience_and_an_end() {
        let now = Now { wall: crate::Timestamp::from_unix_seconds(1_700_000_000), ..Now::default() };
        let claims = claims(&Assertions::new(Named, [7; 32]).sign("app", "https://a.example", now));
        assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
        assert_eq!(claims["aud"], "https://a.example");
        assert_eq!(claims["exp"], 1_700_000_300);
    }

    #[test]
    fn no_two_statements_have_one_id() {
        let assertions = Assertions::new(Named, [7; 32]);
        let mut ids: Vec<_> =
            (0..100).map(|_| claims(&assertions.clone().sign("app", "x", Now::default()))["jti"].to_string()).collect();
        ids.push(claims(&Assertions::new(Named, [8; 32]).sign("app", "x", Now::default()))["jti"].to_string());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 101);
    }

    #[test]
    fn the_same_seed_makes_the_same_statements() {
        let make = || Assertions::new(Named, [7; 32]).sign("app", "x", Now::default());
        assert_eq!(make().expose(), make().expose());
    }
}
