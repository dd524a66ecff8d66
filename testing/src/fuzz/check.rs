//! What is promised of grants, saved sessions and errors, whatever a service answers.

use std::fmt::Write as _;

use http::HeaderValue;
use perennial_core::credentials::{MAX_LIFETIME, Secret, check_token};
use perennial_core::wire::MAX_RETRY_AFTER;
use perennial_core::{
    AccessToken, AwsCredentials, Credentials, Error, Grant, LeaseId, Now, SavedSession, ServiceError, Validity,
};
use serde_json::Value;

/// Everything that a log may show of an error: `Debug`, `Display`, and its whole chain.
pub fn shown(error: &(impl std::error::Error + ?Sized)) -> String {
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
pub fn check_grant(grant: &Grant, now: Now) {
    let kept = grant.flaw.is_some() && grant.refresh_token.is_some();
    assert!(grant.access.is_some() || grant.aws.is_some() || kept, "a grant of nothing: {grant:?}");
    let access = grant.access.as_ref().map(AccessToken::validity);
    for validity in access.into_iter().chain(grant.aws.as_ref().map(AwsCredentials::validity)) {
        check_validity(validity, now);
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
pub fn check_validity(validity: &Validity, now: Now) {
    let left = validity.deadline().map(|deadline| deadline.remaining(now));
    assert!(left.is_none_or(|left| left <= MAX_LIFETIME), "{left:?} left");
    assert!(
        validity.lifetime().is_none_or(|lifetime| validity.margin() <= lifetime / 4),
        "a margin of {:?}",
        validity.margin()
    );
}

/// What is saved is read back the same.
pub fn check_saved(saved: &SavedSession, now: Now) {
    let json = saved.to_json();
    let again = SavedSession::parse(json.expose().as_bytes(), now);
    let again = again.unwrap_or_else(|error| panic!("not read back: {error}"));
    // By a clock that has gone back since, an issue lies in the future: that is noted.
    let doubts = LeaseId::ALL
        .into_iter()
        .any(|lease_id| again.credentials().validity(lease_id).is_some_and(Validity::is_uncertain));
    assert!(doubts || json.expose() == again.to_json().expose(), "written back otherwise");
}

/// No secret that cannot be chance is in what is shown, unless it is also one of the texts that may be.
pub fn check_hidden(shown: &str, secrets: &[&str], open: &[&str]) {
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
pub fn check_error(error: &ServiceError, body: &[u8]) {
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

/// All of a grant as text, secrets in the clear: to be compared, and never shown.
pub fn written(grant: &Grant) -> String {
    match Credentials::from_grant(grant.clone(), None) {
        Some(credentials) => SavedSession::new("provider", "realm", credentials).to_json().expose().to_owned(),
        None => {
            let aws = grant.aws.as_ref().map(|aws| {
                let parts = [aws.access_key_id(), aws.secret_access_key(), aws.session_token()];
                format!("{:?} {:?}", parts.map(Secret::expose), aws.validity())
            });
            format!("{aws:?} {:?} {:?}", grant.refresh_token.as_ref().map(Secret::expose), grant.flaw)
        }
    }
}

fn json(body: &[u8]) -> Option<Value> {
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
}
