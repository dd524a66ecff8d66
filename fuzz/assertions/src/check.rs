//! What every target holds a parser to.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use perennial_core::Grant;
use perennial_core::credentials::{
    AccessToken, AwsCredentials, Credentials, MAX_LIFETIME, Now, Secret, Timestamp, Validity, check_token,
};
use perennial_core::exchange::Response;
use perennial_core::store::SavedSession;
use perennial_core::wire::{Body, MAX_RETRY_AFTER};
use perennial_core::{Error, ServiceError};

/// What the clocks may say: mostly what they do, and what broken ones have said.
const WALLS: [i64; 7] = [1_700_000_000_000, 0, -1, i64::MIN, i64::MAX, 253_402_300_799_999, 1_700_000_000_001];

/// Both clocks, as one byte of the input chooses them.
pub(super) fn clock(choice: u8) -> Now {
    let wall = WALLS[usize::from(choice >> 2) % WALLS.len()];
    let monotonic = [Duration::from_secs(1000), Duration::ZERO, Duration::MAX, Duration::from_millis(1)];
    Now::new(Timestamp::from_unix_millis(wall), monotonic[usize::from(choice & 3)])
}

/// An answer, and what it is an answer to.
pub(super) struct Received<'a> {
    /// Chooses the endpoint.
    pub(super) endpoint: u8,
    pub(super) now: Now,
    pub(super) response: Response,
    pub(super) body: &'a [u8],
}

/// Four bytes (the endpoint, the status in two, the clocks), then headers as lines with an empty line behind them, or
/// no headers, then the body.
pub(super) fn received(data: &[u8]) -> Option<Received<'_>> {
    let [endpoint, high, low, clocks, rest @ ..] = data else { return None };
    let (headers, body) = head(rest).unwrap_or((HeaderMap::new(), rest));
    let mut response = Response::new(Body::from(body.to_vec()));
    *response.headers_mut() = headers;
    // Mostly 200, or nothing would be parsed.
    let status = u16::from_be_bytes([*high, *low]);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Some(Received { endpoint: *endpoint, now: clock(*clocks), response, body })
}

/// `None` where a body begins at once.
fn head(data: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let mut headers = HeaderMap::new();
    for line in data[..end].split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        headers.append(name.ok()?, value.ok()?);
    }
    Some((headers, &data[end + 2..]))
}

/// What a parser said, in a form that two runs can be compared by.
pub(super) fn outcome<T>(said: &Result<T, impl std::error::Error>, write: impl FnOnce(&T) -> String) -> String {
    match said {
        Ok(value) => write(value),
        Err(error) => shown(error),
    }
}

/// Everything that a log may show of an error: `Debug`, `Display`, and its whole chain.
pub(super) fn shown(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = error.source();
    while let Some(source) = next {
        // Into memory: it cannot fail.
        let _ = write!(text, " {source:?} {source}");
        next = source.source();
    }
    text
}

/// A grant is whole, of bounded length, made of tokens that a header can carry, shows nothing, and outlives a save.
pub(super) fn check_grant(grant: &Grant, now: Now) {
    let kept = grant.flaw.is_some() && grant.refresh_token.is_some();
    assert!(grant.access.is_some() || grant.aws.is_some() || kept, "a grant of nothing");
    let access = grant.access.as_ref().map(AccessToken::validity);
    for validity in access.into_iter().chain(grant.aws.as_ref().map(AwsCredentials::validity)) {
        check_term(validity, now);
    }
    let mut secrets = Vec::new();
    if let Some(access) = &grant.access {
        secrets.push(access.expose());
        assert_eq!(access.raw_header().as_bytes(), access.expose().as_bytes());
        assert!(access.typed_header().is_sensitive() && access.raw_header().is_sensitive());
    }
    if let Some(aws) = &grant.aws {
        secrets.extend([aws.access_key_id(), aws.secret_access_key(), aws.session_token()].map(Secret::expose));
    }
    secrets.extend([&grant.refresh_token, &grant.id_token].into_iter().flatten().map(Secret::expose));
    for secret in &secrets {
        assert!(check_token(secret).is_ok(), "a token that is empty, or that no header can carry");
        assert!(HeaderValue::from_str(secret).is_ok(), "a token that is no header value");
    }
    check_hidden(&format!("{grant:?}"), &secrets, &[]);
    if let Some(credentials) = Credentials::from_grant(grant.clone(), None) {
        check_saved(&SavedSession::new("provider", "realm", credentials), now);
    }
}

/// No lease lives longer than anybody believes.
pub(super) fn check_term(validity: &Validity, now: Now) {
    let left = validity.deadline().map(|deadline| deadline.remaining(now));
    assert!(left.is_none_or(|left| left <= MAX_LIFETIME), "{left:?} left");
    assert!(
        validity.lifetime().is_none_or(|lifetime| validity.margin() <= lifetime / 4),
        "a margin of {:?}",
        validity.margin()
    );
}

/// What is saved is read back the same.
pub(super) fn check_saved(saved: &SavedSession, now: Now) {
    let json = saved.to_json();
    let again = SavedSession::parse(json.expose().as_bytes(), now);
    let again = again.unwrap_or_else(|error| panic!("not read back: {error}"));
    // By a clock that has gone back since, an issue lies in the future: that is noted.
    let doubts = perennial_core::LeaseId::ALL
        .into_iter()
        .any(|lease_id| again.credentials().validity(lease_id).is_some_and(Validity::is_uncertain));
    assert!(doubts || json.expose() == again.to_json().expose(), "written back otherwise");
}

/// No secret that cannot be chance is in what is shown, unless it is also one of the texts that may be.
pub(super) fn check_hidden(shown: &str, secrets: &[&str], open: &[&str]) {
    for secret in secrets {
        // A fuzzer learns the words that are ours, and the numbers beside them.
        let plain = secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        let letters = secret.bytes().filter(u8::is_ascii_alphabetic).count();
        let telling = secret.len() >= 12 && plain && letters >= 4 && has_digit(secret);
        let allowed = || open.iter().any(|open| open.contains(secret));
        assert!(!telling || !shown.contains(secret) || allowed(), "a secret shows");
    }
}

/// An error shows no more of a body than the service's own words: cut, printable, without addresses and tokens.
pub(super) fn check_error(error: &ServiceError, body: &[u8]) {
    let shown = shown(error);
    assert!(shown.len() < 2500, "an error as long as the body");
    assert!(!error.to_string().chars().any(char::is_control), "an error with control characters");
    assert!(!shown.contains('@'), "an error with an address in it");
    let wait = Error::from(error.clone()).retry_after();
    assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{wait:?}");
    if error.code().is_none() && error.message().is_none() {
        let bare = ServiceError::new(error.kind());
        let bare = error.status().map_or(bare.clone(), |status| bare.with_status(status));
        assert_eq!(shown, self::shown(&bare), "more than kind and status");
        return;
    }
    if let Some(json) = json(body) {
        each_text(&json, &mut |text| {
            let opaque = text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_graphic());
            assert!(!opaque || !has_digit(text) || !shown.contains(text), "what may be a token shows");
        });
    }
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Any other error repeats nothing: what can be copied owns no text, and what it borrows for ever is ours.
pub(super) fn check_silent(error: impl std::error::Error + Copy + 'static) {
    let shown = shown(&error);
    assert!(shown.len() < 500, "{} bytes of error", shown.len());
}

/// A body that was granted is refused as soon as the service says no in the same breath.
pub(super) fn with_error(response: &Response, body: &[u8], said: &str) -> Option<Response> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start().strip_prefix('{')?;
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let mut refused = Response::new(Body::from(format!("{{{said}{comma}{rest}").into_bytes()));
    *refused.status_mut() = response.status();
    *refused.headers_mut() = response.headers().clone();
    Some(refused)
}

pub(super) fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()
}

fn each_text(value: &Value, look: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => look(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, look)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, look)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::ServiceErrorKind;

    #[test]
    #[should_panic(expected = "what may be a token shows")]
    fn a_token_in_an_error_is_noticed() {
        // One short of the length from which words are masked; `Display` puts brackets around it.
        let error = ServiceError::new(ServiceErrorKind::Service).with_code("abcdefghijklmn1");
        check_error(&error, b"{\"a\":\"[abcdefghijklmn1]\"}");
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let received = received(b"\x01\x01\x90\x00Date: x\nRetry-After: 5\n\n{}").unwrap();
        assert_eq!((received.endpoint, received.response.status().as_u16(), received.body), (1, 400, &b"{}"[..]));
        assert_eq!(received.response.headers()["retry-after"], "5");
        let bare = super::received(b"\x00\xff\xff\x00{\"a\":\n\n1}").unwrap();
        assert_eq!((bare.response.status().as_u16(), bare.response.headers().len()), (200, 0));
        assert_eq!(bare.response.body().as_ref(), b"{\"a\":\n\n1}");
    }
}
