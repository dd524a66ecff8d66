//! A session from an access token that already exists: an API key, or a token from another program.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::SignInMethod;
use super::answer::moment;
use super::settings::MARGIN;
use crate::credentials::{AccessToken, InvalidToken, Now, Validity};
use crate::grant::Grant;
use crate::wire::{self, Object};

/// A grant from a bare access token or API key, for [`install_grant`](crate::Session::install_grant).
///
/// Where the token is a JWT with an `exp`, it expires then; its signature is not checked. Otherwise its deadline is
/// unknown: it is used until the service's API rejects it. There is no refresh token, so the session then has to sign
/// in, with a login of its own or a new one.
///
/// ```
/// # use perennial_core::providers::mosaia::bare_token;
/// # use perennial_core::Now;
/// # let now = Now::default();
/// let grant = bare_token("an-api-key", now)?;
/// assert!(grant.access.is_some_and(|access| access.validity().deadline().is_none()));
/// # Ok::<(), perennial_core::credentials::InvalidToken>(())
/// ```
pub fn bare_token(token: &str, now: Now) -> Result<Grant, InvalidToken> {
    let validity = match expiry(token) {
        Some(end) => {
            Validity::with_lifetime(now, std::time::Duration::try_from(end.since(now.wall)).unwrap_or_default())
        }
        None => Validity::unknown(now),
    };
    Ok(Grant {
        access: Some(AccessToken::new("Bearer", token, validity.with_margin(MARGIN))?),
        grant_type: Some(SignInMethod::Token.name()),
        ..Grant::default()
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    exp: Value,
}

/// The `exp` of a JWT (RFC 7519 §4.1.4).
fn expiry(token: &str) -> Option<crate::credentials::Timestamp> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let claims = Zeroizing::new(Base64UrlUnpadded::decode_vec(claims).ok()?);
    let Object(claims) = wire::parse_json::<Object<Claims>>(&claims).ok()?;
    moment(&claims?.exp)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::credentials::Timestamp;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.c2ln", Base64UrlUnpadded::encode_string(claims.as_bytes()))
    }

    fn lifetime(token: &str) -> Option<Duration> {
        let now = Now::new(Timestamp::from_unix_seconds(1_000_000_000), Duration::ZERO);
        bare_token(token, now).unwrap().access.unwrap().validity().lifetime()
    }

    #[test]
    fn a_jwt_expires_at_its_exp() {
        assert_eq!(lifetime(&jwt(r#"{"exp":1000000600}"#)), Some(Duration::from_secs(600)));
        assert_eq!(lifetime(&jwt(r#"{"exp":1000000600000}"#)), Some(Duration::from_secs(600)));
        assert_eq!(lifetime(&jwt(r#"{"exp":999999999}"#)), Some(Duration::ZERO));
    }

    #[test]
    fn the_deadline_of_any_other_token_is_unknown() {
        for token in ["key", "a.b.c", "a..b", "a.b.c.d", &jwt("{}"), &jwt("[]"), &jwt(r#"{"exp":"soon"}"#)] {
            assert_eq!(lifetime(token), None, "{token}");
        }
        assert!(bare_token("", Now::default()).is_err() && bare_token("a\nb", Now::default()).is_err());
    }

    #[test]
    fn a_bare_token_says_how_its_session_was_begun() {
        assert_eq!(bare_token("an-api-key", Now::default()).unwrap().grant_type, Some(SignInMethod::Token.name()));
    }
}
