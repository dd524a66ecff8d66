//! What is the same in every HTTP transport of ours.

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The largest head of an answer, in bytes.
pub const HEAD_CAP: usize = 64 * 1024;

/// Sets the headers that are a transport's: one exchange for each connection, no compression, our own framing.
pub fn prepare_headers(headers: &mut HeaderMap, user_agent: &HeaderValue) {
    headers.remove(CONTENT_LENGTH);
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
}

/// Marks the headers of an answer as sensitive: cookies are in them, and addresses with codes. `Debug` of an answer
/// does not show them then.
pub fn hide_headers(headers: &mut HeaderMap) {
    headers.values_mut().for_each(|value| value.set_sensitive(true));
}

/// What nobody asked for: another protocol, or a body that is compressed. `None` where there is nothing of it.
///
/// RFC 9110 §12.5.3: we asked for `identity`, and a bomb need not be small. RFC 9112 §6.1: a transfer coding that
/// nobody knows makes an unreadable body, and some libraries take it for a plain one.
pub fn uninvited(status: StatusCode, headers: &HeaderMap) -> Option<&'static str> {
    let is = |name, only: &str| {
        let values = headers.get_all(name).iter();
        let mut codings = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        codings.all(|coding| coding.trim_ascii().eq_ignore_ascii_case(only.as_bytes()))
    };
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Some("the answer switches protocols, uninvited");
    }
    let plain = is(CONTENT_ENCODING, "identity") && is(TRANSFER_ENCODING, "chunked");
    (!plain).then_some("the answer is compressed, uninvited")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_asked_for_is_told() {
        let told = |status: StatusCode, name, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            uninvited(status, &headers).is_some()
        };
        for (name, value, expected) in [
            (CONTENT_ENCODING, "identity", false),
            (CONTENT_ENCODING, "Identity, identity", false),
            (CONTENT_ENCODING, "br", true),
            (CONTENT_ENCODING, "identity, gzip", true),
            (TRANSFER_ENCODING, "Chunked", false),
            (TRANSFER_ENCODING, "gzip, chunked", true),
            (TRANSFER_ENCODING, "identity", true),
        ] {
            assert_eq!(told(StatusCode::OK, name, value), expected, "{value}");
        }
        assert!(uninvited(StatusCode::SWITCHING_PROTOCOLS, &HeaderMap::new()).is_some());
        assert_eq!(uninvited(StatusCode::NO_CONTENT, &HeaderMap::new()), None);
    }

    #[test]
    fn hidden_headers_do_not_show_in_debug() {
        let mut headers = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("hunter2"))]);
        hide_headers(&mut headers);
        assert!(!format!("{headers:?}").contains("hunter2"));
        assert_eq!(headers[CONNECTION], "hunter2");
    }
}
