//! Whether an answer is a success, and if not, what the service said.

use http::StatusCode;
use serde::Deserialize;

use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire;

use crate::wire::{Number, Object, Text};

/// What an answer was asked with. It decides what a refusal refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// E-mail and password.
    SignIn,
    /// A refresh token or an access token.
    Renewal,
}

/// What every answer begins with, whatever its `data` is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Head<'a> {
    code: Number,
    #[serde(borrow)]
    msg: Text<'a>,
    /// Gateways in front of the service call it so.
    #[serde(borrow)]
    message: Text<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn new(code: Number, msg: Text<'a>, message: Text<'a>) -> Self {
        Self { code, msg, message }
    }

    /// A missing code stands for the HTTP status.
    pub(super) fn is_success(&self) -> bool {
        matches!(self.code, Number::Is(200) | Number::Absent)
    }

    pub(super) fn code(&self) -> Option<i64> {
        self.code.value()
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.msg.or(&self.message)
    }
}

/// The failure in an answer whose HTTP status is no success, or whose envelope was not understood; `None` where
/// the envelope says success.
pub(super) fn failure_in(response: &Response, asked: Asked, now: Now) -> Option<ServiceError> {
    let status = response.status();
    let body = response.body().as_ref();
    let (head, body) = match wire::parse_json::<Object<Head<'_>>>(body) {
        Ok(Object(head)) => (head.unwrap_or_default(), Seen::Json),
        Err(_) if wire::looks_like_a_page(body) => (Head::default(), Seen::Page),
        Err(_) => (Head::default(), Seen::Other),
    };
    if status.is_success() && (body != Seen::Json || head.is_success()) {
        return None;
    }
    Some(failure(response, &head, body, asked, now))
}

/// The failure that an envelope tells of.
pub(super) fn failure_of(response: &Response, head: &Head<'_>, asked: Asked, now: Now) -> ServiceError {
    failure(response, head, Seen::Json, asked, now)
}

/// What a body looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Json,
    /// Somebody else's words: a proxy's, a captive portal's.
    Page,
    Other,
}

fn failure(response: &Response, head: &Head<'_>, body: Seen, asked: Asked, now: Now) -> ServiceError {
    let status = response.status();
    let error = by_status(status, response, head, asked, now)
        .or_else(|| by_code(response, head, asked, now))
        .unwrap_or_else(|| ServiceError::new(by_words(status, head, body, asked)));
    let error = error.with_status(status).with_retry_after(wire::retry_after(response.headers(), now));
    let error = match head.code() {
        Some(code) => error.with_code(&code.to_string()),
        None => error,
    };
    match head.message() {
        Some(message) => error.with_message(message),
        None => error,
    }
}

/// 5xx, 429 and redirects win over anything that the body says. So does a missing endpoint, unless the service
/// itself refuses under that status: "no such user" is no missing endpoint.
fn by_status(status: StatusCode, response: &Response, head: &Head<'_>, asked: Asked, now: Now) -> Option<ServiceError> {
    let failure = wire::failure_under(status, response, now)?;
    let refuses = matches!(head.code(), Some(401 | 403)) || about_account(head, asked).is_some();
    if failure.kind() == ServiceErrorKind::Unsupported && status.is_client_error() && refuses {
        return None;
    }
    Some(failure)
}

/// The same for the code in the envelope, which the service also sends under HTTP 200.
fn by_code(response: &Response, head: &Head<'_>, asked: Asked, now: Now) -> Option<ServiceError> {
    let code = u16::try_from(head.code()?).ok()?;
    match code {
        404 | 405 | 429 | 500..600 => by_status(StatusCode::from_u16(code).ok()?, response, head, asked, now),
        _ => None,
    }
}

/// The rest: a 4xx, or a code that is no success.
fn by_words(status: StatusCode, head: &Head<'_>, body: Seen, asked: Asked) -> ServiceErrorKind {
    if body == Seen::Page {
        return ServiceErrorKind::Malformed { what: "a web page in place of JSON" };
    }
    if let Some(kind) = about_account(head, asked) {
        return kind;
    }
    let refused = status == StatusCode::UNAUTHORIZED || head.code() == Some(401) || {
        let message = head.message().unwrap_or_default();
        has(message, "invalid") || has(message, "unauthorized")
    };
    match asked {
        Asked::SignIn if refused => ServiceErrorKind::InvalidCredentials,
        // Forbidden, in the service's own envelope: this token will not do, another way may. A gateway's 403
        // has no code, and a sign-in's does not speak about the password: both are waited out.
        Asked::Renewal if refused || head.code() == Some(403) => ServiceErrorKind::RefreshRefused,
        _ => ServiceErrorKind::Service,
    }
}

/// What the words say about the account itself.
fn about_account(head: &Head<'_>, asked: Asked) -> Option<ServiceErrorKind> {
    let message = head.message()?;
    let account = || ["user", "account", "member", "email"].iter().any(|word| has(message, word));
    let missing =
        || ["not found", "not_found", "notfound", "not exist", "not_exist"].iter().any(|words| has(message, words));
    if has(message, "locked") && !has(message, "blocked") {
        return Some(ServiceErrorKind::AccountLocked);
    }
    if account() && missing() {
        return Some(match asked {
            Asked::SignIn => ServiceErrorKind::UserNotFound,
            Asked::Renewal => ServiceErrorKind::RefreshRefused,
        });
    }
    None
}

/// Whether `text` has `word`, which is in lower case, in it, in any case.
fn has(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case() {
        assert!(has("Login is INVALID", "invalid"));
        assert!(!has("inva", "invalid"));
        assert!(!has("", "invalid"));
    }
}
