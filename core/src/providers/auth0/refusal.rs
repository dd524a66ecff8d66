//! Errors on the sign-in pages.

use http::StatusCode;
use zeroize::Zeroizing;

use super::page::Page;
use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{failure, retry_after};

/// The error in the answer to the login form; `None` where there is none. A page rejects the login by its
/// `div.error-message`. A status alone never rejects it, and neither does a failing service (5xx, 429), whatever its
/// page says.
pub fn parse_refusal(response: &Response, now: Now) -> Option<ServiceError> {
    service_failure(response, now).or_else(|| {
        let page = Page::read(response.body().as_ref());
        match page.error() {
            Some(words) => Some(error_with(kind(words), words, response, now)),
            None => response.status().is_client_error().then(|| failed(response, now)),
        }
    })
}

/// The error in an answer before the password was sent. Whatever the page says, it rejects no login: the session tries
/// again.
pub(super) fn page_failure(response: &Response, page: &Page, now: Now) -> Option<ServiceError> {
    service_failure(response, now).or_else(|| {
        let words = page.error().unwrap_or_default();
        response.status().is_client_error().then(|| error_with(ServiceErrorKind::Service, words, response, now))
    })
}

/// The error of a page before the password that lacks its form, with the message that it shows instead.
pub(super) fn missing_form(page: &Page, what: &'static str, response: &Response, now: Now) -> ServiceError {
    match page.error() {
        Some(words) => error_with(ServiceErrorKind::Service, words, response, now),
        None => ServiceError::malformed(what).with_status(response.status()),
    }
}

/// The failures of the service itself: 5xx, 429, redirects. No page counts as a missing endpoint, because there is no
/// other method to go on to.
fn service_failure(response: &Response, now: Now) -> Option<ServiceError> {
    match response.status() {
        StatusCode::NOT_IMPLEMENTED => Some(failed(response, now)),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => None,
        _ => failure(response, now),
    }
}

fn failed(response: &Response, now: Now) -> ServiceError {
    error_with(ServiceErrorKind::Service, "", response, now)
}

fn error_with(kind: ServiceErrorKind, words: &str, response: &Response, now: Now) -> ServiceError {
    let error = ServiceError::new(kind).with_status(response.status()).with_message(words);
    error.with_retry_after(retry_after(response.headers(), now))
}

/// The kind of error by a page's message. Not all messages are known: an unknown one rejects the login, so that no
/// account gets locked by trying again.
fn kind(words: &str) -> ServiceErrorKind {
    // Wiped: pages repeat what was entered.
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
