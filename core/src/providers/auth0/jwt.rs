//! The deadline of a JWT (RFC 7519). Signatures are not checked: the service does that.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credentials::{Now, Timestamp, Validity, check_token};
use crate::wire::Object;

/// Whether a JWT is still valid, by its own `exp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtStatus {
    /// It is valid until then.
    ValidUntil(Timestamp),
    /// It expired then. Sign in.
    ExpiredAt(Timestamp),
    /// It has no `exp`: it can be used until the service rejects it.
    Unlimited,
    /// It is no JWT. Sign in.
    Unreadable,
}

impl JwtStatus {
    /// Whether the token can be used.
    pub fn is_usable(self) -> bool {
        matches!(self, JwtStatus::ValidUntil(_) | JwtStatus::Unlimited)
    }
}

/// Whether a JWT is still valid, by this machine's wall clock. No request is made and no signature checked. `token` may
/// also be the value of its cookie, with quotes.
pub fn validate(token: &str, now: Now) -> JwtStatus {
    match Claims::of(token.trim().trim_matches('"')) {
        None => JwtStatus::Unreadable,
        Some(Claims { expires_at: None, .. }) => JwtStatus::Unlimited,
        Some(Claims { expires_at: Some(end), .. }) if end <= now.wall => JwtStatus::ExpiredAt(end),
        Some(Claims { expires_at: Some(end), .. }) => JwtStatus::ValidUntil(end),
    }
}

/// The claims that are read: `exp` and `iat` (RFC 7519 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) expires_at: Option<Timestamp>,
    pub(super) issued_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    exp: Value,
    #[serde(default)]
    iat: Value,
}

impl Claims {
    /// The claims of a token; `None` where it is no JWT. A claim of another type counts as absent.
    pub(super) fn of(token: &str) -> Option<Self> {
        check_token(token).ok()?;
        let mut parts = token.split('.');
        let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let json = Zeroizing::new(Base64UrlUnpadded::decode_vec(payload.trim_end_matches('=')).ok()?);
        let Object(payload) = serde_json::from_slice::<Object<Payload>>(&json).ok()?;
        let Payload { exp, iat } = payload?;
        Some(Self { expires_at: moment(&exp), issued_at: moment(&iat) })
    }

    /// The validity of a token that the server just sent, with its `exp` counted by the server's clock.
    pub(super) fn validity(&self, sent: Now, server: Option<Timestamp>) -> Validity {
        match self.expires_at {
            None => Validity::unknown(sent),
            Some(end) => {
                let left = Duration::try_from(end.since(server.unwrap_or(sent.wall))).unwrap_or_default();
                Validity::with_lifetime(sent, left)
            }
        }
    }
}

/// A `NumericDate` (RFC 7519 §2): seconds, with or without a fraction. Some servers send it as a text.
fn moment(value: &Value) -> Option<Timestamp> {
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    // The cast saturates; an f64 holds whole seconds exactly for 285 million years.
    #[expect(clippy::cast_possible_truncation, reason = "saturates")]
    seconds.filter(|seconds| !seconds.is_nan()).map(|seconds| Timestamp::from_unix_millis((seconds * 1000.0) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(payload.as_bytes()))
    }

    fn now() -> Now {
        Now::new(Timestamp::from_unix_seconds(1_700_000_000), Duration::from_secs(5))
    }

    #[test]
    fn a_tokens_status_follows_its_exp() {
        let end = Timestamp::from_unix_seconds;
        for (payload, validity) in [
            (r#"{"exp":1700000001}"#, JwtStatus::ValidUntil(end(1_700_000_001))),
            (r#"{"exp":1700000000}"#, JwtStatus::ExpiredAt(end(1_700_000_000))),
            (r#"{"exp":1.700000001e9,"sub":"x"}"#, JwtStatus::ValidUntil(end(1_700_000_001))),
            (r#"{"exp":" 1700000001 "}"#, JwtStatus::ValidUntil(end(1_700_000_001))),
            (r#"{"exp":1700000000.5}"#, JwtStatus::ValidUntil(Timestamp::from_unix_millis(1_700_000_000_500))),
            (r#"{"exp":0}"#, JwtStatus::ExpiredAt(end(0))),
            (r#"{"exp":-1e300}"#, JwtStatus::ExpiredAt(Timestamp::from_unix_millis(i64::MIN))),
            (r#"{"exp":1e300}"#, JwtStatus::ValidUntil(Timestamp::from_unix_millis(i64::MAX))),
            (r#"{"exp":null}"#, JwtStatus::Unlimited),
            (r#"{"exp":"soon"}"#, JwtStatus::Unlimited),
            (r#"{"exp":[1]}"#, JwtStatus::Unlimited),
            ("{}", JwtStatus::Unlimited),
            (r#"{"exp":1700000001,"exp":1}"#, JwtStatus::Unreadable),
            ("[1700000001]", JwtStatus::Unreadable),
            ("null", JwtStatus::Unreadable),
            ("{", JwtStatus::Unreadable),
            ("", JwtStatus::Unreadable),
        ] {
            assert_eq!(validate(&token(payload), now()), validity, "{payload}");
            assert_eq!(validate(&format!(" \"{}\" ", token(payload)), now()), validity, "{payload}");
        }
    }

    #[test]
    fn a_text_that_is_no_jwt_is_unreadable() {
        let good = token(r#"{"exp":1700000001}"#);
        for bad in [
            String::new(),
            "garbage".into(),
            "a.b".into(),
            "..".into(),
            format!("{good}.x"),
            good.replace('.', "\n."),
            "e30.é.c".into(),
            "e30.!!!!.c".into(),
        ] {
            assert_eq!(validate(&bad, now()), JwtStatus::Unreadable, "{bad}");
            assert!(!validate(&bad, now()).is_usable());
        }
        assert!(validate(&good, now()).is_usable());
    }

    #[test]
    fn an_exp_is_counted_by_the_servers_clock() {
        let claims = Claims::of(&token(r#"{"exp":1700003600}"#)).unwrap();
        let left = |server: Option<i64>| claims.validity(now(), server.map(Timestamp::from_unix_seconds)).lifetime();
        assert_eq!(left(None), Some(Duration::from_secs(3600)));
        assert_eq!(left(Some(1_700_003_500)), Some(Duration::from_secs(100)));
        assert_eq!(left(Some(1_700_003_700)), Some(Duration::ZERO));
        assert_eq!(Claims::of(&token("{}")).unwrap().validity(now(), None).deadline(), None);
    }
}
