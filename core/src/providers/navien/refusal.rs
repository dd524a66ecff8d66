//! Whether an answer is a success and, if not, which error it is.

use http::StatusCode;
use serde::Deserialize;

use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire;

use crate::wire::{Number, Object, Text};

/// Which kind of request an answer belongs to. It decides what an error rejects: the login or the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A request with e-mail and password.
    SignIn,
    /// A request with a refresh token or an access token.
    Renewal,
}

/// The head of the envelope: code and message, whatever `data` is.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Head<'a> {
    code: Number,
    #[serde(borrow)]
    msg: Text<'a>,
    /// The name that gateways in front of the service use.
    #[serde(borrow)]
    message: Text<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn new(code: Number, msg: Text<'a>, message: Text<'a>) -> Self {
        Self { code, msg, message }
    }

    /// Whether the code says success. A missing code leaves it to the HTTP status.
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

/// The error in an answer whose HTTP status is no success, or whose envelope could not be read. `None` for a 2xx whose
/// envelope names no error.
pub(super) fn failure_in(response: &Response, request: RequestKind, now: Now) -> Option<ServiceError> {
    let status = response.status();
    let body = response.body().as_ref();
    let (head, body) = match wire::parse_json::<Object<Head<'_>>>(body) {
        Ok(Object(head)) => (head.unwrap_or_default(), BodyKind::Json),
        Err(_) if wire::looks_like_a_page(body) => (Head::default(), BodyKind::Page),
        Err(_) => (Head::default(), BodyKind::Other),
    };
    if status.is_success() && (body != BodyKind::Json || head.is_success()) {
        return None;
    }
    Some(failure(response, &head, body, request, now))
}

/// The error that an envelope names.
pub(super) fn failure_of(response: &Response, head: &Head<'_>, request: RequestKind, now: Now) -> ServiceError {
    failure(response, head, BodyKind::Json, request, now)
}

/// What kind of body an answer has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Json,
    /// A web page: from a proxy or a captive portal, not from the service.
    Page,
    Other,
}

fn failure(response: &Response, head: &Head<'_>, body: BodyKind, request: RequestKind, now: Now) -> ServiceError {
    let status = response.status();
    let error = by_status(status, response, head, request, now)
        .or_else(|| by_code(response, head, request, now))
        .unwrap_or_else(|| ServiceError::new(by_words(status, head, body, request)));
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

/// The error that the HTTP status decides. 5xx, 429 and redirects win over anything in the body. So does a missing
/// endpoint (404), unless the body rejects the login or token under that status, as "no such user" does.
fn by_status(
    status: StatusCode,
    response: &Response,
    head: &Head<'_>,
    request: RequestKind,
    now: Now,
) -> Option<ServiceError> {
    let failure = wire::failure_under(status, response, now)?;
    let refuses = matches!(head.code(), Some(401 | 403)) || about_account(head, request).is_some();
    if failure.kind() == ServiceErrorKind::Unsupported && status.is_client_error() && refuses {
        return None;
    }
    Some(failure)
}

/// The same for the envelope's code: the service also sends errors under HTTP 200.
fn by_code(response: &Response, head: &Head<'_>, request: RequestKind, now: Now) -> Option<ServiceError> {
    let code = u16::try_from(head.code()?).ok()?;
    match code {
        404 | 405 | 429 | 500..600 => by_status(StatusCode::from_u16(code).ok()?, response, head, request, now),
        _ => None,
    }
}

/// The error of any other 4xx, or of another code, by the words of the message.
fn by_words(status: StatusCode, head: &Head<'_>, body: BodyKind, request: RequestKind) -> ServiceErrorKind {
    if body == BodyKind::Page {
        return ServiceErrorKind::Malformed { what: "a web page in place of JSON" };
    }
    if let Some(kind) = about_account(head, request) {
        return kind;
    }
    let refused = status == StatusCode::UNAUTHORIZED || head.code() == Some(401) || {
        let message = head.message().unwrap_or_default();
        has(message, "invalid") || has(message, "unauthorized")
    };
    match request {
        RequestKind::SignIn if refused => ServiceErrorKind::InvalidCredentials,
        // Code 403 in the service's own envelope: this token is rejected, and another method may work. A 403 from a
        // gateway has no code, and one for a sign-in does not speak of the password: the session waits and tries again.
        RequestKind::Renewal if refused || head.code() == Some(403) => ServiceErrorKind::RefreshRefused,
        _ => ServiceErrorKind::Service,
    }
}

/// Whether the message says that the account is locked or missing.
fn about_account(head: &Head<'_>, request: RequestKind) -> Option<ServiceErrorKind> {
    let message = head.message()?;
    let account = || ["user", "account", "member", "email"].iter().any(|word| has(message, word));
    let missing =
        || ["not found", "not_found", "notfound", "not exist", "not_exist"].iter().any(|words| has(message, words));
    if has(message, "locked") && !has(message, "blocked") {
        return Some(ServiceErrorKind::AccountLocked);
    }
    if account() && missing() {
        return Some(match request {
            RequestKind::SignIn => ServiceErrorKind::UserNotFound,
            RequestKind::Renewal => ServiceErrorKind::RefreshRefused,
        });
    }
    None
}

/// Whether `text` contains `word`, in upper or lower case. `word` must be in lower case.
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
