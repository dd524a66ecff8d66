//! What statuses and headers say about a failure.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::credentials::{Now, Timestamp};
use crate::error::{ServiceError, ServiceErrorKind};

/// The longest `Retry-After` that is obeyed.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which counts from the answer's own `Date` so that a
/// server's wrong clock does no harm. Within bounds; `None` where there is none that makes sense.
pub fn retry_after(headers: &HeaderMap, now: Now) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Some(date) = Timestamp::parse_http_date(text) {
        Duration::try_from(date.since(server_time(headers).unwrap_or(now.wall))).unwrap_or_default()
    } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that they overflow: for a long time, at any rate.
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        return None;
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// The server's clock when it answered: the `Date` header.
pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::parse_http_date(headers.get(header::DATE)?.to_str().ok()?)
}

/// The failures that an HTTP status alone decides, whatever the body says: too many requests, a failing server,
/// a redirect (never followed), a missing endpoint. `None` for the others: the body decides.
pub fn failure(status: StatusCode, headers: &HeaderMap, now: Now) -> Option<ServiceError> {
    let kind = match status.as_u16() {
        429 => ServiceErrorKind::RateLimited { retry_after: retry_after(headers, now) },
        503 => match retry_after(headers, now) {
            Some(retry_after) => ServiceErrorKind::Unavailable { retry_after },
            None => ServiceErrorKind::Service,
        },
        404 | 405 | 501 => ServiceErrorKind::Unsupported,
        500.. => ServiceErrorKind::Service,
        100..200 | 300..400 => ServiceErrorKind::Malformed { what: "neither a success nor an error" },
        _ => return None,
    };
    Some(ServiceError::new(kind).with_status(status))
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
    fn retry_after_is_clamped() {
        assert_eq!(wait("7", None), Some(Duration::from_secs(7)));
        assert_eq!(wait("0", None), Some(Duration::ZERO));
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
        let skewed = Some("Sun, 06 Nov 1994 07:49:37 GMT");
        assert_eq!(wait("Sun, 06 Nov 1994 07:49:42 GMT", skewed), Some(Duration::from_secs(5)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT", None), Some(Duration::ZERO));
    }
}
