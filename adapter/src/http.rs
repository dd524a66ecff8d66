//! What is the same in every HTTP transport of ours.

use http::header::{CONNECTION, USER_AGENT};
use http::{HeaderMap, HeaderValue};

pub use perennial_core::wire::{hide_headers, uninvited};

/// The largest head of an answer, in bytes.
pub const HEAD_CAP: usize = 64 * 1024;

/// Sets the headers that are a transport's: one exchange for each connection, and who asks. The rest was set by
/// [`TransportSecurity::check_request`](perennial_core::TransportSecurity::check_request).
pub fn prepare_headers(headers: &mut HeaderMap, user_agent: &HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.entry(USER_AGENT).or_insert_with(|| user_agent.clone());
}
