//! Whether an answer is a success, and if not, what the service said.
//!
//! The service says no in three ways: a truthy `error` under HTTP 200, `message` under another status, and (at its
//! OAuth endpoints, which are [`oauth`](crate::oauth2)'s to read) `error` with `error_description`.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::credentials::Now;
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{self, Object, Text};

/// What an answer was asked with. It decides what a refusal refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A password or a client's secret.
    SignIn,
    /// A refresh token or an access token.
    Token,
}

/// What any answer may say about its failure.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub(super) error: Failure<'a>,
    #[serde(borrow)]
    pub(super) message: Text<'a>,
}

/// The `error` of an answer. Falsy ones (null, false, 0, empty) are none, as in the service's own client.
#[derive(Default)]
pub(super) enum Failure<'a> {
    /// None.
    #[default]
    None,
    /// One, with what it says.
    Some(Text<'a>),
}

impl Said<'_> {
    fn words(&self) -> Option<&str> {
        match &self.error {
            Failure::Some(text) => text.or(&self.message),
            Failure::None => self.message.get(),
        }
    }
}

/// The failure that a body tells of, or its status alone; `None` for a success.
pub(super) fn failure(response: &Response, said: &Said<'_>, asked: Asked, now: Now) -> Option<ServiceError> {
    let status = response.status();
    if status.is_success() && matches!(said.error, Failure::None) {
        return None;
    }
    Some(classified(response, said.words(), Seen::Json, asked, now))
}

/// The same for a body that could not be read as what it should be: `otherwise` is what is wrong with it.
pub(super) fn failure_of_unread(response: &Response, otherwise: ServiceError, asked: Asked, now: Now) -> ServiceError {
    let body = response.body().as_ref();
    let (said, seen) = match wire::parse_json::<Object<Said<'_>>>(body) {
        Ok(Object(said)) => (said.unwrap_or_default(), Seen::Json),
        Err(_) if wire::looks_like_a_page(body) => (Said::default(), Seen::Page),
        Err(_) => (Said::default(), Seen::Other),
    };
    if response.status().is_success() && matches!(said.error, Failure::None) {
        return otherwise.with_status(response.status());
    }
    classified(response, said.words(), seen, asked, now)
}

/// What a body looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Json,
    /// Somebody else's words: a proxy's, a captive portal's.
    Page,
    Other,
}

fn classified(response: &Response, words: Option<&str>, seen: Seen, asked: Asked, now: Now) -> ServiceError {
    let status = response.status();
    let error = by_status(response, words, asked, now)
        .unwrap_or_else(|| ServiceError::new(by_words(status, words.unwrap_or_default(), seen, asked)));
    let error = error.with_status(status).with_retry_after(wire::retry_after(response.headers(), now));
    match words {
        Some(words) => error.with_message(words),
        None => error,
    }
}

/// 5xx, 429 and redirects win over anything that the body says. So does a missing endpoint, unless the service
/// itself speaks under that status: "user not found" is no missing endpoint.
fn by_status(response: &Response, words: Option<&str>, asked: Asked, now: Now) -> Option<ServiceError> {
    let failure = wire::failure(response, now)?;
    let missing = failure.kind() == ServiceErrorKind::Unsupported && response.status().is_client_error();
    if missing && about_account(words.unwrap_or_default(), asked).is_some() {
        return None;
    }
    Some(failure)
}

/// The rest: a 4xx, or an `error` under a success.
fn by_words(status: StatusCode, words: &str, seen: Seen, asked: Asked) -> ServiceErrorKind {
    if seen == Seen::Page {
        return ServiceErrorKind::Malformed { what: "a web page in place of JSON" };
    }
    if let Some(kind) = about_account(words, asked) {
        return kind;
    }
    let refused = status == StatusCode::UNAUTHORIZED
        || ["invalid", "incorrect", "unauthorized", "expired", "revoked"].iter().any(|word| has(words, word));
    match asked {
        Asked::SignIn if refused => ServiceErrorKind::InvalidCredentials,
        Asked::Token if refused => ServiceErrorKind::RefreshRefused,
        // Neither speaks about the password or the token: a gateway, a rule of the service. Waited out.
        Asked::SignIn | Asked::Token => ServiceErrorKind::Service,
    }
}

/// What the words say about the account itself.
fn about_account(words: &str, asked: Asked) -> Option<ServiceErrorKind> {
    if has(words, "locked") && !has(words, "blocked") {
        return Some(ServiceErrorKind::AccountLocked);
    }
    let account = ["user", "account", "email", "client"].iter().any(|word| has(words, word));
    let missing = ["not found", "not exist", "no such"].iter().any(|phrase| has(words, phrase));
    (account && missing).then_some(match asked {
        Asked::SignIn => ServiceErrorKind::UserNotFound,
        Asked::Token => ServiceErrorKind::RefreshRefused,
    })
}

/// Whether `text` has `word`, which is in lower case, in it, in any case.
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
        let said: Said<'_> = serde_json::from_str(&body).unwrap();
        match &said.error {
            Failure::None => None,
            Failure::Some(text) => Some(text.get().map(str::to_owned)),
        }
    }

    #[test]
    fn only_a_truthy_error_is_one() {
        for falsy in ["null", "false", "0", "0.0", "-0", "\"\"", "[]", "{}"] {
            assert_eq!(words(falsy), None, "{falsy}");
        }
        for wordless in ["true", "1", "-1", "0.5", "[0]", "{\"a\":null}", "{\"message\":null}", "\" \""] {
            assert_eq!(words(wordless), Some(None), "{wordless}");
        }
        for telling in ["\"no\"", r#"{"message":"no"}"#, r#"{"status":400,"message":"\u006eo"}"#, r#""\u006eo""#] {
            assert_eq!(words(telling), Some(Some("no".to_owned())), "{telling}");
        }
        assert!(serde_json::from_str::<Said<'_>>(r#"{"error":{"message":"a","message":"b"}}"#).is_err());
    }

    #[test]
    fn an_account_is_missing_only_where_one_is_spoken_of() {
        let both = Some(ServiceErrorKind::UserNotFound);
        assert_eq!(about_account("User does not exist", Asked::SignIn), both);
        for words in ["Page not found", "No such route", "Your email is invalid", "Account locked and blocked"] {
            assert_eq!(about_account(words, Asked::SignIn), None, "{words}");
        }
    }
}
