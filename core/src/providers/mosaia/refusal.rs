//! Whether an answer is a success and, if not, which error it is.
//!
//! The service sends errors in three forms: a truthy `error` under HTTP 200; `message` under another status; and, at
//! its OAuth endpoints, `error` with `error_description`, which [`oauth2`](crate::oauth2) reads.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{self, Object, Text};

/// Which kind of request an answer belongs to. It decides what an error rejects: the login or the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A request with a password or a client secret.
    SignIn,
    /// A request with a refresh token or an access token.
    Token,
}

/// The fields in which any answer may name an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ServerError<'a> {
    #[serde(borrow)]
    pub(super) error: Failure<'a>,
    #[serde(borrow)]
    pub(super) message: Text<'a>,
}

/// The `error` of an answer. A falsy one (null, false, 0, empty) is none, as in the service's own client.
#[derive(Default)]
pub(super) enum Failure<'a> {
    /// None.
    #[default]
    None,
    /// An error, with its text.
    Some(Text<'a>),
}

impl ServerError<'_> {
    fn words(&self) -> Option<&str> {
        match &self.error {
            Failure::Some(text) => text.or(&self.message),
            Failure::None => self.message.get(),
        }
    }
}

/// The error by an answer's status and these fields of its body; `None` for a success.
pub(super) fn failure(
    response: &Response,
    server_error: &ServerError<'_>,
    request: RequestKind,
    now: Now,
) -> Option<ServiceError> {
    let status = response.status();
    if status.is_success() && matches!(server_error.error, Failure::None) {
        return None;
    }
    Some(classified(response, server_error.words(), BodyKind::Json, request, now))
}

/// The error of an answer whose body could not be read as expected; `otherwise` where it names no error itself.
pub(super) fn failure_of_unread(
    response: &Response,
    otherwise: ServiceError,
    request: RequestKind,
    now: Now,
) -> ServiceError {
    let body = response.body().as_ref();
    let (server_error, body_kind) = match wire::parse_json::<Object<ServerError<'_>>>(body) {
        Ok(Object(server_error)) => (server_error.unwrap_or_default(), BodyKind::Json),
        Err(_) if wire::looks_like_a_page(body) => (ServerError::default(), BodyKind::Page),
        Err(_) => (ServerError::default(), BodyKind::Other),
    };
    if response.status().is_success() && matches!(server_error.error, Failure::None) {
        return otherwise.with_status(response.status());
    }
    classified(response, server_error.words(), body_kind, request, now)
}

/// What kind of body an answer has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Json,
    /// A web page: from a proxy or a captive portal, not from the service.
    Page,
    Other,
}

fn classified(
    response: &Response,
    words: Option<&str>,
    body_kind: BodyKind,
    request: RequestKind,
    now: Now,
) -> ServiceError {
    let status = response.status();
    let error = by_status(response, words, request, now)
        .unwrap_or_else(|| ServiceError::new(by_words(status, words.unwrap_or_default(), body_kind, request)));
    let error = error.with_status(status).with_retry_after(wire::retry_after(response.headers(), now));
    match words {
        Some(words) => error.with_message(words),
        None => error,
    }
}

/// The error that the HTTP status decides. 5xx, 429 and redirects win over anything in the body. So does a missing
/// endpoint (404), unless the body speaks of the account under that status, as "user not found" does.
fn by_status(response: &Response, words: Option<&str>, request: RequestKind, now: Now) -> Option<ServiceError> {
    let failure = wire::failure(response, now)?;
    let missing = failure.kind() == ServiceErrorKind::Unsupported && response.status().is_client_error();
    if missing && about_account(words.unwrap_or_default(), request).is_some() {
        return None;
    }
    Some(failure)
}

/// The error of any other 4xx, or of an `error` under a success, by its words.
fn by_words(status: StatusCode, words: &str, body_kind: BodyKind, request: RequestKind) -> ServiceErrorKind {
    if body_kind == BodyKind::Page {
        return ServiceErrorKind::Malformed { what: "a web page in place of JSON" };
    }
    if let Some(kind) = about_account(words, request) {
        return kind;
    }
    let refused = status == StatusCode::UNAUTHORIZED
        || ["invalid", "incorrect", "unauthorized", "expired", "revoked"].iter().any(|word| has(words, word));
    match request {
        RequestKind::SignIn if refused => ServiceErrorKind::InvalidCredentials,
        RequestKind::Token if refused => ServiceErrorKind::RefreshRefused,
        // Nothing about the password or the token: a gateway, or a rule of the service. The session tries again later.
        RequestKind::SignIn | RequestKind::Token => ServiceErrorKind::Service,
    }
}

/// Whether the text says that the account is locked or missing.
fn about_account(words: &str, request: RequestKind) -> Option<ServiceErrorKind> {
    if has(words, "locked") && !has(words, "blocked") {
        return Some(ServiceErrorKind::AccountLocked);
    }
    let account = ["user", "account", "email", "client"].iter().any(|word| has(words, word));
    let missing = ["not found", "not exist", "no such"].iter().any(|phrase| has(words, phrase));
    (account && missing).then_some(match request {
        RequestKind::SignIn => ServiceErrorKind::UserNotFound,
        RequestKind::Token => ServiceErrorKind::RefreshRefused,
    })
}

/// Whether `text` contains `word`, in upper or lower case. `word` must be in lower case.
fn has(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

impl<'de: 'a, 'a> Deserialize<'de> for Failure<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FailureVisitor)
    }
}

struct FailureVisitor;

impl FailureVisitor {
    fn unless<'a>(falsy: bool, text: Text<'a>) -> Failure<'a> {
        if falsy { Failure::None } else { Failure::Some(text) }
    }
}

impl<'de> Visitor<'de> for FailureVisitor {
    type Value = Failure<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Failure::None)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Self::unless(!truth, Text::Absent))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Self::unless(number == 0, Text::Absent))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Self::unless(number == 0, Text::Absent))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Self::unless(number == 0.0, Text::Absent))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Self::unless(text.is_empty(), Text::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Self::unless(text.is_empty(), Text::Owned(zeroize::Zeroizing::new(text.into()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut empty = true;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            empty = false;
        }
        Ok(Self::unless(empty, Text::Absent))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut empty, mut message) = (true, None);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            empty = false;
            match &*key {
                "message" if message.is_some() => return Err(de::Error::duplicate_field("message")),
                "message" => message = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Self::unless(empty, message.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(error: &str) -> Option<Option<String>> {
        let body = format!("{{\"error\":{error}}}");
        let server_error: ServerError<'_> = serde_json::from_str(&body).unwrap();
        match &server_error.error {
            Failure::None => None,
            Failure::Some(text) => Some(text.get().map(str::to_owned)),
        }
    }

    #[test]
    fn a_falsy_error_field_is_no_error() {
        for falsy in ["null", "false", "0", "0.0", "-0", "\"\"", "[]", "{}"] {
            assert_eq!(words(falsy), None, "{falsy}");
        }
        for wordless in ["true", "1", "-1", "0.5", "[0]", "{\"a\":null}", "{\"message\":null}", "\" \""] {
            assert_eq!(words(wordless), Some(None), "{wordless}");
        }
        for telling in ["\"no\"", r#"{"message":"no"}"#, r#"{"status":400,"message":"\u006eo"}"#, r#""\u006eo""#] {
            assert_eq!(words(telling), Some(Some("no".to_owned())), "{telling}");
        }
        assert!(serde_json::from_str::<ServerError<'_>>(r#"{"error":{"message":"a","message":"b"}}"#).is_err());
    }

    #[test]
    fn an_account_is_missing_only_where_the_text_names_one() {
        let both = Some(ServiceErrorKind::UserNotFound);
        assert_eq!(about_account("User does not exist", RequestKind::SignIn), both);
        for words in ["Page not found", "No such route", "Your email is invalid", "Account locked and blocked"] {
            assert_eq!(about_account(words, RequestKind::SignIn), None, "{words}");
        }
    }
}
