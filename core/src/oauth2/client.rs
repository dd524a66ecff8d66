//! Client authentication at the token endpoint (RFC 6749 §2.3, RFC 7523).

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
use crate::credentials::{Now, Secret, ZeroizingBytes};
use crate::wire::form_encode;

/// How long an assertion is valid, in seconds. Five minutes leave room for clocks that differ.
const ASSERTION_SECONDS: i64 = 300;

/// How the client authenticates at the token endpoint: `none`, `client_secret_basic`, `client_secret_post` or
/// `private_key_jwt`. It is stated and never probed: a wrong guess would send the secret where it does not belong.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// `none`: a public client sends its id alone. Programs on their users' machines cannot keep a secret.
    #[default]
    None,
    /// `client_secret_basic`: id and secret in an HTTP Basic header, each form-encoded first (RFC 6749 §2.3.1).
    SecretBasic(Secret),
    /// `client_secret_post`: id and secret in the body (RFC 6749 §2.3.1).
    SecretPost(Secret),
    /// `private_key_jwt`: a signed assertion in the body (RFC 7523 §2.2), valid for five minutes by this machine's
    /// clock. If the token endpoint rejects it and its `Date` is more than 30 s away from ours, a second one is made
    /// for the server's time.
    PrivateKeyJwt(Assertions),
}

impl ClientAuth {
    /// The client secret, if it authenticates with one.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            ClientAuth::SecretBasic(secret) | ClientAuth::SecretPost(secret) => Some(secret),
            ClientAuth::None | ClientAuth::PrivateKeyJwt(_) => None,
        }
    }

    /// Whether making the proof may block the thread.
    pub(super) fn may_block(&self) -> bool {
        matches!(self, ClientAuth::PrivateKeyJwt(assertions) if assertions.may_block())
    }
}

/// Signs client assertions (JWS). `Es256` is built in behind the feature `es256`; implement this for any other
/// algorithm, or for a key that never leaves its hardware.
pub trait Signer: Send + Sync + 'static {
    /// The JWS name of the algorithm (RFC 7518 §3.1): `RS256`.
    fn algorithm(&self) -> &str;

    /// The key's id (`kid`), for a server that knows more than one key of the client.
    fn key_id(&self) -> Option<&str> {
        None
    }

    /// The JWS signature of these bytes. Return no bytes where the key cannot sign now: the server then rejects the
    /// assertion.
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// Whether signing may block, as with a key in hardware. The adapters then call it on a thread of its own.
    fn may_block(&self) -> bool {
        true
    }
}

/// Makes client assertions (RFC 7523): signed JWTs, each with an id of its own. Clones share one counter, so their ids
/// differ too.
#[derive(Clone)]
pub struct Assertions {
    signer: Arc<dyn Signer>,
    seed: Secret,
    count: Arc<AtomicU64>,
    audience: Option<Box<str>>,
}

impl Assertions {
    /// Assertions signed by this key. `seed` is 32 random bytes from which the ids (`jti`) are made: take new ones each
    /// time the program starts, or ids repeat.
    pub fn new(signer: impl Signer, seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self { signer: Arc::new(signer), seed: base64url(&*seed), count: Arc::default(), audience: None }
    }

    /// Sets the audience (`aud`). By default it is the profile's issuer or, without one, the token endpoint.
    #[must_use]
    pub fn with_audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.into());
        self
    }

    fn may_block(&self) -> bool {
        self.signer.may_block()
    }

    /// An assertion by which `client_id` authenticates (RFC 7523 §3).
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

    /// A hash of the seed, the time and the count: it never repeats, and nobody can guess the next.
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

/// Joins two parts of a JWT with a dot.
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
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(ZeroizingBytes(text))).ok()?;
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
    fn an_assertion_names_client_audience_and_expiry() {
        let now = Now { wall: crate::Timestamp::from_unix_seconds(1_700_000_000), ..Now::default() };
        let claims = claims(&Assertions::new(Named, [7; 32]).sign("app", "https://a.example", now));
        assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
        assert_eq!(claims["aud"], "https://a.example");
        assert_eq!(claims["exp"], 1_700_000_300);
    }

    #[test]
    fn no_two_assertions_share_an_id() {
        let assertions = Assertions::new(Named, [7; 32]);
        let mut ids: Vec<_> =
            (0..100).map(|_| claims(&assertions.clone().sign("app", "x", Now::default()))["jti"].to_string()).collect();
        ids.push(claims(&Assertions::new(Named, [8; 32]).sign("app", "x", Now::default()))["jti"].to_string());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 101);
    }

    #[test]
    fn the_same_seed_makes_the_same_assertions() {
        let make = || Assertions::new(Named, [7; 32]).sign("app", "x", Now::default());
        assert_eq!(make().expose(), make().expose());
    }
}
