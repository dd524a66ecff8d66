//! What every target holds a parser to.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use perennial_core::credentials::Now;
use perennial_core::exchange::Response;
use perennial_core::wire::Body;
pub(super) use perennial_testing::fuzz::{
    check_error, check_grant, check_hidden, check_saved, check_validity, clock, shown, written,
};

/// An answer, and what it is an answer to.
pub(super) struct Received<'a> {
    /// Chooses the endpoint.
    pub(super) endpoint: u8,
    pub(super) now: Now,
    pub(super) response: Response,
    pub(super) body: &'a [u8],
}

/// Four bytes (the endpoint, the status in two, the clocks), then headers as lines with an empty line behind them, or
/// no headers, then the body.
pub(super) fn received(data: &[u8]) -> Option<Received<'_>> {
    let [endpoint, high, low, clocks, rest @ ..] = data else { return None };
    let (headers, body) = head(rest).unwrap_or((HeaderMap::new(), rest));
    let mut response = Response::new(Body::from(body.to_vec()));
    *response.headers_mut() = headers;
    // Mostly 200, or nothing would be parsed.
    let status = u16::from_be_bytes([*high, *low]);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    Some(Received { endpoint: *endpoint, now: clock(*clocks), response, body })
}

/// `None` where a body begins at once.
fn head(data: &[u8]) -> Option<(HeaderMap, &[u8])> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let mut headers = HeaderMap::new();
    for line in data[..end].split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        headers.append(name.ok()?, value.ok()?);
    }
    Some((headers, &data[end + 2..]))
}

/// What a parser said, in a form that two runs can be compared by.
pub(super) fn outcome<T>(said: &Result<T, impl std::error::Error>, write: impl FnOnce(&T) -> String) -> String {
    match said {
        Ok(value) => write(value),
        Err(error) => shown(error),
    }
}

/// Any other error repeats nothing: what can be copied owns no text, and what it borrows for ever is ours.
pub(super) fn check_silent(error: impl std::error::Error + Copy + 'static) {
    let shown = shown(&error);
    assert!(shown.len() < 500, "{} bytes of error", shown.len());
}

/// A body that was granted is refused as soon as the service says no in the same breath.
pub(super) fn with_error(response: &Response, body: &[u8], said: &str) -> Option<Response> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start().strip_prefix('{')?;
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let mut refused = Response::new(Body::from(format!("{{{said}{comma}{rest}").into_bytes()));
    *refused.status_mut() = response.status();
    *refused.headers_mut() = response.headers().clone();
    Some(refused)
}

pub(super) fn json(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let received = received(b"\x01\x01\x90\x00Date: x\nRetry-After: 5\n\n{}").unwrap();
        assert_eq!((received.endpoint, received.response.status().as_u16(), received.body), (1, 400, &b"{}"[..]));
        assert_eq!(received.response.headers()["retry-after"], "5");
        let bare = super::received(b"\x00\xff\xff\x00{\"a\":\n\n1}").unwrap();
        assert_eq!((bare.response.status().as_u16(), bare.response.headers().len()), (200, 0));
        assert_eq!(bare.response.body().as_ref(), b"{\"a\":\n\n1}");
    }
}
