//! Whether an answer is a success, and if not, what the service said.
//!
//! The service's description names no error codes, so words decide where the HTTP status does not.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credentials::{Now, Timestamp};
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{self, Object, Text};

/// How far this machine's clock may be from the service's before a refusal that names no reason is put down to it.
pub const LARGE_SKEW: Duration = Duration::from_secs(30);

/// The same for a refusal that speaks of the time: `Date` has whole seconds, and answers take time.
const ANY_SKEW: Duration = Duration::from_secs(2);

/// What an answer was asked with. It decides what a refusal refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A signature.
    SignIn,
    /// A refresh token or an access token.
    Renewal,
}

/// The service's time, if it refused a sign-in because of this machine's: sign for that moment and try once more.
///
/// So it is where a 4xx speaks of the time and `Date` is more than 2 s from `now`, and where a 401 or 403 does not
/// say why and `Date` is more than [`LARGE_SKEW`] from `now`. Not for a proxy's page, and not without a `Date`.
pub fn server_clock(response: &Response, now: Now) -> Option<Timestamp> {
    let status = response.status();
    let (head, seen) = Head::of(response);
    let tolerated = match status.as_u16() {
        _ if seen == Seen::Page => return None,
        404 | 405 | 429 => return None,
        400..500 if head.speaks_of_time() => ANY_SKEW,
        401 | 403 => LARGE_SKEW,
        _ => return None,
    };
    let server = wire::server_time(response.headers())?;
    (server.since(now.wall).unsigned_abs() > tolerated).then_some(server)
}

/// The failure in an answer; `None` for a success.
pub(super) fn failure_in(response: &Response, asked: Asked, now: Now) -> Option<ServiceError> {
    let status = response.status();
    let (head, seen) = Head::of(response);
    if status.is_success() && head.code.is_success() {
        return None;
    }
    let error = by_status(response, &head, now)
        .unwrap_or_else(|| ServiceError::new(by_words(status, &head, seen, asked)))
        .with_status(status)
        .with_retry_after(wire::retry_after(response.headers(), now));
    let error = match &head.code.0 {
        Some(code) => error.with_code(code),
        None => error,
    };
    Some(match head.message.get() {
        Some(message) => error.with_message(message),
        None => error,
    })
}

/// 5xx, 429 and redirects win over anything that the body says. So does a missing endpoint, unless the service says
/// that it is the app which is missing.
fn by_status(response: &Response, head: &Head<'_>, now: Now) -> Option<ServiceError> {
    let failure = wire::failure(response, now)?;
    let missing_app = failure.kind() == ServiceErrorKind::Unsupported && head.app_is_missing();
    (!missing_app).then_some(failure)
}

/// The rest: a 4xx, or a code that is no success.
fn by_words(status: StatusCode, head: &Head<'_>, seen: Seen, asked: Asked) -> ServiceErrorKind {
    use ServiceErrorKind::{AccountLocked, InvalidCredentials, Malformed, RefreshRefused, Service, UserNotFound};

    let refused = status == StatusCode::UNAUTHORIZED || head.has(&["invalid", "incorrect", "unauthorized", "expired"]);
    match asked {
        _ if seen == Seen::Page => Malformed { what: "a web page in place of JSON" },
        // The key is not what was refused, unless the words leave that open. With the right time all will be well.
        Asked::SignIn if head.speaks_of_time() && !head.has(&["signature"]) => Service,
        Asked::SignIn if head.has(&["locked", "suspended"]) && !head.has(&["blocked"]) => AccountLocked,
        Asked::SignIn if head.app_is_missing() => UserNotFound,
        Asked::SignIn if refused => InvalidCredentials,
        Asked::Renewal if refused || head.app_is_missing() => RefreshRefused,
        // Forbidden, in the service's own words: this token will not do. A gateway's 403 has no code.
        Asked::Renewal if status == StatusCode::FORBIDDEN && head.code.0.is_some() => RefreshRefused,
        _ => Service,
    }
}

/// What a failure has in its body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    code: Code,
    #[serde(borrow)]
    message: Text<'a>,
}

/// A failure whose message cannot be read: half of a surrogate pair is no text.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CodeAlone {
    code: Code,
}

/// A text or a number, as a text. Wiped: it may repeat what was sent.
#[derive(Default)]
pub(super) struct Code(Option<Zeroizing<String>>);

impl Code {
    /// A grant has no code. Should one ever have, it is no reason to lose a token.
    pub(super) fn is_success(&self) -> bool {
        let success =
            |code: &Zeroizing<String>| ["0", "200", "ok", "success"].iter().any(|word| code.eq_ignore_ascii_case(word));
        self.0.as_ref().is_none_or(success)
    }
}

/// What a body looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Json,
    /// Somebody else's words: a proxy's, a captive portal's.
    Page,
    Other,
}

impl<'a> Head<'a> {
    fn of(response: &'a Response) -> (Self, Seen) {
        let body = response.body().as_ref();
        match wire::parse_json::<Object<Head<'_>>>(body) {
            Ok(Object(head)) => (head.unwrap_or_default(), Seen::Json),
            Err(_) if wire::looks_like_a_page(body) => (Head::default(), Seen::Page),
            // A message that is no text says nothing; the code beside it still does.
            Err(_) => match wire::parse_json::<Object<CodeAlone>>(body) {
                Ok(Object(Some(CodeAlone { code }))) => (Head { code, ..Head::default() }, Seen::Json),
                Ok(Object(None)) | Err(_) => (Head::default(), Seen::Other),
            },
        }
    }

    fn speaks_of_time(&self) -> bool {
        self.has(&["timestamp", "time stamp", "clock", "time difference", "request time"])
    }

    fn app_is_missing(&self) -> bool {
        let app = ["app not", "app_not", "app code", "application", "api key", "apikey", "broker"];
        self.has(&app) && self.has(&["not found", "not_found", "not exist"])
    }

    /// Whether one of these words, which are in lower case, stands in the code or the message, in any case.
    fn has(&self, words: &[&str]) -> bool {
        let texts = [self.code.0.as_ref().map(|code| code.as_str()), self.message.get()];
        texts.into_iter().flatten().any(|text| words.iter().any(|word| contains(text, word)))
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(deserializer)? {
            Value::String(text) => {
                let text = Zeroizing::new(text);
                let told = !text.trim().is_empty();
                told.then(|| Zeroizing::new(text.trim().to_owned()))
            }
            Value::Number(number) => Some(Zeroizing::new(number.to_string())),
            _ => None,
        }))
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
