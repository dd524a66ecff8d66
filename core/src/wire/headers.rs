//! Failures that show in an answer's status, headers and first byte.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::message::Response;
use crate::credentials::{Now, Timestamp};
use crate::error::{ServiceError, ServiceErrorKind};

/// The longest `Retry-After` that is obeyed: a day.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The wait that `Retry-After` asks for (RFC 9110 §10.2.3), at most [`MAX_RETRY_AFTER`]. It is a number of seconds or a
/// date; a date is counted from the answer's own `Date`, so that a server's wrong clock does no harm. `None` where the
/// header is absent or makes no sense.
pub fn retry_after(headers: &HeaderMap, now: Now) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Some(date) = Timestamp::parse_http_date(text) {
        Duration::try_from(date.since(server_time(headers).unwrap_or(now.wall))).unwrap_or_default()
    } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they overflow mean a long time.
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        return None;
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The server's clock when it answered: the `Date` header (RFC 9110 §6.6.1).
pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::parse_http_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// The error that an answer's HTTP status decides, whatever the body says; `None` for 2xx and for any other 4xx, where
/// the body decides.
///
/// | status | error |
/// | --- | --- |
/// | 429 | [`RateLimited`](ServiceErrorKind::RateLimited) |
/// | 503 with `Retry-After` | [`Unavailable`](ServiceErrorKind::Unavailable) |
/// | 404, 405, 501 | [`Unsupported`](ServiceErrorKind::Unsupported): a missing endpoint |
/// | the same with a web page | [`Malformed`](ServiceErrorKind::Malformed): a gateway that lost the service |
/// | any other 5xx | [`Service`](ServiceErrorKind::Service) |
/// | 1xx, 3xx | [`Malformed`](ServiceErrorKind::Malformed): redirects are never followed |
pub fn failure(response: &Response, now: Now) -> Option<ServiceError> {
    failure_under(response.status(), response, now)
}

/// As [`failure`], for a service that puts another status into its answer's body.
pub(crate) fn failure_under(status: StatusCode, response: &Response, now: Now) -> Option<ServiceError> {
    let headers = response.headers();
    let kind = match status.as_u16() {
        429 => ServiceErrorKind::RateLimited { retry_after: retry_after(headers, now) },
        503 => match retry_after(headers, now) {
            Some(retry_after) => ServiceErrorKind::Unavailable { retry_after },
            None => ServiceErrorKind::Service,
        },
        404 | 405 | 501 if is_page(response) => {
            ServiceErrorKind::Malformed { what: "a web page in place of an answer" }
        }
        404 | 405 | 501 => ServiceErrorKind::Unsupported,
        500.. => ServiceErrorKind::Service,
        100..200 | 300..400 => ServiceErrorKind::Malformed { what: "neither a success nor an error" },
        _ => return None,
    };
    Some(ServiceError::new(kind).with_status(status).with_retry_after(retry_after(headers, now)))
}

/// Whether an answer is a web page, by its first byte or else its content type.
fn is_page(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_html = || {
        let starts =
            |html: &&[u8]| content_type.get(..html.len()).is_some_and(|start| start.eq_ignore_ascii_case(html));
        [&b"text/html"[..], b"application/xhtml+xml"].iter().any(starts)
    };
    match first(response.body().as_ref()) {
        Some(b'<') => true,
        Some(b'{' | b'[') => false,
        _ => is_html(),
    }
}

/// Whether a body begins as web pages do: it then comes from a proxy or a captive portal, not from the service.
#[allow(dead_code, reason = "used by some of the services")]
pub(crate) fn looks_like_a_page(body: &[u8]) -> bool {
    first(body) == Some(b'<')
}

/// The first byte after a BOM and white space.
fn first(body: &[u8]) -> Option<u8> {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start().first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        retry_after(&headers, Now::new(Timestamp::from_unix_seconds(784_111_777), Duration::ZERO))
    }

    #[test]
    fn retry_after_in_seconds_is_cut_at_a_day() {
        assert_eq!(wait("7", None), Some(Duration::from_secs(7)));
        assert_eq!(wait("0", None), Some(Duration::ZERO));
        assert_eq!(wait("86400", None), Some(Duration::from_secs(86_400)));
        for huge in ["999999", "99999999999999999999999999"] {
            assert_eq!(wait(huge, None), Some(MAX_RETRY_AFTER), "{huge}");
        }
        for odd in ["-5", "soon", "", "1.5", "NaN"] {
            assert_eq!(wait(odd, None), None, "{odd}");
        }
    }

    #[test]
    fn a_dated_retry_after_counts_from_the_servers_clock() {
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:47 GMT", None), Some(Duration::from_secs(10)));
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:47 GMT", None), Some(Duration::from_secs(10)));
        assert_eq!(wait("Sun Nov  6 08:49:47 1994", None), Some(Duration::from_secs(10)));
        let skewed = Some("Sun, 06 Nov 1994 07:49:37 GMT");
        assert_eq!(wait("Sun, 06 Nov 1994 07:49:42 GMT", skewed), Some(Duration::from_secs(5)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(Duration::ZERO));
    }

    fn kind(status: u16, content_type: &str, body: &str) -> ServiceErrorKind {
        let mut response = Response::new(body.as_bytes().to_vec().into());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        failure(&response, Now::default()).unwrap().kind()
    }

    #[test]
    fn a_web_page_under_404_is_no_missing_endpoint() {
        for status in [404, 405, 501] {
            for (content_type, body) in [
                ("text/html", "Not Found"),
                ("Text/HTML; charset=utf-8", ""),
                ("application/xhtml+xml", "x"),
                ("text/plain", "<html>"),
                ("application/json", "\u{feff}\r\n <!doctype html>"),
                ("application/xml", "<?xml version=\"1.0\"?><Error/>"),
            ] {
                let kind = kind(status, content_type, body);
                assert!(matches!(kind, ServiceErrorKind::Malformed { .. }), "{status} {content_type} {body}: {kind:?}");
            }
            for (content_type, body) in [
                ("application/json", "{}"),
                ("text/html", " {\"message\":\"no such path\"}"),
                ("text/html", "\u{feff}{}"),
                ("text/plain", "404 page not found"),
                ("x", ""),
                ("text/htm", ""),
            ] {
                assert_eq!(kind(status, content_type, body), ServiceErrorKind::Unsupported, "{content_type} {body}");
            }
        }
        // Other statuses mean the same with a page.
        assert_eq!(kind(429, "text/html", "<html>"), ServiceErrorKind::RateLimited { retry_after: None });
        assert_eq!(kind(502, "text/html", "<html>"), ServiceErrorKind::Service);
    }
}
