//! JSON bodies: written for requests, and read as services really send them.

use std::fmt;
use std::time::Duration;

use http::{Method, Uri, header};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::Serialize;

use super::body::{Body, BodyBuffer};
use super::message::Request;
use crate::credentials::MAX_LIFETIME;
use crate::error::ServiceError;

/// A `POST` request with a JSON body, and `Accept: application/json`.
pub fn json_request(uri: Uri, body: &impl Serialize) -> Request {
    let mut buffer = BodyBuffer::new(usize::MAX);
    // Only a value that JSON cannot express fails here, such as a map whose keys are no texts. The body is then empty,
    // and the service rejects it.
    let body = serde_json::to_writer(&mut buffer, body).map_or_else(|_| Body::empty(), |()| buffer.finish());
    let mut http = http::Request::new(body);
    *http.method_mut() = Method::POST;
    *http.uri_mut() = uri;
    let headers = http.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    Request::new(http)
}

/// Reads JSON under any content type, with or without a BOM. Unknown keys are skipped; a key of `T` that occurs twice
/// is an error. Errors are [`Malformed`](crate::ServiceErrorKind::Malformed) and never repeat the body.
pub fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ServiceError> {
    let text = std::str::from_utf8(body).map_err(|_| ServiceError::malformed("not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().is_empty() {
        return Err(ServiceError::malformed("empty"));
    }
    if text.trim_start().starts_with('<') {
        return Err(ServiceError::malformed("a web page in place of JSON"));
    }
    // The parser's own message would repeat the body.
    serde_json::from_str(text)
        .map_err(|error| ServiceError::malformed(if error.is_data() { "JSON of another shape" } else { "broken JSON" }))
}

/// A lifetime such as `expires_in`, in seconds, in every form that servers send: a number, with or without a fraction,
/// or a text with a number in it. `None` where it is absent, null, zero, negative or no number. At most a year
/// ([`MAX_LIFETIME`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime(pub Option<Duration>);

impl Lifetime {
    fn from_seconds(seconds: f64) -> Self {
        if seconds.is_nan() || seconds <= 0.0 {
            return Self(None);
        }
        let lifetime = Duration::try_from_secs_f64(seconds).unwrap_or(MAX_LIFETIME).min(MAX_LIFETIME);
        // Timestamps have whole milliseconds: less is nothing.
        Self((lifetime >= Duration::from_millis(1)).then_some(lifetime))
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LifetimeVisitor)
    }
}

struct LifetimeVisitor;

impl<'de> Visitor<'de> for LifetimeVisitor {
    type Value = Lifetime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Lifetime, E> {
        Ok(Lifetime((seconds > 0).then(|| Duration::from_secs(seconds).min(MAX_LIFETIME))))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Lifetime, E> {
        self.visit_u64(u64::try_from(seconds).unwrap_or(0))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Lifetime, E> {
        Ok(Lifetime::from_seconds(seconds))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Lifetime, E> {
        Ok(text.trim().parse().map_or(Lifetime(None), Lifetime::from_seconds))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Lifetime, E> {
        Ok(Lifetime(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_in_every_form() {
        let read = |text: &str| serde_json::from_str::<Lifetime>(text).unwrap().0;
        for hour in ["3600", "\"3600\"", "3600.0", "\" 3600 \"", "\"3.6e3\""] {
            assert_eq!(read(hour), Some(Duration::from_secs(3600)), "{hour}");
        }
        for unknown in
            ["0", "-1", "null", "\"\"", "\"soon\"", "\"NaN\"", "0.0", "-1e300", "1e-300", "-9223372036854775808"]
        {
            assert_eq!(read(unknown), None, "{unknown}");
        }
        for long in ["1e18", "1e300", "\"inf\"", "18446744073709551615", "\"1e400\""] {
            assert_eq!(read(long), Some(MAX_LIFETIME), "{long}");
        }
        assert!(serde_json::from_str::<Lifetime>("[1]").is_err());
        assert!(serde_json::from_str::<Lifetime>("true").is_err());
    }

    #[test]
    fn an_error_never_repeats_the_body() {
        for body in [&b"{\"token\":\"hunter2\""[..], b"<html>hunter2", b"\xff\xfehunter2", b"", b"\"hunter2\""] {
            let error = parse_json::<Vec<u8>>(body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_bom_is_passed_over_and_depth_is_bounded() {
        assert_eq!(parse_json::<Vec<u8>>(b"\xef\xbb\xbf[1]").unwrap(), [1]);
        assert!(parse_json::<serde_json::Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
