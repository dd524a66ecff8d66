//! What a resource server says of a bearer token (RFC 6750 §3).

use http::{HeaderMap, StatusCode, header};

use crate::exchange::Judgement;

/// What an answer says of the token. Where one lacks a scope, a new one of the same scope would not help.
pub(crate) fn judge(status: StatusCode, headers: &HeaderMap) -> Judgement {
    let challenges = headers.get_all(header::WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut errors = challenges.flat_map(parameters).filter(|(name, _)| name.eq_ignore_ascii_case("error"));
    match errors.next() {
        Some((_, "invalid_token")) if status.is_client_error() => Judgement::Rejected,
        Some((_, "insufficient_scope" | "invalid_request")) => Judgement::Accepted,
        _ if status == StatusCode::UNAUTHORIZED => Judgement::Rejected,
        _ => Judgement::Accepted,
    }
}

/// The parameters of all challenges in one header (RFC 9110 §11.6.1), without their quotes.
fn parameters(challenges: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut quoted = false;
    let parts = challenges.split(move |char| {
        quoted ^= char == '"';
        char == ',' && !quoted
    });
    parts.filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        // The scheme stands before the first one.
        let name = name.trim().rsplit([' ', '\t']).next()?;
        Some((name, value.trim().trim_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, challenge: &'static str) -> Judgement {
        let mut headers = HeaderMap::new();
        headers.insert(header::WWW_AUTHENTICATE, http::HeaderValue::from_static(challenge));
        judge(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn a_token_is_rejected_by_401_and_by_invalid_token() {
        for (status, challenge) in [
            (401, ""),
            (401, "Bearer"),
            (401, r#"Bearer realm="a, error=\"insufficient_scope\"""#),
            (401, r#"Bearer realm="example", error="invalid_token", error_description="The token expired""#),
            (401, r#"Basic realm="x", Bearer error="invalid_token""#),
            (400, "Bearer error=invalid_token"),
            (403, r#"DPoP algs="ES256",ERROR = "invalid_token""#),
        ] {
            assert_eq!(judged(status, challenge), Judgement::Rejected, "{status} {challenge}");
        }
    }

    #[test]
    fn a_token_that_lacks_a_scope_is_not_rejected() {
        for (status, challenge) in [
            (403, r#"Bearer error="insufficient_scope", scope="a b""#),
            (401, r#"Bearer error="insufficient_scope""#),
            (401, r#"Bearer realm="x", error="invalid_request""#),
            (400, r#"Bearer error="invalid_request""#),
            (403, ""),
            (403, r#"Bearer realm="error=invalid_token, ""#),
            (200, r#"Bearer error="invalid_token""#),
            (500, r#"Bearer error="invalid_token""#),
        ] {
            assert_eq!(judged(status, challenge), Judgement::Accepted, "{status} {challenge}");
        }
    }
}
