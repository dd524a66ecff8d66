//! What a page says that is no success.

use http::StatusCode;
use zeroize::Zeroizing;

use super::page::Page;
use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{failure, retry_after};

/// What stands against a sign-in in the answer to the login; `None` where nothing does. A page refuses it by its
/// `div.error-message`; a status alone never does, and a failing service (5xx, 429) refuses nobody, whatever it
/// says.
pub fn parse_refusal(response: &Response, now: Now) -> Option<ServiceError> {
    stumble(response, now).or_else(|| {
        let page = Page::read(response.body().as_ref());
        match page.error() {
            Some(words) => Some(said(kind(words), words, response, now)),
            None => response.status().is_client_error().then(|| failed(response, now)),
        }
    })
}

/// The same before any password was shown. Whatever the page says, it refuses nobody: it may be another one next time.
pub(super) fn obstacle(response: &Response, page: &Page, now: Now) -> Option<ServiceError> {
    stumble(response, now).or_else(|| {
        let words = page.error().unwrap_or_default();
        response.status().is_client_error().then(|| said(ServiceErrorKind::Service, words, response, now))
    })
}

/// A page before the password that has not the form which it is there for, with what it says instead.
pub(super) fn formless(page: &Page, what: &'static str, response: &Response, now: Now) -> ServiceError {
    match page.error() {
        Some(words) => said(ServiceErrorKind::Service, words, response, now),
        None => ServiceError::malformed(what).with_status(response.status()),
    }
}

/// The failures of the service itself. A page that is missing is one of them: there is no other way to sign in, and
/// it may be back tomorrow.
fn stumble(response: &Response, now: Now) -> Option<ServiceError> {
    match response.status() {
        StatusCode::NOT_IMPLEMENTED => Some(failed(response, now)),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => None,
        _ => failure(response, now),
    }
}

fn failed(response: &Response, now: Now) -> ServiceError {
    said(ServiceErrorKind::Service, "", response, now)
}

fn said(kind: ServiceErrorKind, words: &str, response: &Response, now: Now) -> ServiceError {
    let error = ServiceError::new(kind).with_status(response.status()).with_message(words);
    error.with_retry_after(retry_after(response.headers(), now))
}

/// The words of the pages are known only in part: what is not known is a refusal, so that no account gets locked by
/// trying.
fn kind(words: &str) -> ServiceErrorKind {
    // Wiped: pages repeat what was typed.
    let words = Zeroizing::new(words.to_ascii_lowercase());
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let about_the_page = ["csrf", "session has expired", "session expired", "page has expired", "page not found"];
    let about_the_way = ["javascript", "ip address", "cookies"];
    if says(&about_the_page) || says(&about_the_way) {
        ServiceErrorKind::Service
    } else if says(&["locked", "blocked", "suspended", "disabled"]) {
        ServiceErrorKind::AccountLocked
    } else if says(&["not found", "no account", "does not exist", "doesn't exist", "no user"]) {
        ServiceErrorKind::UserNotFound
    } else if says(&["password", "email", "e-mail", "credential", "incorrect", "invalid", "wrong user"]) {
        ServiceErrorKind::InvalidCredentials
    } else if says(&["something went wrong", "try again later", "unavailable", "too many"]) {
        ServiceErrorKind::Service
    } else {
        ServiceErrorKind::InvalidCredentials
    }
}
