//! Tokens that were kept elsewhere, and the cookie name that is kept beside them.

use serde_json::{Value, json};

use super::jwt::Claims;
use super::settings::NAME;
use crate::credentials::{AccessToken, Credentials, Now, Secret, Validity};
use crate::error::ImportError;
use crate::grant::Grant;
use crate::store::SavedSession;

/// The token is no JWT (RFC 7519). Sign in instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token is no JWT")]
pub struct InvalidJwt;

/// The extra field with the name of the cookie that the token came in.
const COOKIE: &str = "cookie";

pub(super) fn cookie_extra(name: &str) -> Secret {
    json!({COOKIE: name}).to_string().into()
}

pub(super) fn cookie_name(credentials: &Credentials) -> Option<String> {
    match credentials.extra(COOKIE)? {
        Value::String(name) if !name.is_empty() => Some(name),
        _ => None,
    }
}

pub(super) fn grant(token: &str, now: Now) -> Result<Grant, InvalidJwt> {
    let token = token.trim().trim_matches('"');
    let claims = Claims::of(token).ok_or(InvalidJwt)?;
    let access = AccessToken::new("Bearer", token, kept_validity(claims, now)).map_err(|_| InvalidJwt)?;
    Ok(Grant { access: Some(access), ..Grant::default() })
}

/// The validity by the token's own `iat` and `exp`.
fn kept_validity(claims: Claims, now: Now) -> Validity {
    let Some(end) = claims.expires_at else { return Validity::unknown(now) };
    let issued_at = claims.issued_at.unwrap_or(now.wall).min(end);
    Validity::restored(issued_at, end.since(issued_at).try_into().ok(), now)
}

pub(super) fn read(namespace: &str, saved: &[u8], now: Now) -> Result<SavedSession, ImportError> {
    let no_jwt = |_| ImportError::Malformed { what: "its token is no JWT" };
    let text = std::str::from_utf8(saved).map_err(|_| ImportError::Malformed { what: "not UTF-8" })?;
    if text.trim_start().starts_with('{') {
        let saved = SavedSession::parse(saved, now)?;
        // A token that is no JWT would be sent to the service again and again.
        Claims::of(saved.credentials().access().expose()).ok_or(InvalidJwt).map_err(no_jwt)?;
        return Ok(saved);
    }
    let grant = grant(text, now).map_err(no_jwt)?;
    let credentials = Credentials::from_grant(grant, None).ok_or(ImportError::Malformed { what: "no access token" })?;
    Ok(SavedSession::new(NAME, namespace, credentials))
}
