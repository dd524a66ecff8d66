//! What is the same in every HTTP transport of ours.

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue};

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

/// RFC 9110 §12.5.3: we asked for `identity`, and a bomb need not be small.
pub fn is_compressed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
