//! Whether an answer is a success and, if not, which error it is.
//!
//! The service documents no error codes, so the words of code and message decide where the HTTP status does not.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::credentials::{Now, Timestamp};
use crate::error::{ServiceError, ServiceErrorKind};
use crate::exchange::Response;
use crate::wire::{self, Object, Text};

/// By how much this machine's clock may differ from the service's before a rejection without a reason is blamed on it.
pub const LARGE_SKEW: Duration = Duration::from_secs(30);

/// The same for a rejection that speaks of the time. Not zero, because `Date` has whole seconds and answers take time.
const ANY_SKEW: Duration = Duration::from_secs(2);

/// Which kind of request an answer belongs to. It decides what an error rejects: the login or the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A signed sign-in.
    SignIn,
    /// A request with a refresh token or an access token.
    Renewal,
}

/// The service's time, if it rejected a sign-in because of this machine's clock: sign for that time and try once more.
///
/// `Some` where a 4xx speaks of the time and its `Date` is more than 2 s from `now`, or where a 401 or 403 names no
/// reason and its `Date` is more than [`LARGE_SKEW`] from `now`. `None` for a proxy's page, and without a `Date`.
pub fn server_clock(response: &Response, now: Now) -> Option<Timestamp> {
    let status = response.status();
    let (head, body_kind) = Head::of(response);
    let tolerated = match status.as_u16() {
        _ if body_kind == BodyKind::Page => return None,
        404 | 405 | 429 => return None,
        400..500 if head.speaks_of_time() => ANY_SKEW,
        401 | 403 => LARGE_SKEW,
        _ => return None,
    };
    let server = wire::server_time(response.headers())?;
    (server.since(now.wall).unsigned_abs() > tolerated).then_some(server)
}

/// The error in an answer; `None` for a success.
pub(super) fn failure_in(response: &Response, request: RequestKind, now: Now) -> Option<ServiceError> {
    let status = response.status();
    let (head, body_kind) = Head::of(response);
    if status.is_success() && head.code.is_success() {
        return None;
    }
    let error = by_status(response, &head, now)
        .unwrap_or_else(|| ServiceError::new(by_words(status, &head, body_kind, request)))
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

/// The error that the HTTP status decides. 5xx, 429 and redirects win over anything in the body. So does a missing
/// endpoint (404), unless the body says that the app is missing.
fn by_status(response: &Response, head: &Head<'_>, now: Now) -> Option<ServiceError> {
    let failure = wire::failure(response, now)?;
    let missing_app = failure.kind() == ServiceErrorKind::Unsupported && head.app_is_missing();
    (!missing_app).then_some(failure)
}

/// The error of any other 4xx, or of another code, by its words.
fn by_words(status: StatusCode, head: &Head<'_>, body_kind: BodyKind, request: RequestKind) -> ServiceErrorKind {
    use ServiceErrorKind::{AccountLocked, InvalidCredentials, Malformed, RefreshRefused, Service, UserNotFound};

    let refused = status == StatusCode::UNAUTHORIZED || head.has(&["invalid", "incorrect", "unauthorized", "expired"]);
    match request {
        _ if body_kind == BodyKind::Page => Malformed { what: "a web page in place of JSON" },
        // The clock was rejected and not the key, unless the words also speak of the signature. It may pass.
        RequestKind::SignIn if head.speaks_of_time() && !head.has(&["signature"]) => Service,
        RequestKind::SignIn if head.has(&["locked", "suspended"]) && !head.has(&["blocked"]) => AccountLocked,
        RequestKind::SignIn if head.app_is_missing() => UserNotFound,
        RequestKind::SignIn if refused => InvalidCredentials,
        RequestKind::Renewal if refused || head.app_is_missing() => RefreshRefused,
        // A 403 with a code is the service's own and rejects this token. One from a gateway has no code.
        RequestKind::Renewal if status == StatusCode::FORBIDDEN && head.code.0.is_some() => RefreshRefused,
        _ => Service,
    }
}

/// The fields of an error body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    code: Code,
    #[serde(borrow)]
    message: Text<'a>,
}

/// An error body whose message cannot be decoded (half of a surrogate pair): only its code is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CodeAlone {
    code: Code,
}

/// A code, which may be a text or a number, as text. Wiped when dropped: it may repeat what was sent.
#[derive(Default)]
pub(super) struct Code(Option<Zeroizing<String>>);

impl Code {
    /// Whether there is no code, or one that says success. Grants have none; if one ever has, its token must not be
    /// lost.
    pub(super) fn is_success(&self) -> bool {
        let success =
            |code: &Zeroizing<String>| ["0", "200", "ok", "success"].iter().any(|word| code.eq_ignore_ascii_case(word));
        self.0.as_ref().is_none_or(success)
    }
}

/// What kind of body an answer has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyKind {
    Json,
    /// A web page: from a proxy or a captive portal, not from the service.
    Page,
    Other,
}

impl<'a> Head<'a> {
    fn of(response: &'a Response) -> (Self, BodyKind) {
        let body = response.body().as_ref();
        match wire::parse_json::<Object<Head<'_>>>(body) {
            Ok(Object(head)) => (head.unwrap_or_default(), BodyKind::Json),
            Err(_) if wire::looks_like_a_page(body) => (Head::default(), BodyKind::Page),
            // The message cannot be decoded: read the code alone.
            Err(_) => match wire::parse_json::<Object<CodeAlone>>(body) {
                Ok(Object(Some(CodeAlone { code }))) => (Head { code, ..Head::default() }, BodyKind::Json),
                Ok(Object(None)) | Err(_) => (Head::default(), BodyKind::Other),
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

    /// Whether code or message contains one of these words, in upper or lower case. The words must be in lower case.
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
                let blank = text.trim().is_empty();
                (!blank).then(|| Zeroizing::new(text.trim().to_owned()))
            }
            Value::Number(number) => Some(Zeroizing::new(number.to_string())),
            _ => None,
        }))
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
